/* option: one setting, as a row of a table.
 *
 * The table is the one source of the flags (--NAME), the environment (PLMD_NAME), the keys of
 * plmd.conf, --help, --print-config and of what a SIGHUP can change.
 */
#ifndef DAEMON_OPTION_H
#define DAEMON_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct options;

enum option_kind {
    OPTION_MODEL,   /* [ALIAS=]PATH; each adds to a list */
    OPTION_TEXT,    /* const char *, not empty */
    OPTION_CHOICE,  /* const char *, one of those in `value` */
    OPTION_LEVEL,   /* enum log_level */
    OPTION_NUMBER,  /* unsigned */
    OPTION_BYTES,   /* uint64_t; K, M and G are powers of 1024 */
    OPTION_SWITCH,  /* bool */
    OPTION_COMMAND, /* bool; what to do instead of serving: a flag only */
};

struct option {
    const char *section; /* in plmd.conf; NULL: not there */
    const char *name;
    const char *value; /* its name in --help; NULL: a flag without value */
    const char *help;
    enum option_kind kind;
    size_t offset; /* in struct options */
    uint64_t lowest, highest;
    uint64_t initial; /* number or bytes; 0: `help` says what */
    bool live;        /* SIGHUP can change it */
};

enum { OPTION_MOST = 40 };
extern const struct option option_table[]; /* ends with a row without a name */

/* The row of this name (n bytes); NULL: none. */
const struct option *option_find(const char *name, size_t n);

enum { OPTION_VARIABLE = 48 };
/* "socket-group" -> "PLMD_SOCKET_GROUP" */
void option_variable(const struct option *option, char variable[static OPTION_VARIABLE]);

void option_reset(const struct option *option, struct options *options); /* to the default */
/* Every kind but OPTION_MODEL. text is borrowed as long as *options uses it. */
bool option_parse(const struct option *option, struct options *options, const char *text);
/* Appends what option_parse takes, e.g. "a number from 1 to 256". */
void option_expected(const struct option *option, struct buf *out);
/* Appends the value as option_parse reads it; nothing where there is none. */
void option_format(const struct option *option, const struct options *options, struct buf *out);
bool option_is_set(const struct option *option, const struct options *options);
bool option_equal(const struct option *option, const struct options *a, const struct options *b);
void option_copy(const struct option *option, struct options *to, const struct options *from);

#endif
