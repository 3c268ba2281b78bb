/* reload: SIGHUP reads the configuration again.
 *
 * What can change while running is changed, and every difference is logged by name, also those that
 * need a restart. A configuration with a problem changes nothing.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include <ev.h>

struct server;
struct reload {
    ev_signal hangup;
};

void reload_init(struct server *server);

#endif
