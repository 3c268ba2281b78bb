#include "daemon/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    BLOCK_ROOM = 4096, /* short lines share a block; longer ones keep their own buffer */
    WRITE_BLOCKS = 16, /* per system call */
};

struct outbox_block {
    struct outbox_block *next;
    char *bytes;
    size_t begin, end, cap; /* bytes[begin..end) wait; room up to cap */
};

static void block_free(struct outbox_block *block) {
    free(block->bytes);
    free(block);
}

void outbox_free(struct outbox *outbox) {
    for (struct outbox_block *block = outbox->first, *next; block; block = next) {
        next = block->next;
        block_free(block);
    }
    *outbox = (struct outbox){0};
}

static void outbox_append(struct outbox *outbox, struct outbox_block *block) {
    if (outbox->last)
        outbox->last->next = block;
    else
        outbox->first = block;
    outbox->last = block;
}

/* A block around the line's own buffer. */
static bool outbox_append_long(struct outbox *outbox, struct buf *line) {
    struct outbox_block *block = calloc(1, sizeof *block);
    if (!block) return false;
    block->bytes = buf_steal(line, &block->end);
    block->cap = block->end;
    outbox_append(outbox, block);
    return true;
}

static bool outbox_append_short(struct outbox *outbox, const struct buf *line) {
    struct outbox_block *block = outbox->last;
    if (!block || block->cap - block->end < line->len) {
        block = calloc(1, sizeof *block);
        char *bytes = malloc(BLOCK_ROOM);
        if (!block || !bytes) {
            free(block);
            free(bytes);
            return false;
        }
        block->bytes = bytes;
        block->cap = BLOCK_ROOM;
        outbox_append(outbox, block);
    }
    memcpy(block->bytes + block->end, line->bytes, line->len);
    block->end += line->len;
    return true;
}

bool outbox_add_steal(struct outbox *outbox, struct buf *line, size_t limit) {
    size_t n = line->len;
    bool added = !line->failed && n <= limit && outbox->bytes <= limit - n;
    if (added && n > 0)
        added = n > BLOCK_ROOM / 2 ? outbox_append_long(outbox, line)
                                   : outbox_append_short(outbox, line);
    if (added) outbox->bytes += n;
    buf_free(line);
    return added;
}

static void outbox_consume(struct outbox *outbox, size_t n) {
    outbox->bytes -= n;
    while (outbox->first) {
        struct outbox_block *block = outbox->first;
        size_t waiting = block->end - block->begin;
        if (n < waiting) {
            block->begin += n;
            return;
        }
        n -= waiting;
        outbox->first = block->next;
        if (!outbox->first) outbox->last = NULL;
        block_free(block);
    }
}

static ssize_t outbox_send(const struct outbox *outbox, int fd) {
    struct iovec parts[WRITE_BLOCKS];
    size_t n = 0;
    for (struct outbox_block *block = outbox->first; block && n < WRITE_BLOCKS; block = block->next)
        parts[n++] = (struct iovec){block->bytes + block->begin, block->end - block->begin};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = n};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum outbox_state outbox_write(struct outbox *outbox, size_t *written, int fd) {
    *written = 0;
    while (outbox->bytes > 0) {
        ssize_t n = outbox_send(outbox, fd);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? OUTBOX_BLOCKED : OUTBOX_BROKEN;
        *written += (size_t)n;
        outbox_consume(outbox, (size_t)n);
    }
    return OUTBOX_EMPTY;
}
