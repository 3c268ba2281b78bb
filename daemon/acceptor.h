/* acceptor: takes new connections and refuses those past a limit; pauses when the process runs out
 * of descriptors or memory. */
#ifndef DAEMON_ACCEPTOR_H
#define DAEMON_ACCEPTOR_H

#include <ev.h>
#include <stdbool.h>

struct server;
struct acceptor {
    ev_io ready;
    ev_timer again; /* runs while paused */
    bool open;
};

/* That many connections need a descriptor each: raises the process's limit, as far as it can be. */
void acceptor_make_room(unsigned connections);
void acceptor_start(struct server *server);
/* Takes those already waiting; then no more. The listening socket is closed and removed. */
void acceptor_stop(struct server *server);

#endif
