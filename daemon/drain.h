/* drain: the daemon's end.
 *
 * A first SIGTERM or SIGINT: no new connections, the socket is removed, new work is refused with
 * 1006, what is in flight is finished. When the time for that is over, or at the second signal:
 * what is still in flight is cancelled; what does not even end then is answered with 1006. After
 * the last response every peer is read to its end (1006 again), flushed and closed; the loop ends.
 */
#ifndef DAEMON_DRAIN_H
#define DAEMON_DRAIN_H

#include <ev.h>

enum drain_state {
    DRAIN_NO,
    DRAIN_FINISHING,  /* waiting for what is in flight */
    DRAIN_CANCELLING, /* waiting for what was cancelled */
    DRAIN_FLUSHING,   /* waiting for the peers to take the last bytes */
};

struct server;
struct drain {
    enum drain_state state;
    ev_signal terminate, interrupt;
    ev_timer timer; /* of the state */
};

void drain_init(struct server *server);  /* listens to signals */
void drain_begin(struct server *server); /* as the first signal does; no effect later */
void drain_fail(struct server *server);  /* the model can't be used: ends with status 1 */
void drain_check(struct server *server); /* at the end of each turn of the loop */

#endif
