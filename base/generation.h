/* generation: what a request asks of the engine and what comes back, as plain data.
 *
 * The one vocabulary that proto/ (which reads and writes it as JSON) and engine/
 * (which computes it) share. A spec borrows everything it points to from its
 * maker and must outlive the generation made from it; a result belongs to its
 * generation. No member here knows JSON-RPC or a descriptor.
 */
#ifndef BASE_GENERATION_H
#define BASE_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text { /* not NUL-terminated; bytes NULL means absent */
    const char *bytes;
    size_t len;
};

enum message_role { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL };

struct message_part {
    struct text text;
    bool stable; /* cache_control: ephemeral */
};

struct message_call { /* a call echoed in the history */
    struct text id, name;
    struct text arguments; /* JSON object text */
};

struct message {
    enum message_role role;
    const struct message_part *parts; /* content; none: null */
    size_t n_parts;
    struct text name, tool_call_id;
    const struct message_call *calls;
    size_t n_calls;
};

struct tool {
    struct text name, description;
    struct text schema; /* JSON text as received; absent: no properties */
};

enum tool_choice { CHOICE_REQUIRED, CHOICE_AUTO, CHOICE_NONE, CHOICE_NAMED };
enum response_format { FORMAT_TEXT, FORMAT_JSON_OBJECT, FORMAT_JSON_SCHEMA, FORMAT_REGEX, FORMAT_GBNF };
enum json_style { STYLE_DEFAULT, STYLE_SPACED, STYLE_COMPACT };

struct logit_bias {
    uint32_t token;
    float bias;
};

struct sampling { /* ranges as protocol.md says, already checked */
    float temperature; /* 0: greedy */
    uint32_t top_k;    /* 0: off */
    float top_p, typical_p, min_p;
    float repeat_penalty, presence_penalty, frequency_penalty;
    uint64_t seed; /* 0..2^53; drawn by the maker of the spec when the client gave none */
    const struct logit_bias *bias;
    size_t n_bias;
    unsigned logprobs; /* alternatives per token; see want_logprobs */
    bool want_logprobs;
};

enum prompt_source { PROMPT_MESSAGES, PROMPT_TEXT, PROMPT_TOKENS };

struct generation_spec {
    enum prompt_source source;
    /* PROMPT_MESSAGES */
    const struct message *messages;
    size_t n_messages;
    const struct tool *tools;
    size_t n_tools;
    enum tool_choice choice; /* without tools: CHOICE_NONE */
    struct text choice_name; /* CHOICE_NAMED */
    unsigned max_calls;      /* 1..16 */
    int64_t now;             /* seconds since 1970 */
    /* PROMPT_TEXT, PROMPT_TOKENS */
    struct text text;
    const uint32_t *tokens;
    size_t n_tokens;
    bool add_special, echo;
    /* output */
    enum response_format format;
    struct text format_schema; /* FORMAT_JSON_SCHEMA: JSON text; FORMAT_REGEX, FORMAT_GBNF: as given */
    bool widen; /* on_unsupported: drop keywords that can't be honoured, and warn */
    enum json_style style;
    uint64_t max_tokens; /* 0: the default */
    const struct text *stop;
    size_t n_stop;
    struct sampling sampling;
    int64_t deadline_ns; /* CLOCK_MONOTONIC, 0: none */
    bool stream, progress;
    bool batch_priority;
    bool cache_store, cache_pin;
    uint32_t cache_owner; /* the peer's uid: prefixes are shared within one owner only */
    uint64_t fair_group;  /* the connection: groups take turns, whatever each has queued */
};

enum finish_reason { FINISH_STOP, FINISH_TOOL_CALLS, FINISH_LENGTH, FINISH_INVALID };

/* A keyword that was dropped because it can't be honoured. */
struct result_warning {
    char path[512], keyword[64], reason[160];
    bool judged; /* what came out was still held against it */
};

struct result_call {
    struct text name, arguments; /* the bytes generated and validated */
};

struct result_logprob {
    uint32_t token;
    float logprob;
};

struct token_logprobs { /* of one output token */
    uint32_t token;
    float logprob;
    const struct result_logprob *top;
    size_t n_top;
};

struct generation_result {
    struct result_call *calls;
    size_t n_calls;
    struct text content; /* bytes NULL: null */
    enum finish_reason finish;
    uint64_t prompt_tokens, cached_tokens, completion_tokens, forced_tokens;
    uint64_t drafted_tokens, accepted_tokens, steps;
    double queue_ms, prefill_ms, decode_ms, total_ms;
    char cache_key[33]; /* hex */
    bool cache_hit;     /* source "ram", else "none" ... */
    bool cache_disk;    /* ... but "disk" where some of it was read from there for this request */
    uint64_t seed;
    int64_t now;   /* the clock the template saw */
    bool has_now;  /* a template was rendered */
    const struct token_logprobs *logprobs;
    size_t n_logprobs;
    const struct result_warning *warnings; /* on_unsupported "widen" */
    size_t n_warnings;
    const char *phase; /* where it was when it ended early: "queued", "prefill", "decode" */
};

/* One piece of a streamed generation. Borrowed for the call it is passed to. */
struct generation_chunk {
    uint64_t seq;     /* 0, 1, ... */
    struct text text; /* whole UTF-8 characters */
    const uint32_t *tokens;
    size_t n_tokens;
    const struct token_logprobs *logprobs; /* n_tokens of them, or NULL */
};

struct generation_progress {
    const char *phase; /* "queued", "prefill", "decode" */
    uint64_t done, total;
    uint64_t queue_position; /* phase "queued" */
};

#endif
