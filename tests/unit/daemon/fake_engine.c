/* fake_engine: engine.h without a model, for tests of the daemon.
 *
 * Deterministic and scriptable. The prompt (its last text) holds words NAME=NUMBER:
 *   tokens=N      tokens to generate (default 4; max_tokens limits them); the text is "t0 t1 t2
 * ..." us=N          microseconds a token takes (default 0) prefill_us=N  microseconds of prefill
 * (default 0) prep_ms=N     milliseconds generation_new takes (default 0) fail=CODE generation_new
 * fails with this error code pad=N         each token's text has N more bytes count=N       prompt
 * tokens (default: words) FAKE_LOAD_MS and FAKE_LOAD_FAIL in the environment do what they say to
 * engine_new. At most max_active generations (default 4) run at a time; each step gives each of
 * them one token.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"

enum { MAX_ACTIVE = 4, N_CTX = 8192 };

struct generation {
    struct generation *next;
    const struct generation_spec *spec;
    struct generation_events events;
    void *user;
    uint64_t n_prompt, n_wanted, n_done, token_us, prefill_us, pad;
    bool begun;
    int64_t next_ns, submitted_ns, begun_ns, told_ns;
    struct buf text;
    atomic_int cancelled;
    struct generation_result result;
    struct result_call call;
    struct error error;
    uint32_t *tokens;
};

struct engine {
    struct engine_info info;
    char alias[64];
    struct generation *first;
    _Atomic uint64_t n_active, n_queued, n_finished, n_tokens;
    _Atomic int64_t last_token_ns;
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct text fake_script(const struct generation_spec *spec) {
    if (spec->source != PROMPT_MESSAGES) return spec->text;
    if (spec->n_messages == 0) return (struct text){0};
    const struct message *last = &spec->messages[spec->n_messages - 1];
    return last->n_parts ? last->parts[last->n_parts - 1].text : (struct text){0};
}

static uint64_t fake_number(struct text text, const char *name, uint64_t otherwise) {
    size_t n = strlen(name);
    for (size_t i = 0; i + n < text.len && i < 4096; i++) {
        if (memcmp(text.bytes + i, name, n) != 0 || text.bytes[i + n] != '=') continue;
        uint64_t value = 0;
        for (i += n + 1; i < text.len && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++)
            value = value * 10 + (uint64_t)(text.bytes[i] - '0');
        return value;
    }
    return otherwise;
}

static uint64_t fake_words(struct text text) {
    uint64_t n = 0;
    for (size_t i = 0; i < text.len; i++) n += i == 0 || text.bytes[i - 1] == ' ';
    return n;
}

struct engine *engine_new(const struct engine_settings *settings, struct error *error) {
    const char *load_ms = getenv("FAKE_LOAD_MS");
    if (load_ms) usleep((useconds_t)atoi(load_ms) * 1000);
    if (getenv("FAKE_LOAD_FAIL")) {
        error_set(error, ERROR_MODEL_NOT_READY, "not a GGUF file");
        return NULL;
    }
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) return NULL;
    snprintf(engine->alias, sizeof engine->alias, "%s", settings->alias ? settings->alias : "fake");
    engine->info = (struct engine_info){.alias = engine->alias,
                                        .architecture = "fake",
                                        .quantization = "F32",
                                        .isa = "scalar",
                                        .kv_type = "f16",
                                        .path_hash = "00",
                                        .parameters = 1,
                                        .file_bytes = 1,
                                        .n_ctx = N_CTX,
                                        .n_vocab = 256,
                                        .threads = 1};
    return engine;
}

void engine_free(struct engine *engine) {
    free(engine);
}

const struct engine_info *engine_info(const struct engine *engine) {
    return &engine->info;
}

struct generation *generation_new(const struct engine *engine, const struct generation_spec *spec,
                                  const struct generation_events *events, void *user,
                                  struct error *error) {
    (void)engine;
    struct text script = fake_script(spec);
    uint64_t fail = fake_number(script, "fail", 0);
    usleep((useconds_t)fake_number(script, "prep_ms", 0) * 1000);
    if (fail) {
        error->numbers[0] = 9999;
        error_set(error, (enum error_code)fail, "as asked for");
        return NULL;
    }
    struct generation *generation = calloc(1, sizeof *generation);
    if (!generation) return NULL;
    generation->spec = spec;
    generation->events = *events;
    generation->user = user;
    generation->n_prompt = fake_number(script, "count", fake_words(script));
    generation->n_wanted = fake_number(script, "tokens", 4);
    if (spec->max_tokens && spec->max_tokens < generation->n_wanted)
        generation->n_wanted = spec->max_tokens;
    generation->token_us = fake_number(script, "us", 0);
    generation->prefill_us = fake_number(script, "prefill_us", 0);
    generation->pad = fake_number(script, "pad", 0);
    return generation;
}

void generation_free(struct generation *generation) {
    buf_free(&generation->text);
    free(generation->tokens);
    free(generation);
}

void generation_cancel(struct generation *generation, enum cancel_reason reason) {
    int none = CANCEL_NONE;
    atomic_compare_exchange_strong(&generation->cancelled, &none, (int)reason);
}

uint64_t generation_prompt_tokens(const struct generation *generation) {
    return generation->n_prompt;
}

bool generation_result(const struct generation *generation, const struct generation_result **result,
                       struct error *error) {
    *result = &generation->result;
    if (generation->error.code != ERROR_NONE) *error = generation->error;
    return generation->error.code == ERROR_NONE;
}

void engine_submit(struct engine *engine, struct generation *generation) {
    struct generation **end = &engine->first;
    while (*end) end = &(*end)->next;
    *end = generation;
    generation->submitted_ns = now_ns();
    engine->n_queued++;
}

/* ---- steps ---- */

static void fake_fill(struct generation *generation) {
    struct generation_result *result = &generation->result;
    const struct generation_spec *spec = generation->spec;
    int64_t now = now_ns();
    result->phase = !generation->begun ? "queued" : generation->n_done ? "decode" : "prefill";
    result->prompt_tokens = generation->n_prompt;
    result->completion_tokens = result->steps = generation->n_done;
    result->seed = spec->sampling.seed;
    result->now = spec->now;
    result->has_now = spec->source == PROMPT_MESSAGES;
    result->total_ms = (double)(now - generation->submitted_ns) / 1e6;
    if (generation->begun) result->decode_ms = (double)(now - generation->begun_ns) / 1e6;
    result->finish = FINISH_STOP;
    result->content =
        (struct text){generation->text.bytes ? generation->text.bytes : "", generation->text.len};
    if (spec->n_tools == 0 || spec->choice == CHOICE_NONE) return;
    generation->call.name = spec->tools[0].name;
    generation->call.arguments = (struct text){"{}", 2};
    result->calls = &generation->call;
    result->n_calls = generation->error.code == ERROR_NONE;
    result->finish = FINISH_TOOL_CALLS;
    result->content = (struct text){0};
}

static bool fake_ended(struct generation *generation) {
    static const char *const reasons[] = {"", "client", "disconnect", "admin"};
    int reason = atomic_load(&generation->cancelled);
    int64_t deadline_ns = generation->spec->deadline_ns;
    if (reason != CANCEL_NONE) {
        snprintf(generation->error.reason, sizeof generation->error.reason, "%s", reasons[reason]);
        return !error_set(&generation->error, ERROR_CANCELLED, "cancelled");
    }
    if (deadline_ns && now_ns() >= deadline_ns)
        return !error_set(&generation->error, ERROR_DEADLINE, "too late");
    return generation->begun && generation->n_done >= generation->n_wanted;
}

static void fake_tell(struct generation *generation, const char *phase) {
    struct generation_progress progress = {phase, generation->n_done, generation->n_wanted, 0};
    if (!generation->spec->progress || now_ns() - generation->told_ns < 1000000000) return;
    generation->told_ns = now_ns();
    generation->events.progress(generation->user, &progress);
}

static void fake_token(struct engine *engine, struct generation *generation) {
    size_t before = generation->text.len;
    uint32_t token = (uint32_t)generation->n_done & 255;
    buf_printf(&generation->text, "%st%llu", generation->n_done ? " " : "",
               (unsigned long long)generation->n_done);
    for (uint64_t i = 0; i < generation->pad; i++) buf_add_char(&generation->text, '.');
    struct generation_chunk chunk = {
        generation->n_done,
        {generation->text.bytes + before, generation->text.len - before},
        &token,
        1,
        NULL};
    generation->n_done++;
    engine->n_tokens++;
    engine->last_token_ns = now_ns();
    if (generation->spec->stream) generation->events.chunk(generation->user, &chunk);
    fake_tell(generation, "decode");
}

/* One token of one generation, if it is time for it. False: it has ended. */
static bool fake_advance(struct engine *engine, struct generation *generation) {
    if (fake_ended(generation)) return false;
    int64_t now = now_ns();
    if (!generation->begun) {
        generation->begun = true;
        generation->begun_ns = now;
        generation->next_ns = now + (int64_t)generation->prefill_us * 1000;
        engine->n_queued--;
        engine->n_active++;
        fake_tell(generation, "prefill");
    }
    if (now < generation->next_ns) return true;
    if (generation->n_done < generation->n_wanted) fake_token(engine, generation);
    generation->next_ns = now + (int64_t)generation->token_us * 1000;
    return !fake_ended(generation);
}

static void fake_finish(struct engine *engine, struct generation *generation) {
    if (generation->begun)
        engine->n_active--;
    else
        engine->n_queued--;
    engine->n_finished++;
    fake_fill(generation);
    generation->events.done(generation->user);
}

bool engine_step(struct engine *engine) {
    struct generation **link = &engine->first;
    for (unsigned n = 0; *link; n++) {
        struct generation *generation = *link;
        bool waits = n >= MAX_ACTIVE && !fake_ended(generation);
        if (waits || fake_advance(engine, generation)) {
            link = &generation->next;
            continue;
        }
        *link = generation->next;
        fake_finish(engine, generation);
    }
    usleep(50);
    return engine->first != NULL;
}

void engine_stats(const struct engine *engine, struct engine_stats *stats) {
    *stats = (struct engine_stats){.active = engine->n_active,
                                   .queued = engine->n_queued,
                                   .generations = engine->n_finished,
                                   .completion_tokens = engine->n_tokens,
                                   .last_token_ns = engine->last_token_ns};
}

/* ---- text: a token is a byte ---- */

bool engine_tokenize(const struct engine *engine, struct text text, bool add_special,
                     bool parse_special, uint32_t **tokens, size_t *n, struct error *error) {
    (void)engine, (void)add_special, (void)parse_special;
    *tokens = malloc((text.len + 1) * sizeof **tokens);
    *n = text.len;
    if (!*tokens) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory");
    for (size_t i = 0; i < text.len; i++) (*tokens)[i] = (unsigned char)text.bytes[i];
    return true;
}

bool engine_detokenize(const struct engine *engine, struct buf *out, const uint32_t *tokens,
                       size_t n, struct error *error) {
    char path[32];
    (void)engine;
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "tokens[%zu]", i);
        if (tokens[i] > 255) return error_at(error, ERROR_INVALID_PARAMS, path, "no such token");
        buf_add_char(out, (char)tokens[i]);
    }
    return true;
}

bool engine_render(const struct engine *engine, struct buf *out, const struct generation_spec *spec,
                   struct error *error) {
    (void)engine, (void)error;
    struct text script = fake_script(spec);
    return buf_add(out, script.bytes ? script.bytes : "", script.len);
}

/* Every schema can be honoured, every text produced; the fake can't read them. */
bool engine_check_schema(const struct engine *engine, struct schema_verdict *verdict,
                         const struct schema_question *question, struct error *error) {
    (void)engine, (void)error;
    bool asked = question->instance.bytes != NULL;
    *verdict = (struct schema_verdict){.asked = asked, .accepts = true};
    return true;
}

bool engine_count(const struct engine *engine, uint64_t *tokens, const struct generation_spec *spec,
                  struct error *error) {
    (void)engine, (void)error;
    *tokens = fake_words(fake_script(spec));
    return true;
}
