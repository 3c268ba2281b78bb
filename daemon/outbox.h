/* outbox: bytes waiting to be written to one peer.
 *
 * Holds whole lines in the order they were added and writes as many as the descriptor takes.
 * Bounded: a line that would pass the limit it comes with is refused; what then happens to the peer
 * is the caller's decision. Used by the loop thread only.
 */
#ifndef DAEMON_OUTBOX_H
#define DAEMON_OUTBOX_H

#include "base/buf.h"

enum { OUTBOX_SOFT = 256 * 1024 }; /* the limit of lines that may be dropped: token notifications */

struct outbox_block;
struct outbox { /* zero-initialise */
    struct outbox_block *first, *last;
    size_t bytes; /* waiting */
};

void outbox_free(struct outbox *outbox);

/* Adds the finished line, which ends in '\n'; its bytes are taken over (or freed) and it is left
 * empty. False when it was refused: line.failed, out of memory, or more than limit bytes would wait. */
bool outbox_add_steal(struct outbox *outbox, struct buf *line, size_t limit);

enum outbox_state { OUTBOX_EMPTY, OUTBOX_BLOCKED, OUTBOX_BROKEN };
/* Writes until nothing is left (EMPTY), the descriptor would block (BLOCKED) or the peer is gone
 * (BROKEN). *written: bytes accepted by the descriptor. */
enum outbox_state outbox_write(struct outbox *outbox, size_t *written, int fd);

#endif
