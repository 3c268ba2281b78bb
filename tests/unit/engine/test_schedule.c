/* Whatever company a generation has, it answers as it does alone: submitted together in any order,
 * others cancelled at random steps, with so little KV memory that the cache is evicted all the
 * time, with one thread or two, with drafts where alone there were none. And
 * groups take turns. */
#include "tests/unit/engine/runs.h"

/* For the real one: two tools, several questions. */
static void real_request(struct request *request, unsigned i) {
    static struct tool tools[2];
    static const char *const questions[] = {"What is the weather in Oslo?", "Delete 12 files.",
                                            "Hello!"};
    tools[0] = (struct tool){
        text_of("get_weather"), text_of("The weather of a city"),
        text_of("{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},"
                "\"required\":[\"city\"]}")};
    tools[1] = (struct tool){
        text_of("remove"), text_of("Removes files"),
        text_of("{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}")};
    *request = (struct request){.part = {text_of(questions[i % 3]), false}};
    request->message = (struct message){.role = ROLE_USER, .parts = &request->part, .n_parts = 1};
    struct generation_spec *spec = &request->spec;
    *spec = (struct generation_spec){
        .source = PROMPT_MESSAGES, .messages = &request->message, .n_messages = 1};
    spec->tools = tools;
    spec->n_tools = 1 + i % 2;
    spec->choice = i % 3 == 2 ? CHOICE_AUTO : CHOICE_REQUIRED;
    spec->max_calls = 1;
    spec->max_tokens = 48;
    spec->stream = i % 2;
    spec->cache_store = true;
    sample(request, i);
}

/* ---- on the tiny model ---- */

START_TEST(in_any_company) {
    static const struct {
        unsigned threads, blocks, max_active, batch_rows;
    } settings[] = {
        {1, 5, 4, 8}, {2, 7, 16, 64}, {1, 12, 16, 512}, {2, 40, 3, 24}, {1, 400, 16, 33}};
    struct engine *reference = open_reference(tiny_path, TINY_CONTEXT);
    struct engine *engine =
        open_engine(tiny_path, settings[_i].threads, settings[_i].blocks * BLOCK_BYTES,
                    settings[_i].max_active, settings[_i].batch_rows, TINY_CONTEXT);
    ck_assert_uint_eq(engine->kv.max_blocks, settings[_i].blocks);
    ck_assert_uint_eq(engine_info(engine)->n_ctx, TINY_CONTEXT);
    check_rounds(engine, reference, tiny_request, 60, 12, (unsigned)_i + 1);
    struct engine_stats stats;
    engine_stats(engine, &stats);
    if (settings[_i].blocks < 40) ck_assert_uint_gt(stats.cache_evictions, 20);
    engine_free(engine);
    engine_free(reference);
}
END_TEST

/* One group's many don't keep another's one waiting: a place is kept, and the next one is for it.
 */
START_TEST(groups_take_turns) {
    struct engine *engine = open_engine(tiny_path, 1, 0, 4, 0, TINY_CONTEXT);
    static struct request requests[42];
    struct run runs[42];
    for (unsigned i = 0; i < 42; i++) {
        tiny_request(&requests[i], 4 * i + 2);
        requests[i].spec.max_tokens = 40;
        requests[i].spec.fair_group = i < 40 ? 1 : i;
        prepare(&runs[i], engine, &requests[i]);
    }
    for (unsigned i = 0; i < 40; i++) engine_submit(engine, runs[i].generation);
    engine_step(engine);
    ck_assert_uint_eq(engine->active.n, 3);
    engine_submit(engine, runs[40].generation);
    engine_step(engine);
    ck_assert(runs[40].generation->started);
    engine_submit(engine, runs[41].generation); /* waits for a place, but not behind the others */
    while (!runs[41].generation->started) ck_assert(engine_step(engine));
    unsigned finished = 0;
    for (unsigned i = 0; i < 40; i++) finished += runs[i].done;
    ck_assert_uint_le(finished, 4);
    while (engine_step(engine)) {
    }
    for (unsigned i = 0; i < 42; i++) {
        struct buf ignored = {0};
        ck_assert(conclude(&runs[i], &ignored));
        buf_free(&ignored);
    }
    engine_free(engine);
}
END_TEST

/* The room for prefills is shared by groups first. */
START_TEST(groups_share_prefills) {
    enum { N = 4, LETTERS = 60, ROWS = 32 };
    struct engine *engine = open_engine(tiny_path, 1, 0, 8, ROWS, TINY_CONTEXT);
    static struct request requests[N];
    struct run runs[N];
    for (unsigned i = 0; i < N; i++) {
        tiny_request(&requests[i], 2);
        memset(requests[i].prompt, 'a' + (int)i, LETTERS);
        requests[i].prompt[LETTERS] = '\0';
        requests[i].spec.text = text_of(requests[i].prompt);
        requests[i].spec.fair_group = i == N - 1;
        prepare(&runs[i], engine, &requests[i]);
        engine_submit(engine, runs[i].generation);
    }
    engine_step(engine);
    for (unsigned i = 0; i < N; i++) {
        uint32_t n = runs[i].generation->sequence.n_tokens;
        ck_assert_uint_ge(n, i == N - 1 ? ROWS / 2 - 1 : ROWS / 6 - 1);
        ck_assert_uint_le(n, i == N - 1 ? ROWS / 2 + 1 : ROWS / 6 + 2);
    }
    while (engine_step(engine)) {
    }
    for (unsigned i = 0; i < N; i++) {
        struct buf ignored = {0};
        ck_assert(conclude(&runs[i], &ignored));
        buf_free(&ignored);
    }
    engine_free(engine);
}
END_TEST

START_TEST(interactive_before_batch) {
    struct engine *engine = open_engine(tiny_path, 1, 0, 1, 0, TINY_CONTEXT);
    static struct request requests[3];
    struct run runs[3];
    for (unsigned i = 0; i < 3; i++) {
        tiny_request(&requests[i], 1);
        requests[i].spec.fair_group = i == 1 ? 2 : 1;
        requests[i].spec.batch_priority = i < 2;
        prepare(&runs[i], engine, &requests[i]);
        engine_submit(engine, runs[i].generation);
    }
    while (!runs[2].done) ck_assert(engine_step(engine));
    ck_assert(!runs[0].done && !runs[1].done);
    while (engine_step(engine)) {
    }
    for (unsigned i = 0; i < 3; i++) {
        struct buf ignored = {0};
        conclude(&runs[i], &ignored);
        buf_free(&ignored);
    }
    engine_free(engine);
}
END_TEST

/* ---- on the real one ---- */

START_TEST(real_model) {
    if (!present(model_file())) return;
    struct engine *reference = open_reference(model_file(), 512);
    struct engine *engine = open_engine(model_file(), 2, 20 << 20, 6, 96, 512);
    check_rounds(engine, reference, real_request, 12, 3, 7);
    engine_free(engine);
    engine_free(reference);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("schedule");
    TCase *tiny = tcase_create("tiny model"), *real = tcase_create("real model");
    tcase_set_timeout(tiny, 300);
    tcase_add_checked_fixture(tiny, write_tiny, remove_tiny);
    tcase_add_loop_test(tiny, in_any_company, 0, 5);
    tcase_add_test(tiny, groups_take_turns);
    tcase_add_test(tiny, groups_share_prefills);
    tcase_add_test(tiny, interactive_before_batch);
    tcase_set_timeout(real, 300);
    tcase_add_test(real, real_model);
    suite_add_tcase(suite, tiny);
    suite_add_tcase(suite, real);
    return run_suite(suite);
}
