/* reply: pieces that responses and notifications share (private to proto/). */
#ifndef PROTO_REPLY_H
#define PROTO_REPLY_H

#include "proto/proto.h"

/* {"jsonrpc":"2.0","id":ID,"result": -- what follows is the result and a "}". */
void reply_open(struct buf *out, const char *id);
void reply_number(struct buf *out, double value);   /* ms: at most 3 decimals */
void reply_logprob(struct buf *out, float logprob); /* shortest spelling that reads back the same */
void reply_id_list(struct buf *out, const uint32_t *tokens, size_t n);
void reply_logprobs(struct buf *out, const struct token_logprobs *list, size_t n);
/* {"calls", "content", "usage", "timing"} of a generation that ended early; calls without ids. */
void reply_partial(struct buf *out, const struct generation_result *partial);
/* The message on the wire: name, text, and no number that reads like an HTTP status. */
void reply_message(struct buf *out, const struct error *error);

#endif
