#include "proto/proto.h"

#include <stdlib.h>
#include <string.h>

/* A buffer larger than this is given back when it runs empty. */
enum { KEEP = 64 * 1024 };

struct frames {
    struct buf buf;
    size_t start;   /* first byte not handed out yet */
    size_t scanned; /* no newline in [start, scanned) */
    size_t max_line;
    bool discarding; /* inside the rest of an over-long line */
};

struct frames *frames_new(size_t max_line) {
    struct frames *frames = calloc(1, sizeof *frames);
    if (frames) frames->max_line = max_line;
    return frames;
}

void frames_limit(struct frames *frames, size_t max_line) {
    frames->max_line = max_line;
}

void frames_free(struct frames *frames) {
    if (!frames) return;
    buf_free(&frames->buf);
    free(frames);
}

/* Moves what is left to the front once it is the smaller part: linear in total. */
static void frames_compact(struct frames *frames) {
    struct buf *buf = &frames->buf;
    if (frames->start == buf->len) {
        if (buf->cap > KEEP) buf_free(buf);
        buf->len = frames->start = frames->scanned = 0;
    } else if (frames->start >= buf->len - frames->start) {
        memmove(buf->bytes, buf->bytes + frames->start, buf->len - frames->start);
        buf->len -= frames->start;
        frames->scanned -= frames->start;
        frames->start = 0;
    }
}

bool frames_feed(struct frames *frames, const char *bytes, size_t n) {
    frames_compact(frames);
    if (frames->discarding && frames->buf.len == 0) {
        const char *newline = n ? memchr(bytes, '\n', n) : NULL;
        if (!newline) return true;
        frames->discarding = false;
        n -= (size_t)(newline + 1 - bytes);
        bytes = newline + 1;
    }
    return buf_add(&frames->buf, bytes, n);
}

/* Forgets the beginning of an over-long line that has not ended yet. */
static enum frame frames_overflow(struct frames *frames) {
    frames->start = frames->scanned = frames->buf.len;
    frames->discarding = true;
    return FRAME_TOO_LONG;
}

/* Is what is buffered of the unfinished line past the limit, allowing for a '\r' that ends it? */
static bool frames_past_limit(const struct frames *frames) {
    size_t pending = frames->buf.len - frames->start;
    if (pending <= frames->max_line) return false;
    return pending > frames->max_line + 1 || frames->buf.bytes[frames->buf.len - 1] != '\r';
}

enum frame frames_next(struct frames *frames, const char **line, size_t *len) {
    struct buf *buf = &frames->buf;
    while (frames->scanned < buf->len) {
        char *newline = memchr(buf->bytes + frames->scanned, '\n', buf->len - frames->scanned);
        if (!newline) {
            frames->scanned = buf->len;
            break;
        }
        char *start = buf->bytes + frames->start;
        frames->start = frames->scanned = (size_t)(newline + 1 - buf->bytes);
        size_t n = (size_t)(newline - start);
        if (n && start[n - 1] == '\r') n--;
        if (n > frames->max_line) return FRAME_TOO_LONG;
        if (n == 0) continue;
        *line = start;
        *len = n;
        return FRAME_LINE;
    }
    return frames_past_limit(frames) ? frames_overflow(frames) : FRAME_NONE;
}

size_t frames_pending(const struct frames *frames) {
    return frames->buf.len - frames->start;
}
