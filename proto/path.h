/* path: where in the params something stands, as "tools[3].name".
 *
 * A chain of steps on the readers' stack, spelled out only when an error needs it.
 */
#ifndef PROTO_PATH_H
#define PROTO_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct path {
    const struct path *parent; /* NULL: params itself */
    const char *name;          /* of a member; NULL: an array item */
    size_t index;
};

#define PATH_ROOT          ((const struct path *)0)
#define PATH_MEMBER(up, m) (&(const struct path){(up), (m), 0})
#define PATH_ITEM(up, i)   (&(const struct path){(up), NULL, (i)})

/* Writes the path, cut to size, always NUL-terminated; "params" for the root. */
void path_print(char *out, size_t size, const struct path *path);
/* Sets -32602 with data.path and a message that begins with the path. Returns false. */
bool path_error(struct error *error, const struct path *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
