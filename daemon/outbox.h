/* outbox: bytes waiting to be written to one peer.
 *
 * Holds whole lines in the order they were added and writes as many as the descriptor takes.
 * Bounded: a line that may be dropped (a `token` notification) is refused once OUTBOX_SOFT bytes
 * wait, any other line once OUTBOX_HARD would be passed; what then happens to the peer is the
 * caller's decision. Used by the loop thread only.
 */
#ifndef DAEMON_OUTBOX_H
#define DAEMON_OUTBOX_H

#include "base/buf.h"

enum {
    OUTBOX_SOFT = 256 * 1024,      /* past it token notifications are dropped */
    OUTBOX_STALL = 1024 * 1024,    /* past it the peer must make progress */
    OUTBOX_HARD = 8 * 1024 * 1024, /* never passed */
};

struct outbox_block;
struct outbox { /* zero-initialise */
    struct outbox_block *first, *last;
    size_t bytes; /* waiting */
};

void outbox_free(struct outbox *outbox);

/* Adds the finished line, which ends in '\n'; its bytes are taken over (or freed) and it is left
 * empty. False when it was refused: line.failed, out of memory, or a limit. */
bool outbox_add_steal(struct outbox *outbox, struct buf *line, bool droppable);

enum outbox_state { OUTBOX_EMPTY, OUTBOX_BLOCKED, OUTBOX_BROKEN };
/* Writes until nothing is left (EMPTY), the descriptor would block (BLOCKED) or the peer is gone
 * (BROKEN). *written: bytes accepted by the descriptor. */
enum outbox_state outbox_write(struct outbox *outbox, size_t *written, int fd);

#endif
