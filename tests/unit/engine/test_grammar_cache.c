/* A form that was compiled for an earlier request changes nothing: the same text, counts and steps,
 * whatever was generated with it before and beside it. It is found by all the bytes that decide it,
 * and kept under a budget of what it really holds. */
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>

#include "engine/generation.h"
#include "tests/support.h"
#include "tests/unit/engine/model_builder.h"

static struct text text_of(const char *s) {
    return (struct text){s, s ? strlen(s) : 0};
}

/* ---- requests ------------------------------------------------------------------------------ */

/* Schemas whose masks come about in all the ways there are: declared and further keys,
 * alternatives, languages, numbers, guards, items without repetitions. */
static const char *const schemas[] = {
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\","
    "\"maxLength\":5}},\"required\":[\"a\",\"b\"]}",
    "{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[{\"type\":\"integer\"},{\"type\":"
    "\"array\",\"items\":{\"enum\":[\"ab\",\"ac\",1]},\"uniqueItems\":true,\"maxItems\":3}]},"
    "\"maxProperties\":3}",
    "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^[a-d]{1,4}(x|yz)*$\"},"
    "\"minItems\":1,\"maxItems\":4}",
    "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":30},"
    "\"contains\":"
    "{\"multipleOf\":7},\"minItems\":2,\"maxItems\":3}",
    "{\"type\":\"array\",\"items\":{\"type\":[\"number\",\"boolean\"]},\"uniqueItems\":true,"
    "\"minItems\":2,\"maxItems\":4}",
    "{\"type\":\"object\",\"patternProperties\":{\"^x\":{\"type\":\"integer\"}},\"properties\":{"
    "\"k\":{\"not\":{\"enum\":[1,\"a\",null]}}},\"required\":[\"k\"]}",
    "{\"$ref\":\"#/$defs/t\",\"$defs\":{\"t\":{\"type\":\"object\",\"properties\":{\"l\":{\"$ref\":"
    "\"#/$defs/t\"},\"v\":{\"type\":\"number\"}},\"required\":[\"v\"]}}}",
};
static const char *const regexes[] = {"(a|b)*abb[0-9]{2,6}", "([a-z]{1,3}-)*(end|e)"};
static const char *const gbnfs[] = {
    "root ::= \"[\" (item (\",\" item)*)? \"]\"\nitem ::= [a-c]+ | root | \"(\" root \")\"",
    "root ::= expr\nexpr ::= term (\"+\" term)*\nterm ::= [0-9]{1,3} | \"(\" expr \")\"",
};

enum {
    N_SCHEMAS = sizeof schemas / sizeof *schemas,
    N_FORMS = 2 * N_SCHEMAS + 4 + 1, /* as format, as tool; regex and gbnf; any object */
    SEEDS = 4
};

struct request {
    struct generation_spec spec;
    struct tool tools[2];
};

static void tools_request(struct request *request, const char *schema, unsigned i) {
    static const char object[] =
        "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"boolean\"}}}";
    struct generation_spec *spec = &request->spec;
    bool fits = strncmp(schema, "{\"type\":\"object\"", 16) == 0;
    request->tools[0] = (struct tool){.name = text_of("fetch"), .schema = text_of(object)};
    request->tools[1] =
        (struct tool){.name = text_of("put"), .schema = text_of(fits ? schema : object)};
    spec->tools = request->tools;
    spec->n_tools = 2;
    spec->choice = i % 4 == 0 ? CHOICE_AUTO : i % 4 == 1 ? CHOICE_NAMED : CHOICE_REQUIRED;
    spec->choice_name = text_of("put");
    spec->max_calls = 1 + i % 3;
}

static void make_request(struct request *request, unsigned form, unsigned seed) {
    struct generation_spec *spec = &request->spec;
    *request = (struct request){0};
    spec->source = PROMPT_TEXT;
    spec->text = text_of("abc");
    spec->choice = CHOICE_NONE;
    spec->max_tokens = 80;
    spec->style = form % 3 == 1 ? STYLE_COMPACT : STYLE_DEFAULT;
    spec->widen = form % 5 == 2;
    spec->sampling = (struct sampling){.temperature = seed ? 1.5f : 0,
                                       .top_p = 1,
                                       .typical_p = 1,
                                       .repeat_penalty = 1,
                                       .seed = seed,
                                       .want_logprobs = true,
                                       .logprobs = 2};
    if (form < N_SCHEMAS) {
        spec->format = FORMAT_JSON_SCHEMA;
        spec->format_schema = text_of(schemas[form]);
    } else if (form < 2 * N_SCHEMAS) {
        tools_request(request, schemas[form - N_SCHEMAS], form);
    } else if (form < 2 * N_SCHEMAS + 4) {
        unsigned i = form - 2 * N_SCHEMAS;
        spec->format = i < 2 ? FORMAT_REGEX : FORMAT_GBNF;
        spec->format_schema = text_of(i < 2 ? regexes[i] : gbnfs[i - 2]);
    } else {
        spec->format = FORMAT_JSON_OBJECT;
    }
}

/* ---- the model --------------------------------------------------------------------------------
 */

static char path[] = "/tmp/plm-grammars-XXXXXX";

static void make_model(void) {
    write_model(path);
}

static void remove_model(void) {
    unlink(path);
}

static struct engine *open_engine(uint64_t grammar_bytes) {
    struct error error = {0};
    struct engine_settings settings = {
        .model_path = path, .threads = 1, .n_ctx = 96, .grammar_bytes = grammar_bytes};
    struct engine *engine = engine_new(&settings, &error);
    ck_assert_msg(engine != NULL, "%s", error.message);
    return engine;
}

static struct engine_stats stats_of(const struct engine *engine) {
    struct engine_stats stats;
    engine_stats(engine, &stats);
    return stats;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static void describe(struct buf *out, const struct generation_result *r,
                     const struct error *error) {
    buf_printf(out, "%d %s %s: %d, %" PRIu64 " (%" PRIu64 " forced) tokens, %" PRIu64 " steps: ",
               error->code, error->path, error->message, r->finish, r->completion_tokens,
               r->forced_tokens, r->steps);
    if (r->content.bytes) buf_add(out, r->content.bytes, r->content.len);
    for (size_t i = 0; i < r->n_calls; i++) {
        buf_printf(out, " call %.*s ", (int)r->calls[i].name.len, r->calls[i].name.bytes);
        buf_add(out, r->calls[i].arguments.bytes, r->calls[i].arguments.len);
    }
    for (size_t i = 0; i < r->n_warnings; i++)
        buf_printf(out, " without %s %s", r->warnings[i].path, r->warnings[i].keyword);
    for (size_t i = 0; i < r->n_logprobs; i++)
        buf_printf(out, " %u:%a", r->logprobs[i].token, (double)r->logprobs[i].logprob);
    buf_add_char(out, '\0');
}

static void no_done(void *user) {
    (void)user;
}

static const struct generation_events events = {NULL, NULL, no_done};

static struct generation *prepare(struct engine *engine, const struct request *request) {
    struct error error = {0};
    struct generation *g = generation_new(engine, &request->spec, &events, NULL, &error);
    ck_assert_msg(g != NULL, "%s: %s", error.path, error.message);
    return g;
}

static struct buf conclude(struct generation *g) {
    struct buf out = {0};
    const struct generation_result *result;
    struct error error = {0};
    generation_result(g, &result, &error);
    describe(&out, result, &error);
    generation_free(g);
    return out;
}

static struct buf answer(struct engine *engine, const struct request *request) {
    struct generation *g = prepare(engine, request);
    engine_submit(engine, g);
    while (engine_step(engine)) {
    }
    return conclude(g);
}

/* ---- one result ---------------------------------------------------------------------------------
 */

static struct request requests[N_FORMS * SEEDS];

static void cold_answers(struct buf *expected) {
    struct engine *cold = open_engine(1); /* keeps none */
    for (unsigned i = 0; i < N_FORMS * SEEDS; i++) {
        make_request(&requests[i], i % N_FORMS, i / N_FORMS);
        expected[i] = answer(cold, &requests[i]);
    }
    ck_assert_uint_eq(stats_of(cold).grammar_entries, 0);
    ck_assert_uint_eq(stats_of(cold).grammar_hits, 0);
    engine_free(cold);
}

/* Each again and again, also two of a form side by side. */
START_TEST(warm_is_cold) {
    static struct buf expected[N_FORMS * SEEDS];
    unsigned random = 7;
    cold_answers(expected);
    struct engine *engine = open_engine(0);
    for (unsigned round = 0; round < 3 * N_FORMS * SEEDS; round++) {
        unsigned i = next_random(&random) % (N_FORMS * SEEDS);
        unsigned beside = (i + N_FORMS * (next_random(&random) % SEEDS)) % (N_FORMS * SEEDS);
        struct generation *pair[] = {prepare(engine, &requests[i]),
                                     prepare(engine, &requests[beside])};
        ck_assert_ptr_eq(pair[0]->form, pair[1]->form);
        engine_submit(engine, pair[0]);
        engine_submit(engine, pair[1]);
        while (engine_step(engine)) {
        }
        struct buf got = conclude(pair[0]), other = conclude(pair[1]);
        ck_assert_str_eq(got.bytes, expected[i].bytes);
        ck_assert_str_eq(other.bytes, expected[beside].bytes);
        buf_free(&got);
        buf_free(&other);
    }
    struct engine_stats stats = stats_of(engine);
    ck_assert_uint_eq(stats.grammar_misses, stats.grammar_entries);
    ck_assert_uint_le(stats.grammar_entries, N_FORMS);
    ck_assert_uint_eq(stats.grammar_hits + stats.grammar_misses, 6 * N_FORMS * SEEDS);
    for (unsigned i = 0; i < N_FORMS * SEEDS; i++) buf_free(&expected[i]);
    engine_free(engine);
}
END_TEST

/* While the engine generates, others prepare, use for a moment and let go of the same forms, under
 * a budget that keeps a few of them. */
static atomic_bool stop;

static void *prepare_on(void *user) {
    struct engine *engine = user;
    for (unsigned i = 0; !atomic_load(&stop); i++)
        generation_free(prepare(engine, &requests[i * 5 % (N_FORMS * SEEDS)]));
    return NULL;
}

START_TEST(threads_share) {
    static struct buf expected[N_FORMS * SEEDS];
    pthread_t threads[2];
    cold_answers(expected);
    struct engine *engine = open_engine(_i ? 0 : 400 << 10);
    atomic_store(&stop, false);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, prepare_on, engine), 0);
    for (unsigned i = 0; i < N_FORMS * SEEDS; i++) {
        struct buf got = answer(engine, &requests[i]);
        ck_assert_str_eq(got.bytes, expected[i].bytes);
        buf_free(&got);
        buf_free(&expected[i]);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    ck_assert_uint_gt(stats_of(engine).grammar_hits, 0);
    ck_assert_uint_le(stats_of(engine).grammar_bytes, _i ? 16 << 20 : 400 << 10);
    engine_free(engine);
}
END_TEST

/* ---- the key
 * -------------------------------------------------------------------------------------- */

static struct form_key key_of(const struct generation_spec *spec) {
    struct form_key key;
    ck_assert(form_key_make(&key, spec));
    return key;
}

/* Every change of the request that can change the form changes the key; others don't. */
static bool changes(void change(struct request *request)) {
    struct request one, other;
    make_request(&one, N_SCHEMAS, 0);
    make_request(&other, N_SCHEMAS, 0);
    one.spec.tools = one.tools;
    other.spec.tools = other.tools;
    change(&other);
    struct form_key a = key_of(&one.spec), b = key_of(&other.spec);
    bool same = form_key_same(&a, &b);
    free(a.bytes);
    free(b.bytes);
    return !same;
}

static void other_style(struct request *r) {
    r->spec.style = r->spec.style == STYLE_COMPACT ? STYLE_SPACED : STYLE_COMPACT;
}
static void other_choice(struct request *r) {
    r->spec.choice = r->spec.choice == CHOICE_AUTO ? CHOICE_REQUIRED : CHOICE_AUTO;
}
static void one_named(struct request *r) {
    r->spec.choice = CHOICE_NAMED;
}
static void more_calls(struct request *r) {
    r->spec.max_calls++;
}
static void widened(struct request *r) {
    r->spec.widen = !r->spec.widen;
}
static void fewer_tools(struct request *r) {
    r->spec.n_tools--;
}
static void other_name(struct request *r) {
    r->tools[0].name = text_of("fetcH");
}
static void no_schema(struct request *r) {
    r->tools[0].schema = (struct text){0};
}
static void longer_schema(struct request *r) {
    r->tools[0].schema.len--;
}
static void shifted(struct request *r) {
    struct tool first = r->tools[0];
    r->tools[0] = r->tools[1];
    r->tools[1] = first;
}
static void no_calls(struct request *r) {
    r->spec.choice = CHOICE_NONE;
    r->spec.format = FORMAT_JSON_OBJECT;
}
static void other_words(struct request *r) {
    r->spec.text = text_of("xyz");
    r->tools[0].description = text_of("new");
    r->spec.sampling.seed++;
    r->spec.max_tokens++;
}

START_TEST(all_that_decides_is_the_key) {
    void (*const changing[])(struct request *) = {
        other_style, other_choice, one_named,     more_calls, widened, fewer_tools,
        other_name,  no_schema,    longer_schema, shifted,    no_calls};
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
        ck_assert_msg(changes(changing[i]), "%zu", i);
    ck_assert(!changes(other_words));
}
END_TEST

/* The same text as a regular expression and as a grammar, and as a schema. */
START_TEST(kinds_differ) {
    const enum response_format formats[] = {FORMAT_REGEX, FORMAT_GBNF, FORMAT_JSON_SCHEMA};
    struct form_key keys[3];
    for (int i = 0; i < 3; i++)
        keys[i] = key_of(&(struct generation_spec){
            .choice = CHOICE_NONE, .format = formats[i], .format_schema = text_of("{}")});
    for (int i = 0; i < 3; i++) ck_assert(!form_key_same(&keys[i], &keys[(i + 1) % 3]));
    for (int i = 0; i < 3; i++) free(keys[i].bytes);
}
END_TEST

/* ---- the cache by itself
 * -------------------------------------------------------------------------- */

static struct form *form_of(const char *schema) {
    struct error error = {0};
    struct generation_spec spec = {
        .choice = CHOICE_NONE, .format = FORMAT_JSON_SCHEMA, .format_schema = text_of(schema)};
    struct form_key key = key_of(&spec);
    struct form *form = form_new(&key, &spec, NULL, &error);
    ck_assert_msg(form != NULL, "%s", error.message);
    return form;
}

static struct form *form_number(int n) {
    char schema[64];
    snprintf(schema, sizeof schema, "{\"type\":\"array\",\"maxItems\":%d}", n);
    return form_of(schema);
}

static bool is_kept(struct grammar_cache *cache, const struct form *form) {
    struct form *found = grammar_cache_get(cache, &form->key);
    ck_assert(!found || found == form);
    form_unref(found);
    return found != NULL;
}

/* Equal hashes are not enough. */
START_TEST(bytes_decide) {
    struct grammar_cache *cache = grammar_cache_new(1 << 20);
    struct form *form = form_number(1);
    grammar_cache_put(cache, form);
    struct form_key key = form->key;
    key.bytes = strdup("");
    key.bytes = realloc(key.bytes, key.len);
    memcpy(key.bytes, form->key.bytes, key.len);
    struct form *found = grammar_cache_get(cache, &key);
    ck_assert_ptr_eq(found, form);
    form_unref(found);
    key.bytes[key.len - 1] ^= 1;
    ck_assert_ptr_null(grammar_cache_get(cache, &key));
    key.bytes[key.len - 1] ^= 1;
    key.len--;
    ck_assert_ptr_null(grammar_cache_get(cache, &key));
    free(key.bytes);
    grammar_cache_release(cache, form);
    grammar_cache_free(cache);
}
END_TEST

START_TEST(least_recently_used_goes) {
    struct form *forms[4];
    struct grammar_cache_stats stats;
    for (int i = 0; i < 4; i++) forms[i] = form_number(i + 1);
    size_t one = form_bytes(forms[0]);
    struct grammar_cache *cache = grammar_cache_new(one * 7 / 2);
    for (int i = 0; i < 3; i++) grammar_cache_put(cache, forms[i]);
    ck_assert(is_kept(cache, forms[0]));
    grammar_cache_put(cache, forms[3]);
    ck_assert(is_kept(cache, forms[0]) && is_kept(cache, forms[2]) && is_kept(cache, forms[3]));
    ck_assert(!is_kept(cache, forms[1]));
    ck_assert_uint_gt(grammar_shortest(forms[1]->grammar), 0); /* its user still has it */
    grammar_cache_put(cache, forms[3]);
    grammar_cache_count(cache, &stats);
    ck_assert_uint_eq(stats.entries, 3);
    ck_assert_uint_eq(stats.bytes,
                      form_bytes(forms[0]) + form_bytes(forms[2]) + form_bytes(forms[3]));
    ck_assert_uint_eq(stats.hits, 4);
    ck_assert_uint_eq(stats.misses, 1);
    for (int i = 0; i < 4; i++) grammar_cache_release(cache, forms[i]);
    grammar_cache_free(cache);
}
END_TEST

START_TEST(number_of_entries_is_bounded) {
    struct grammar_cache *cache = grammar_cache_new(SIZE_MAX / 2);
    struct grammar_cache_stats stats;
    for (int i = 0; i < GRAMMAR_CACHE_ENTRIES + 9; i++) {
        struct form *form = form_number(i + 1);
        grammar_cache_put(cache, form);
        grammar_cache_release(cache, form);
    }
    grammar_cache_count(cache, &stats);
    ck_assert_uint_eq(stats.entries, GRAMMAR_CACHE_ENTRIES);
    grammar_cache_free(cache);
}
END_TEST

/* What grows past the budget while it is used goes when it is let go of, and takes nobody along. */
START_TEST(growth_counts) {
    struct form *small = form_number(1), *grown = form_number(2);
    struct error error = {0};
    struct engine *engine = open_engine(0);
    struct grammar_cache *cache = grammar_cache_new(form_bytes(small) * 5 / 2);
    size_t before = form_bytes(grown);
    grammar_cache_put(cache, small);
    grammar_cache_put(cache, grown);
    struct matcher *matcher = matcher_new(grown->grammar, engine->trie, &error);
    for (int i = 0; i < 30; i++) {
        uint64_t bits[16];
        matcher_mask(matcher, bits);
        ck_assert(matcher_accept(matcher, "[", 1));
    }
    matcher_free(matcher);
    ck_assert_uint_gt(form_bytes(grown), before + 1000);
    if (form_bytes(grown) <= form_bytes(small) * 5 / 2) {
        grammar_cache_release(cache, form_ref(grown));
        ck_assert(is_kept(cache, grown)); /* both do not fit any more: the other one went */
        ck_assert(form_bytes(small) + form_bytes(grown) <= form_bytes(small) * 5 / 2 ||
                  !is_kept(cache, small));
    } else {
        grammar_cache_release(cache, form_ref(grown));
        ck_assert(!is_kept(cache, grown));
        ck_assert(is_kept(cache, small));
    }
    grammar_cache_release(cache, small);
    grammar_cache_release(cache, grown);
    grammar_cache_free(cache);
    engine_free(engine);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { TELLING = false }; /* their allocators don't tell */
#else
enum { TELLING = true };
#endif

/* What is counted is what the allocator gave. */
START_TEST(bytes_are_all_there_are) {
    struct request request;
    struct error error = {0};
    struct engine *engine = open_engine(0);
    make_request(&request, (unsigned)_i, 0);
    request.spec.tools = request.tools;
    struct form_key key = key_of(&request.spec);
    size_t before = mallinfo2().uordblks;
    struct form *form = form_new(&key, &request.spec, &engine->chat, &error);
    ck_assert(form != NULL);
    size_t held = mallinfo2().uordblks + malloc_usable_size(key.bytes) - before;
    size_t counted = form_bytes(form);
    if (TELLING) {
        ck_assert_uint_ge(counted, held * 9 / 10);
        ck_assert_uint_le(counted, held * 11 / 10);
    }
    form_unref(form);
    engine_free(engine);
}
END_TEST

/* The allocator counts what it keeps at hand for small requests as in use: it is told not to. */
static void without_caches(char **argv) {
    if (!TELLING || getenv("GLIBC_TUNABLES")) return;
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
    (void)argc;
    without_caches(argv);
    Suite *suite = suite_create("grammar_cache");
    TCase *cache = tcase_create("cache"), *answers = tcase_create("answers");
    tcase_add_test(cache, all_that_decides_is_the_key);
    tcase_add_test(cache, kinds_differ);
    tcase_add_test(cache, bytes_decide);
    tcase_add_test(cache, least_recently_used_goes);
    tcase_add_test(cache, number_of_entries_is_bounded);
    suite_add_tcase(suite, cache);
    tcase_add_unchecked_fixture(answers, make_model, remove_model);
    tcase_set_timeout(answers, 120);
    tcase_add_test(answers, warm_is_cold);
    tcase_add_loop_test(answers, threads_share, 0, 2);
    tcase_add_test(answers, growth_counts);
    tcase_add_loop_test(answers, bytes_are_all_there_are, 0, N_FORMS);
    suite_add_tcase(suite, answers);
    return run_suite(suite);
}
