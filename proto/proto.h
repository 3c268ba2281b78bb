/* proto: bytes <-> typed messages of protocol 1 (JSON-RPC 2.0 over lines).
 *
 * Pure functions over memory: no descriptors, no threads, no engine. A line
 * becomes an rpc_message: calls with checked, typed params, or the error to answer
 * with. Replies are built as finished lines (ending in '\n').
 */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include "base/buf.h"
#include "base/error.h"
#include "base/generation.h"
#include "base/verdict.h"
#include "proto/span.h"

/* ---- framing ---------------------------------------------------------------- */

/* Splits a byte stream into lines, holding at most max_line bytes of an unfinished one. */
struct frames;
struct frames *frames_new(size_t max_line);
void frames_limit(struct frames *frames, size_t max_line); /* from now on */
void frames_free(struct frames *frames);
enum frame { FRAME_NONE, FRAME_LINE, FRAME_TOO_LONG };
/* Appends bytes read from the peer. False when memory ran out. */
bool frames_feed(struct frames *frames, const char *bytes, size_t n);
/* Next event. FRAME_LINE: *line (borrowed until the next call on frames; without the line end; never
 * empty). FRAME_TOO_LONG: once per over-long line, the rest of it is discarded. */
enum frame frames_next(struct frames *frames, const char **line, size_t *len);
size_t frames_pending(const struct frames *frames); /* bytes of an unfinished line */

/* ---- requests --------------------------------------------------------------- */

enum method {
    METHOD_NONE, METHOD_HELLO, METHOD_HEALTH, METHOD_STATS, METHOD_TOOL_CALL, METHOD_CHAT,
    METHOD_COMPLETE, METHOD_TOKENIZE, METHOD_DETOKENIZE, METHOD_COUNT, METHOD_RENDER,
    METHOD_CANCEL, METHOD_MODEL_INFO, METHOD_RPC_DISCOVER, METHOD_METRICS, METHOD_SCHEMA_CHECK,
    METHOD_MODEL_LIST, METHOD_MODEL_UNLOAD, METHOD_CACHE_STATS, METHOD_LOG_LEVEL, METHOD_SHUTDOWN,
    METHOD_COUNT_ /* how many */
};

const char *method_name(enum method method);

struct rpc_call { /* one request or notification of a line */
    char *id;            /* its JSON text in one canonical spelling ("\"a\"", "17"), so that equal ids are
                            equal strings; NULL for a notification, which is never answered, not
                            even when error is set; "null" for an invalid request without usable id */
    enum method method;  /* METHOD_NONE when error is set before the method was known */
    struct error error;  /* code != 0: answer with this, params are not valid */
    struct text model;   /* params.model, absent: the first */
    struct generation_spec spec; /* tool_call, chat, complete, count, render; deadline_ns holds
                                    deadline_ms * 10^6 relative to now; seed_drawn below */
    bool seed_given, now_given;  /* otherwise the caller sets spec.sampling.seed, spec.now */
    struct text input;           /* tokenize: text */
    struct schema_question question; /* schema.check */
    struct text level;           /* log.level */
    const uint32_t *tokens;      /* detokenize */
    size_t n_tokens;
    bool add_special, parse_special;
    char *cancel_id;             /* cancel: JSON text of the id to cancel */
    int64_t connection;          /* cancel: the number of another connection, 0: this one */
    int64_t protocol;            /* hello: 0 when not given */
};

enum { RPC_BATCH_MAX = 64, RPC_NESTING_MAX = 64 };

struct rpc_message {
    bool batch;          /* answer with one array */
    struct rpc_call *calls; /* every member: requests and notifications, invalid ones included */
    size_t n_calls;
    struct error error;  /* code != 0: the line as a whole is answered with this and id null; no calls */
    void *memory;        /* owns what the calls borrow */
};

/* Parses one line of a peer. Never NULL but when memory runs out. The calls borrow from the message, which keeps
 * its own copy of the line. */
struct rpc_message *rpc_parse(const char *line, size_t len);
void rpc_message_free(struct rpc_message *message);

/* Is this line short enough to be parsed in the loop, or a matter for the prep worker? Also peeks at
 * methods that must never wait. */
bool rpc_is_light(const char *line, size_t len);

/* Appends the OpenRPC document: the result of rpc.discover, made of the method files. False when
 * memory ran out. */
bool rpc_discover(struct buf *out, const char *version);
/* Does a result (JSON text) match the schema of its method? For tests. */
bool rpc_check_result(enum method method, const char *result, size_t len, struct error *error);

/* ---- replies: each appends one JSON value without line end ---------------------- */

/* id NULL: null. partial (may be NULL) becomes data.partial of 1002 and 1010, and its phase data.phase.
 * Numbers that agents would read as HTTP statuses are respelled in the message. */
void reply_error(struct buf *out, const char *id, const struct error *error,
                 const struct generation_result *partial);
void reply_raw(struct buf *out, const char *id, const char *result_json, size_t len);
/* model: alias. call_ids: makes the calls' ids unique ("call_" + call_ids + "_" + index). */
void reply_generation(struct buf *out, const char *id, const struct generation_result *result,
                      const char *model, const char *call_ids);
void reply_tokens(struct buf *out, const char *id, const uint32_t *tokens, size_t n);
void reply_verdict(struct buf *out, const char *id, const struct schema_verdict *verdict);
void reply_text(struct buf *out, const char *id, const char *member, struct text text); /* {"text": ..} */

/* Notifications, each a whole line (with its '\n') under 64 KiB. A chunk that needs more loses its
 * logprobs (the response has them), then becomes several lines of the same seq, in order. */
void notify_token(struct buf *out, const char *id, const struct generation_chunk *chunk);
/* eta_ms: until the phase is complete; negative: not known. */
void notify_progress(struct buf *out, const char *id, uint64_t seq, const struct generation_progress *p,
                     int64_t eta_ms);

/* ---- JSON for clients, beside reading it in place (span.h) ------------------------ */

/* Is it JSON that a request may hold? Otherwise says where it is not. */
bool json_check(struct text text, struct error *error);
/* A JSON string literal of text (any bytes; invalid UTF-8 becomes U+FFFD). */
void json_quote(struct buf *out, struct text text);

#endif
