/* listener: the socket that clients connect to.
 *
 * Either inherited ($LISTEN_FDS, when $LISTEN_PID is us) or bound here. A bound one holds a lock
 * file (PATH.lock) as long as it lives: a second daemon on the same path is refused and the first
 * is not disturbed; a socket file left behind by a crash is replaced, which only the holder of the
 * lock does.
 */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"

struct listener {
    int fd;                                               /* listening, non-blocking */
    int lock_fd;                                          /* -1: inherited socket */
    char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* "": inherited socket */
    dev_t device;                                         /* of the socket file we made */
    ino_t inode;
};

/* path: NULL for the default place; group: NULL, or who else may connect. Errors are
 * ERROR_PERMISSION or ERROR_INVALID_PARAMS, for a human to read. */
bool listener_open(struct listener *listener, const char *path, const char *group,
                   struct error *error);
/* Closes, and removes the socket file if it is still the one made by listener_open. */
void listener_close(struct listener *listener);

#endif
