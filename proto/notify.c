/* Notifications of a running generation. */
#include "proto/reply.h"

#include "base/utf8.h"

enum {
    LINE = 64 * 1024 - 1, /* with its '\n' */
    PIECE = 8 * 1024,     /* bytes of text that fit into a line however they are escaped */
};

static void add_line(struct buf *out, const char *id, const struct generation_chunk *chunk) {
    buf_printf(out, "{\"jsonrpc\":\"2.0\",\"method\":\"token\",\"params\":{\"id\":%s,\"seq\":%llu,",
               id, (unsigned long long)chunk->seq);
    buf_add_str(out, "\"text\":");
    json_quote(out, chunk->text);
    buf_add_str(out, ",\"tokens\":");
    reply_id_list(out, chunk->tokens, chunk->n_tokens);
    if (chunk->logprobs) reply_logprobs(out, chunk->logprobs, chunk->n_tokens);
    buf_add_str(out, "}}\n");
}

/* Adds the line if it is short enough. */
static bool try_line(struct buf *out, const char *id, const struct generation_chunk *chunk) {
    size_t before = out->len;
    add_line(out, id, chunk);
    if (out->failed || out->len - before <= LINE) return true;
    out->len = before;
    out->bytes[before] = '\0';
    return false;
}

/* The most of n bytes that ends with a whole character. */
static size_t whole_characters(const char *bytes, size_t n) {
    return n - utf8_incomplete_tail(bytes, n);
}

static void add_pieces(struct buf *out, const char *id, struct generation_chunk piece) {
    struct text rest = piece.text;
    size_t tokens_left = piece.n_tokens;
    do {
        size_t n = rest.len > PIECE ? whole_characters(rest.bytes, PIECE) : rest.len;
        size_t n_tokens = tokens_left > PIECE / 4 ? PIECE / 4 : tokens_left;
        piece.text = (struct text){rest.bytes, n};
        piece.n_tokens = n_tokens;
        add_line(out, id, &piece);
        rest.bytes += n;
        rest.len -= n;
        tokens_left -= n_tokens;
        piece.tokens += n_tokens;
    } while ((rest.len || tokens_left) && !out->failed);
}

void notify_token(struct buf *out, const char *id, const struct generation_chunk *chunk) {
    struct generation_chunk shorter = *chunk;
    if (try_line(out, id, chunk)) return;
    shorter.logprobs = NULL;
    if (try_line(out, id, &shorter)) return;
    add_pieces(out, id, shorter);
}

void notify_progress(struct buf *out, const char *id, uint64_t seq,
                     const struct generation_progress *p, int64_t eta_ms) {
    buf_printf(out,
               "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"id\":%s,\"seq\":%llu,"
               "\"phase\":\"%s\",\"done\":%llu,\"total\":%llu",
               id, (unsigned long long)seq, p->phase, (unsigned long long)p->done,
               (unsigned long long)p->total);
    if (p->phase[0] == 'q')
        buf_printf(out, ",\"queue_position\":%llu", (unsigned long long)p->queue_position);
    if (eta_ms >= 0) buf_printf(out, ",\"eta_ms\":%lld", (long long)eta_ms);
    buf_add_str(out, "}}\n");
}
