/* engine: a mapped model that answers generations.
 *
 * The one public header of engine/ for the daemon and the tools. Three kinds of
 * thread meet here:
 *   any thread   functions marked [any]: they read immutable state only
 *   prep         generation_new, engine_render, engine_count: slow (grammar, template, tokens) but
 *                free of the model's mutable state, so [any] thread may run them
 *   engine       functions marked [engine]: one thread at a time owns KV, scheduler and pool
 * Nothing here blocks on a descriptor. Errors carry the wire contract's codes.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/generation.h"
#include "base/verdict.h"

struct engine;
struct generation;

enum { ENGINE_NO_DRAFTS = 0x7fffffff };
struct engine_settings { /* zero-initialise; 0 means the default */
    const char *model_path;
    const char *alias;      /* default: the file's stem */
    unsigned threads;       /* default: online CPUs, at most 16 */
    uint32_t n_ctx;         /* default: what the model was trained for, within the KV budget */
    uint64_t kv_bytes;      /* budget of the KV pool; default: 512 MiB or two contexts, at most a
                               quarter of physical memory; never less than 64 positions */
    uint64_t grammar_bytes; /* budget of the compiled grammars kept; default: 16 MiB */
    unsigned max_active;    /* generations decoded together; default 16 */
    unsigned batch_rows;    /* rows per forward pass; default 512 */
    unsigned draft_max;     /* tokens drafted per forward pass; default 12; ENGINE_NO_DRAFTS: none */
    int isa;                /* allowed ISAs (kernels.h); 0: all */
    const char *isa_name;   /* or by name: "scalar", "avx2", "avx512" */
    const char *cache_dir;  /* where computed KV outlives the engine; NULL: nowhere */
    uint64_t cache_bytes;   /* budget there; default 1 GiB */
    void (*wake)(void *user); /* called on another thread: engine_step has something to do again. Without
                                 it, engine_step itself waits for the disk */
    void *wake_user;
};

struct engine_info { /* borrowed from the engine, immutable */
    const char *alias, *architecture, *quantization, *isa, *kv_type;
    char path_hash[33]; /* hex of a hash of the path: a client never learns the path itself */
    uint64_t parameters, file_bytes;
    uint32_t n_ctx, n_vocab;
    unsigned threads;
    const char *cache_problem; /* why cache_dir isn't used; NULL: it is, or none was given */
};

/* Maps, checks and prepares a model. NULL and ERROR_MODEL_NOT_READY when it can't be used, naming
 * what is unsupported. */
struct engine *engine_new(const struct engine_settings *settings, struct error *error);
void engine_free(struct engine *engine); /* every generation must be freed before */
const struct engine_info *engine_info(const struct engine *engine); /* [any] */

/* What a generation tells its owner; called on the engine thread, from engine_submit or engine_step.
 * Unset ones are not called. After `done` the engine no longer touches the generation. */
struct generation_events {
    void (*chunk)(void *user, const struct generation_chunk *chunk);          /* spec.stream */
    void (*progress)(void *user, const struct generation_progress *progress); /* spec.progress */
    void (*done)(void *user);                                                 /* always, once */
};

/* Compiles tools or format into a grammar, renders and tokenises the prompt, clamps max_tokens. [any]
 * spec must outlive the generation. Errors: -32602 (data path), 1003, 1004, 1013, 1007. */
struct generation *generation_new(const struct engine *engine, const struct generation_spec *spec,
                                  const struct generation_events *events, void *user,
                                  struct error *error);
void generation_free(struct generation *generation); /* [any], before submit or after done */

enum cancel_reason { CANCEL_NONE, CANCEL_CLIENT, CANCEL_DISCONNECT, CANCEL_ADMIN };
/* Asks for an early end: `done` follows within a step, with error code ERROR_CANCELLED and reason
 * "client", "disconnect" or "admin". No effect once done. [any] */
void generation_cancel(struct generation *generation, enum cancel_reason reason);

/* After done: true and *result (what was produced so far is there in the false case too, for
 * data.partial), or false and *error: ERROR_CANCELLED, ERROR_DEADLINE (result->phase), ERROR_OUTPUT_INVALID,
 * ERROR_OUT_OF_MEMORY. */
bool generation_result(const struct generation *generation, const struct generation_result **result,
                       struct error *error);
uint64_t generation_prompt_tokens(const struct generation *generation); /* [any] */

/* Hands a prepared generation to the scheduler. [engine] */
void engine_submit(struct engine *engine, struct generation *generation);
/* One forward pass for whatever is active, and the events that follow from it. False when nothing is
 * left to do (the caller then sleeps until the next submit, or wake). [engine] */
bool engine_step(struct engine *engine);

/* Gauges for stats; torn reads across members are possible. [any] */
struct engine_stats {
    uint64_t active, queued;          /* generations */
    uint64_t prompt_tokens, cached_tokens, completion_tokens, forced_tokens, steps; /* totals */
    uint64_t generations;             /* finished, in all */
    uint64_t kv_blocks_total, kv_blocks_used, kv_bytes_used;
    uint64_t cache_entries, cache_hits, cache_misses, cache_evictions;
    uint64_t grammar_entries, grammar_bytes, grammar_hits, grammar_misses;
    uint64_t disk_bytes;              /* of cache_dir, as last seen */
    uint64_t disk_read_blocks, disk_written_blocks, disk_rejected_blocks, disk_failed_writes; /* totals */
    int64_t last_token_ns;            /* CLOCK_MONOTONIC of the last token, 0: none yet */
};
void engine_stats(const struct engine *engine, struct engine_stats *stats);

/* Text and tokens. [any] */
bool engine_tokenize(const struct engine *engine, struct text text, bool add_special,
                     bool parse_special, uint32_t **tokens, size_t *n, struct error *error); /* free(*tokens) */
/* Bytes of the tokens' text, invalid UTF-8 replaced by U+FFFD. ERROR_INVALID_PARAMS with the path "tokens[i]" for
 * an id out of range. */
bool engine_detokenize(const struct engine *engine, struct buf *out, const uint32_t *tokens, size_t n,
                       struct error *error);
/* The prompt text of messages and tools; the number of its tokens. */
bool engine_render(const struct engine *engine, struct buf *out, const struct generation_spec *spec,
                   struct error *error);
bool engine_count(const struct engine *engine, uint64_t *tokens, const struct generation_spec *spec,
                  struct error *error);

/* Longer or deeper schemas are refused with 1004. */
enum { ENGINE_SCHEMA_BYTES = 256 * 1024, ENGINE_SCHEMA_DEPTH = 32 };
/* What can be done with a schema, or with these tools, whose arguments are closed as in a tool call; the
 * instance is then the text of a call {"name": .., "arguments": ..}. False: -32602 for a malformed
 * schema, 1007. free(verdict->unsupported) either way. [any] */
bool engine_check_schema(const struct engine *engine, struct schema_verdict *verdict,
                         const struct schema_question *question, struct error *error);

/* --- for benchmarks and evaluation: raw sequences, [engine] --- */
struct sequence;
struct sequence *engine_sequence_new(struct engine *engine, struct error *error);
void engine_sequence_free(struct engine *engine, struct sequence *sequence);
/* Appends n tokens. logits: NULL, or room for n_logits rows of n_vocab floats, which receive the last n_logits
 * positions (n_logits <= n). */
bool engine_sequence_extend(struct engine *engine, struct sequence *sequence, const uint32_t *tokens,
                            size_t n, float *logits, size_t n_logits, struct error *error);

#endif
