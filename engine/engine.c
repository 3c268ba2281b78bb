#include "engine/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "engine/generation.h"
#include "engine/hash.h"
#include "engine/tokenizer.h"

enum { MAX_THREADS = 64, DEFAULT_ACTIVE = 16, DEFAULT_ROWS = 512, LEAST_POSITIONS = 64, DEFAULT_GRAMMARS = 16 << 20 };
static const uint64_t DEFAULT_CACHE_BYTES = 1ull << 30;
static const uint64_t LOGITS_BYTES = 256 << 20; /* of a pass: of what is reserved only what is used takes memory */
static const int64_t CLOSING_NS = 2000000000; /* for what is not yet on disk */

/* ---- opening ------------------------------------------------------------------------------ */

/* Half a GiB, or two whole contexts if that is more; but at most a quarter of the machine's memory. */
static uint64_t default_kv_bytes(const struct model *model) {
    uint64_t quarter = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4;
    uint64_t contexts = kv_block_bytes(model) * (model->n_ctx_train / KV_TILE + 2) * 2;
    uint64_t wanted = contexts > 512ull << 20 ? contexts : 512ull << 20;
    return wanted < quarter ? wanted : quarter;
}

/* The file's stem: "/a/b/name.gguf" -> "name". */
static char *default_alias(const char *path) {
    const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path;
    size_t len = strlen(stem);
    if (len > 5 && strcmp(stem + len - 5, ".gguf") == 0) len -= 5;
    return strndup(stem, len);
}

static bool pick_kernels(struct engine *engine, const struct engine_settings *settings, struct error *error) {
    int allowed = settings->isa ? settings->isa : ISA_ALL;
    const char *name = settings->isa_name;
    if (name && strcmp(name, "scalar") == 0) allowed = 0;
    else if (name && strcmp(name, "avx2") == 0) allowed = ISA_AVX2;
    else if (name && strcmp(name, "avx512") == 0) allowed = ISA_AVX2 | ISA_AVX512;
    else if (name) return error_set(error, ERROR_MODEL_NOT_READY, "unknown instruction set \"%.32s\"", name);
    engine->kernels = kernels_get(allowed);
    return !name || strcmp(engine->kernels->isa, name) == 0 ||
           error_set(error, ERROR_MODEL_NOT_READY, "this processor does not run \"%s\"", name);
}

/* Tokens that free text may hold: what adds text, and the ends. */
static bool make_free_mask(struct engine *engine, struct error *error) {
    uint32_t n = vocab_size(engine->vocab);
    engine->free_mask = calloc((n + 63) / 64, sizeof *engine->free_mask);
    engine->mask = calloc((n + 63) / 64, sizeof *engine->mask);
    engine->end_tokens = calloc(n, sizeof *engine->end_tokens);
    if (!engine->free_mask || !engine->mask || !engine->end_tokens)
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for token masks");
    for (uint32_t i = 0; i < n; i++) {
        enum token_kind kind = vocab_kind(engine->vocab, i);
        uint32_t len;
        vocab_bytes(engine->vocab, i, &len);
        bool text = len && kind != TOKEN_CONTROL && kind != TOKEN_UNKNOWN && kind != TOKEN_UNUSED;
        bool end = vocab_is_end(engine->vocab, i);
        if (text || end) engine->free_mask[i / 64] |= 1ull << i % 64;
        if (end) engine->end_tokens[engine->n_end_tokens++] = i;
    }
    uint32_t *fitted = realloc(engine->end_tokens, (engine->n_end_tokens + 1) * sizeof *fitted);
    if (fitted) engine->end_tokens = fitted;
    return true;
}

/* The context: what was asked for or trained, within the KV budget. */
static void set_context(struct engine *engine, const struct engine_settings *settings) {
    uint64_t budget = settings->kv_bytes ? settings->kv_bytes : default_kv_bytes(engine->model);
    uint64_t least = kv_block_bytes(engine->model) * (LEAST_POSITIONS / KV_TILE + 2);
    kv_init(&engine->kv, engine->model, budget > least ? budget : least);
    uint64_t room = (uint64_t)(engine->kv.max_blocks - 2) * KV_TILE; /* one for a copied part, one for the seam */
    uint64_t wanted = settings->n_ctx ? settings->n_ctx : engine->model->n_ctx_train;
    if (wanted > engine->model->n_ctx_train) wanted = engine->model->n_ctx_train;
    engine->info.n_ctx = (uint32_t)(wanted < room ? wanted : room);
}

static void fill_info(struct engine *engine, const struct engine_settings *settings) {
    struct engine_info *info = &engine->info;
    uint64_t hash = hash_bytes(7, settings->model_path, strlen(settings->model_path));
    snprintf(info->path_hash, sizeof info->path_hash, "%016" PRIx64 "%016" PRIx64, hash, hash_mix(hash, 1));
    info->alias = engine->alias;
    info->architecture = engine->model->architecture;
    info->quantization = engine->model->quantization;
    info->isa = engine->kernels->isa;
    info->kv_type = "f16";
    info->parameters = engine->model->n_parameters;
    info->file_bytes = gguf_file_size(engine->gguf);
    info->n_vocab = vocab_size(engine->vocab);
    info->threads = pool_threads(engine->pool);
}

static bool open_model(struct engine *engine, const struct engine_settings *settings, struct error *error) {
    engine->alias = settings->alias ? strdup(settings->alias) : default_alias(settings->model_path);
    if (!engine->alias) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the model");
    return (engine->gguf = gguf_open(settings->model_path, error)) &&
           (engine->vocab = vocab_new(engine->gguf, error)) &&
           (engine->model = model_load(engine->gguf, vocab_size(engine->vocab), error)) &&
           (engine->trie = trie_new(engine->vocab, error)) && make_free_mask(engine, error);
}

static unsigned thread_count(const struct engine_settings *settings) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = settings->threads ? settings->threads : online > 16 ? 16 : (unsigned)(online > 0 ? online : 1);
    return threads < MAX_THREADS ? threads : MAX_THREADS;
}

/* Each that is active has room for its last row and a whole draft, unless that were too much. */
static void set_drafts(struct engine *engine, const struct engine_settings *settings) {
    uint32_t most = settings->draft_max ? settings->draft_max : DRAFT_DEFAULT;
    if (settings->draft_max == ENGINE_NO_DRAFTS) most = 0;
    engine->draft_max = most < DRAFT_MOST ? most : DRAFT_MOST;
    uint64_t least = 2 * engine->max_active + engine->draft_max;
    uint64_t rows = (uint64_t)engine->max_active * (1 + engine->draft_max);
    uint64_t fit = LOGITS_BYTES / (vocab_size(engine->vocab) * sizeof(float));
    if (rows > fit) rows = fit;
    engine->max_logits = (uint32_t)(rows > least ? rows : least);
    if (engine->batch_rows < least) engine->batch_rows = (uint32_t)least;
}

static bool open_runtime(struct engine *engine, const struct engine_settings *settings, struct error *error) {
    engine->max_active = settings->max_active ? settings->max_active : DEFAULT_ACTIVE;
    engine->batch_rows = settings->batch_rows ? settings->batch_rows : DEFAULT_ROWS;
    set_drafts(engine, settings);
    set_context(engine, settings);
    engine->rows = calloc(engine->batch_rows, sizeof *engine->rows);
    engine->prefix = prefix_new(&engine->kv, engine->model->fingerprint);
    engine->grammars = grammar_cache_new(settings->grammar_bytes ? settings->grammar_bytes : DEFAULT_GRAMMARS);
    if (!engine->rows || !engine->prefix || !engine->grammars)
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the scheduler");
    engine->pool = pool_new(thread_count(settings), error);
    if (!engine->pool) return false;
    engine->forward = forward_new(engine->model, engine->kernels, &engine->kv, engine->pool,
                                  engine->batch_rows, error);
    atomic_store(&engine->counters.blocks_total, engine->kv.max_blocks);
    return engine->forward != NULL;
}

/* The engine works without, too. */
static void open_disk(struct engine *engine, const struct engine_settings *settings) {
    struct error error = {0};
    struct disk_settings disk = {
        .dir = settings->cache_dir,
        .budget_bytes = settings->cache_bytes ? settings->cache_bytes : DEFAULT_CACHE_BYTES,
        .wake = settings->wake,
        .user = settings->wake_user,
    };
    engine->has_wake = settings->wake != NULL;
    if (!settings->cache_dir) return;
    engine->disk = disk_open(&disk, engine->model, &engine->kv, engine->prefix, &error);
    if (engine->disk) return;
    snprintf(engine->cache_problem, sizeof engine->cache_problem, "%s", error.message);
    engine->info.cache_problem = engine->cache_problem;
}

struct engine *engine_new(const struct engine_settings *settings, struct error *error) {
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the engine");
        return NULL;
    }
    if (!pick_kernels(engine, settings, error) || !open_model(engine, settings, error) ||
        !open_runtime(engine, settings, error)) {
        engine_free(engine);
        return NULL;
    }
    chat_init(&engine->chat, engine->gguf, engine->vocab);
    open_disk(engine, settings);
    fill_info(engine, settings);
    return engine;
}

void engine_free(struct engine *engine) {
    if (!engine) return;
    disk_finish(engine->disk, CLOSING_NS);
    forward_free(engine->forward);
    pool_free(engine->pool);
    prefix_free(engine->prefix);
    disk_close(engine->disk);
    grammar_cache_free(engine->grammars);
    if (engine->model) kv_deinit(&engine->kv);
    model_free(engine->model);
    trie_free(engine->trie);
    vocab_free(engine->vocab);
    gguf_close(engine->gguf);
    free(engine->logits);
    free(engine->chosen);
    free(engine->rows);
    free(engine->free_mask);
    free(engine->mask);
    free(engine->end_tokens);
    free(engine->alias);
    free(engine);
}

const struct engine_info *engine_info(const struct engine *engine) {
    return &engine->info;
}

void engine_stats(const struct engine *engine, struct engine_stats *stats) {
    const struct counters *c = &engine->counters;
    struct grammar_cache_stats grammars;
    grammar_cache_count(engine->grammars, &grammars);
    *stats = (struct engine_stats){
        .active = atomic_load(&c->active),
        .queued = atomic_load(&c->queued),
        .prompt_tokens = atomic_load(&c->prompt_tokens),
        .cached_tokens = atomic_load(&c->cached_tokens),
        .completion_tokens = atomic_load(&c->completion_tokens),
        .forced_tokens = atomic_load(&c->forced_tokens),
        .steps = atomic_load(&c->steps),
        .generations = atomic_load(&c->generations),
        .kv_blocks_total = atomic_load(&c->blocks_total),
        .kv_blocks_used = atomic_load(&c->blocks_used),
        .kv_bytes_used = atomic_load(&c->blocks_used) * kv_block_bytes(engine->model),
        .cache_entries = atomic_load(&c->entries),
        .cache_hits = atomic_load(&c->hits),
        .cache_misses = atomic_load(&c->misses),
        .cache_evictions = atomic_load(&c->evictions),
        .grammar_entries = grammars.entries,
        .grammar_bytes = grammars.bytes,
        .grammar_hits = grammars.hits,
        .grammar_misses = grammars.misses,
        .disk_bytes = atomic_load(&c->disk_bytes),
        .disk_read_blocks = atomic_load(&c->disk_read),
        .disk_written_blocks = atomic_load(&c->disk_written),
        .disk_rejected_blocks = atomic_load(&c->disk_rejected),
        .disk_failed_writes = atomic_load(&c->disk_failed),
        .last_token_ns = atomic_load(&c->last_token_ns),
    };
}

/* ---- text and tokens ------------------------------------------------------------------------ */

bool engine_tokenize(const struct engine *engine, struct text text, bool add_special, bool parse_special,
                     uint32_t **tokens, size_t *n, struct error *error) {
    struct tokens out = {0};
    unsigned flags = (add_special ? TOKENIZE_ADD_SPECIAL : 0) | (parse_special ? TOKENIZE_PARSE_SPECIAL : 0);
    if (!tokenize(engine->vocab, &out, text.bytes, text.len, flags, error)) {
        tokens_free(&out);
        return false;
    }
    *tokens = out.ids;
    *n = out.len;
    return true;
}

/* Appends bytes with what is not UTF-8 replaced by U+FFFD. */
static void add_clean(struct buf *out, const char *bytes, size_t n) {
    for (size_t at = 0; at < n;) {
        size_t good = utf8_valid_prefix(bytes + at, n - at);
        buf_add(out, bytes + at, good);
        at += good;
        if (at >= n) break;
        buf_add_str(out, "\xEF\xBF\xBD");
        at++;
    }
}

bool engine_detokenize(const struct engine *engine, struct buf *out, const uint32_t *tokens, size_t n,
                       struct error *error) {
    struct buf raw = {0};
    char path[48];
    for (size_t i = 0; i < n; i++) {
        uint32_t len;
        if (tokens[i] >= engine->info.n_vocab) {
            buf_free(&raw);
            snprintf(path, sizeof path, "tokens[%zu]", i);
            return error_at(error, ERROR_INVALID_PARAMS, path, "token id is outside the vocabulary");
        }
        const char *bytes = vocab_bytes(engine->vocab, tokens[i], &len);
        buf_add(&raw, bytes, len);
    }
    add_clean(out, raw.bytes, raw.len);
    bool ok = !raw.failed && !out->failed;
    buf_free(&raw);
    return ok || error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the text");
}

/* ---- raw sequences ---------------------------------------------------------------------------- */

struct sequence *engine_sequence_new(struct engine *engine, struct error *error) {
    (void)engine;
    struct sequence *sequence = calloc(1, sizeof *sequence);
    if (!sequence) error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a sequence");
    return sequence;
}

void engine_sequence_free(struct engine *engine, struct sequence *sequence) {
    if (!sequence) return;
    sequence_clear(&engine->kv, sequence);
    free(sequence);
}

static struct kv_block *take_block(void *user) {
    return prefix_take(user);
}

bool engine_sequence_extend(struct engine *engine, struct sequence *sequence, const uint32_t *tokens,
                            size_t n, float *logits, size_t n_logits, struct error *error) {
    if (n > engine->info.n_ctx - sequence->n_tokens || n_logits > n)
        return error_set(error, ERROR_CONTEXT_LENGTH, "the sequence is longer than the maximum context length");
    for (size_t i = 0; i < n; i++)
        if (tokens[i] >= engine->info.n_vocab)
            return error_set(error, ERROR_INVALID_PARAMS, "token id is outside the vocabulary");
    for (size_t at = 0, count; at < n; at += count) {
        count = n - at < engine->batch_rows ? n - at : engine->batch_rows;
        uint32_t from = sequence->n_tokens;
        if (!sequence_reserve(sequence, from + (uint32_t)count, take_block, engine->prefix))
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory left for the KV cache");
        for (size_t i = 0; i < count; i++) {
            size_t from_end = n - (at + i); /* 1: the last token */
            float *wanted = from_end <= n_logits ? logits + (n_logits - from_end) * engine->info.n_vocab : NULL;
            engine->rows[i] = (struct row){.sequence = sequence, .position = from + (uint32_t)i,
                                           .token = tokens[at + i], .logits = wanted};
        }
        if (!forward_run(engine->forward, engine->rows, (uint32_t)count, error)) return false;
    }
    return true;
}
