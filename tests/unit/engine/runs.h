/* runs: requests for the tiny model, run alone or together, and what they answered. Header-only, tests only. */
#ifndef TESTS_RUNS_H
#define TESTS_RUNS_H

#include <inttypes.h>
#include <string.h>

#include "engine/generation.h"
#include "tests/support.h"
#include "tests/unit/engine/model_builder.h"

enum { MAX_REQUESTS = 64, TINY_CONTEXT = 96 };
enum { BLOCK_BYTES = LAYERS * HEADS_KV * 2 * KV_TILE * HEAD_DIM * 2 };

/* ---- requests ------------------------------------------------------------------------------ */

struct request {
    struct generation_spec spec;
    char prompt[256];
    struct message message;
    struct message_part part;
};

static inline struct text text_of(const char *s) {
    return (struct text){s, strlen(s)};
}

static inline unsigned below(unsigned *state, unsigned n) {
    return next_random(state) % n;
}

static inline void sample(struct request *request, unsigned i) {
    static const struct logit_bias bias = {.token = 261, .bias = 1.5f};
    struct sampling *s = &request->spec.sampling;
    *s = (struct sampling){
        .temperature = i % 2 ? 1 : 0, .top_p = 1, .typical_p = 1, .repeat_penalty = 1};
    s->seed = i;
    if (i % 5 == 1) s->top_k = 20, s->repeat_penalty = 1.3f;
    if (i % 7 == 1) s->bias = &bias, s->n_bias = 1;
    if (i % 3 == 1) s->want_logprobs = true, s->logprobs = 2;
}

static const char object_schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
                                    "\"integer\"},\"b\":{\"type\":\"string\",\"maxLength\":5}},"
                                    "\"required\":[\"a\",\"b\"]}";

/* For the tiny model: texts of 1 to 50 tokens that begin alike, free or under a grammar. */
static inline void tiny_request(struct request *request, unsigned i) {
    static const char beginning[] = "abcdeabcaabbccddeeabcdeabcdabcababacada";
    *request = (struct request){0};
    snprintf(request->prompt, sizeof request->prompt, "%.*s%u", (int)(i * 7 % 38), beginning,
             i % 11);
    struct generation_spec *spec = &request->spec;
    *spec = (struct generation_spec){.source = PROMPT_TEXT, .text = text_of(request->prompt)};
    spec->format = i % 4 == 3 ? FORMAT_JSON_SCHEMA : FORMAT_TEXT;
    spec->format_schema = text_of(object_schema);
    spec->choice = CHOICE_NONE;
    spec->max_tokens = i % 4 == 3 ? 40 : 1 + i * 5 % 40;
    spec->stream = i % 2;
    spec->cache_store = i % 6 != 0;
    spec->cache_pin = i % 8 == 5;
    spec->cache_owner = i % 13 == 0;
    sample(request, i);
}

/* ---- running them --------------------------------------------------------------------------- */

static uint64_t drafted, accepted; /* by the generations so far */

struct run {
    const struct request *request;
    struct generation *generation;
    struct buf streamed;
    uint64_t next_seq;
    bool done;
};

static inline void on_chunk(void *user, const struct generation_chunk *chunk) {
    struct run *run = user;
    ck_assert(!run->done);
    ck_assert_uint_eq(chunk->seq, run->next_seq++);
    buf_add(&run->streamed, chunk->text.bytes, chunk->text.len);
}

static inline void on_done(void *user) {
    struct run *run = user;
    ck_assert(!run->done);
    run->done = true;
}

static const struct generation_events events = {on_chunk, NULL, on_done};

static inline void prepare(struct run *run, struct engine *engine, const struct request *request) {
    struct error error = {0};
    *run = (struct run){.request = request};
    run->generation = generation_new(engine, &request->spec, &events, run, &error);
    ck_assert_msg(run->generation != NULL, "%s", error.message);
}

/* What must be the same in any company, as text: all but what was cached or drafted, and the passes
 * that this saved. */
static inline void describe(struct buf *out, const struct generation_result *r) {
    buf_printf(
        out, "finish %d, %" PRIu64 " + %" PRIu64 " (%" PRIu64 " forced) tokens:", r->finish,
        r->prompt_tokens, r->completion_tokens, r->forced_tokens);
    drafted += r->drafted_tokens;
    accepted += r->accepted_tokens;
    ck_assert_uint_le(r->accepted_tokens, r->drafted_tokens);
    if (r->content.bytes) buf_add(out, r->content.bytes, r->content.len);
    for (size_t i = 0; i < r->n_calls; i++) {
        buf_printf(out, " call %.*s ", (int)r->calls[i].name.len, r->calls[i].name.bytes);
        buf_add(out, r->calls[i].arguments.bytes, r->calls[i].arguments.len);
    }
    for (size_t i = 0; i < r->n_logprobs; i++)
        buf_printf(out, " %u:%a", r->logprobs[i].token, (double)r->logprobs[i].logprob);
    buf_add_char(out, '\0');
}

/* Adds the description of a finished run; false if it was cancelled. Frees the run. */
static inline bool conclude(struct run *run, struct buf *out) {
    const struct generation_result *result;
    struct error error = {0};
    ck_assert(run->done);
    bool good = generation_result(run->generation, &result, &error);
    if (good) {
        describe(out, result);
        if (run->request->spec.stream && !run->request->spec.n_tools)
            ck_assert(run->streamed.len == result->content.len &&
                      (!result->content.len ||
                       !memcmp(run->streamed.bytes, result->content.bytes, result->content.len)));
    } else {
        ck_assert_msg(error.code == ERROR_CANCELLED, "%d %s", error.code, error.message);
    }
    generation_free(run->generation);
    buf_free(&run->streamed);
    return good;
}

static inline struct buf alone(struct engine *engine, const struct request *request) {
    struct buf out = {0};
    struct run run;
    prepare(&run, engine, request);
    engine_submit(engine, run.generation);
    while (engine_step(engine)) {
    }
    ck_assert(conclude(&run, &out));
    return out;
}

/* All of them in a random order, a few at once at first, others on the way; each is cancelled with
 * this chance. */
static inline void together(struct engine *engine, struct run *runs, size_t n, unsigned *random,
                     unsigned cancel_percent) {
    struct run *order[MAX_REQUESTS];
    for (size_t i = 0; i < n; i++) order[i] = &runs[i];
    for (size_t i = n; i > 1; i--) {
        size_t j = below(random, (unsigned)i);
        struct run *swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
    for (size_t sent = 0, more = 1; sent < n || more;) {
        for (unsigned burst = below(random, 8); burst && sent < n; burst--)
            engine_submit(engine, order[sent++]->generation);
        if (sent && below(random, 100) < cancel_percent)
            generation_cancel(order[below(random, (unsigned)sent)]->generation, CANCEL_CLIENT);
        more = engine_step(engine);
    }
}

static inline struct engine *new_engine(const struct engine_settings *settings) {
    struct error error = {0};
    struct engine *engine = engine_new(settings, &error);
    ck_assert_msg(engine != NULL, "%s", error.message);
    return engine;
}

static inline struct engine *open_engine(const char *path, unsigned threads, uint64_t kv_bytes,
                                  unsigned max_active, unsigned batch_rows, uint32_t n_ctx) {
    return new_engine(&(struct engine_settings){.model_path = path,
                                                .threads = threads,
                                                .kv_bytes = kv_bytes,
                                                .n_ctx = n_ctx,
                                                .max_active = max_active,
                                                .batch_rows = batch_rows});
}

/* One generation at a time, and nothing drafted. */
static inline struct engine *open_reference(const char *path, uint32_t n_ctx) {
    return new_engine(&(struct engine_settings){.model_path = path,
                                                .threads = 1,
                                                .n_ctx = n_ctx,
                                                .max_active = 1,
                                                .draft_max = ENGINE_NO_DRAFTS});
}

typedef void make_request(struct request *request, unsigned i);

/* The property on one engine: `rounds` times everything together against what each gave alone
 * elsewhere. */
static inline void check_rounds(struct engine *engine, struct engine *reference, make_request *make,
                         size_t n, unsigned rounds, unsigned seed) {
    static struct request requests[MAX_REQUESTS];
    struct run runs[MAX_REQUESTS];
    struct buf expected[MAX_REQUESTS];
    unsigned random = seed;
    drafted = accepted = 0;
    for (size_t i = 0; i < n; i++) {
        make(&requests[i], (unsigned)i);
        requests[i].spec.fair_group = i % 3;
        requests[i].spec.batch_priority = i % 10 == 4;
        expected[i] = alone(reference, &requests[i]);
    }
    ck_assert_uint_eq(drafted, 0);
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n; i++) prepare(&runs[i], engine, &requests[i]);
        together(engine, runs, n, &random, round % 3 == 2 ? 50 : 0);
        for (size_t i = 0; i < n; i++) {
            struct buf got = {0};
            if (conclude(&runs[i], &got)) ck_assert_str_eq(got.bytes, expected[i].bytes);
            buf_free(&got);
        }
        ck_assert_uint_eq(engine->reserved_blocks, 0);
        ck_assert_uint_eq(engine->active.n + engine->queue.n, 0);
    }
    ck_assert_uint_gt(accepted, 0);
    ck_assert_uint_lt(accepted, drafted); /* some had to be forgotten */
    for (size_t i = 0; i < n; i++) buf_free(&expected[i]);
}

/* ---- on the tiny model ------------------------------------------------------------------------
 */

static char tiny_path[] = "/tmp/plm-schedule-XXXXXX";

static inline void write_tiny(void) {
    write_model(tiny_path);
}

static inline void remove_tiny(void) {
    unlink(tiny_path);
}

#endif
