/* config: reads plmd.conf, an INI file.
 *
 * [section] headers, KEY = VALUE lines, comments that begin with '#' or ';' (after a value: with
 * " ;"). Splitting lines is inih's work; what inih would take silently is refused here with its
 * line's number: over-long lines (inih cuts them), continuation by indentation, "key: value", NUL.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct config_events {
    /* A section's header. False: its keys are skipped. */
    bool (*section)(void *user, unsigned line, const char *name);
    /* section "": before any header. Texts are borrowed for the call. */
    void (*entry)(void *user, unsigned line, const char *section, const char *key,
                  const char *value);
    void (*problem)(void *user, unsigned line, const char *what); /* line 0: of the whole file */
};

/* Reads the file to its end, problems or not. */
void config_read(const char *path, const struct config_events *events, void *user);

/* Would "KEY = VALUE" be read back as it is? */
bool config_can_hold(const char *key, const char *value);

/* Where the file is when nobody says where: /etc/plm/plmd.conf for root, else
 * $XDG_CONFIG_HOME/plm/plmd.conf or ~/.config/plm/plmd.conf. False: nowhere. */
bool config_default_path(char *path, size_t size);

#endif
