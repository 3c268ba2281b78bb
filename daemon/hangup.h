/* hangup: tells when a peer is gone whose descriptor nobody reads.
 *
 * A half-closed peer ("no more requests") keeps its descriptor readable for ever, so it can't stay
 * in the loop's set; but its full close must still be noticed, to cancel what it had in flight.
 * Such descriptors lie in an epoll set of their own, asked for nothing but EPOLLHUP and EPOLLERR,
 * which are always reported; the loop watches that set as one descriptor. No polling.
 */
#ifndef DAEMON_HANGUP_H
#define DAEMON_HANGUP_H

#include <ev.h>
#include <stdbool.h>

struct hangup {
    int fd; /* the epoll set */
    ev_io ready;
    void (*gone)(void *peer);
};

bool hangup_init(struct hangup *hangup, struct ev_loop *loop, void (*gone)(void *peer));
void hangup_close(struct hangup *hangup, struct ev_loop *loop);
bool hangup_add(struct hangup *hangup, int fd, void *peer);
void hangup_remove(struct hangup *hangup, int fd); /* before the peer is freed */

#endif
