#include "proto/path.h"

#include <stdarg.h>
#include <stdio.h>

enum { STEPS = 80 }; /* deeper than params can nest */

static size_t path_step(char *out, size_t size, const struct path *step, bool first) {
    int n = step->name ? snprintf(out, size, "%s%s", first ? "" : ".", step->name)
                       : snprintf(out, size, "[%zu]", step->index);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

void path_print(char *out, size_t size, const struct path *path) {
    const struct path *steps[STEPS];
    size_t n = 0;
    for (; path && n < STEPS; path = path->parent) steps[n++] = path;
    if (n == 0) {
        snprintf(out, size, "params");
        return;
    }
    for (size_t i = n, used = 0; i-- > 0 && used + 1 < size;)
        used += path_step(out + used, size - used, steps[i], i == n - 1);
}

bool path_error(struct error *error, const struct path *path, const char *format, ...) {
    char where[sizeof error->path], what[sizeof error->message];
    path_print(where, sizeof where, path);
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    /* A hostile member name must not push what is wrong with it out of the message. */
    return error_at(error, ERROR_INVALID_PARAMS, where, "%.120s: %.180s", where, what);
}
