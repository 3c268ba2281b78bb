/* cache_dir: where computed KV is kept on disk when nobody says. */
#ifndef DAEMON_CACHE_DIR_H
#define DAEMON_CACHE_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* The first of: `given` ("none": nowhere), $CACHE_DIRECTORY (systemd's), /var/cache/plmd for root,
 * $XDG_CACHE_HOME/plmd, $HOME/.cache/plmd. False: nowhere. */
bool cache_dir_find(const char *given, char *path, size_t size);

#endif
