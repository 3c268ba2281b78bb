/* Fuzzes what a peer's bytes meet first: framing, then parsing, then the error replies. Each input
 * is fed in chunks whose sizes it decides itself. `make fuzz`; the examples in proto/methods/
 * make a good first corpus.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fine) {
    if (!fine) abort();
}

/* Every reply to an error is itself JSON. */
static void reply(const char *id, const struct error *error) {
    struct buf out = {0};
    struct error found = {0};
    reply_error(&out, id, error, NULL);
    require(json_check((struct text){out.bytes, out.len}, &found));
    buf_free(&out);
}

static void parse(const char *line, size_t len) {
    struct rpc_message *message = rpc_parse(line, len);
    rpc_is_light(line, len);
    span_member((struct text){line, len}, "method");
    if (!message) return;
    require(!message->error.code || message->n_calls == 0);
    if (message->error.code) reply(NULL, &message->error);
    for (size_t i = 0; i < message->n_calls; i++) {
        const struct rpc_call *call = &message->calls[i];
        if (call->error.code)
            reply(call->id, &call->error);
        else
            require(call->method != METHOD_NONE);
        struct error found = {0};
        for (size_t t = 0; !call->error.code && t < call->spec.n_tools; t++)
            if (call->spec.tools[t].schema.bytes)
                require(json_check(call->spec.tools[t].schema, &found));
    }
    rpc_message_free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *line;
    size_t len, at = 0;
    struct frames *frames = frames_new(2048);
    while (frames && at < size) {
        size_t n = 1 + (size_t)data[at] * (data[at] & 1 ? 1 : 64);
        if (n > size - at) n = size - at;
        require(frames_feed(frames, (const char *)data + at, n));
        at += n;
        for (enum frame event; (event = frames_next(frames, &line, &len)) != FRAME_NONE;)
            if (event == FRAME_LINE) parse(line, len);
    }
    frames_free(frames);
    parse((const char *)data, size);
    return 0;
}
