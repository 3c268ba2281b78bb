#include "daemon/cache_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A variable that holds an absolute path, or NULL. */
static const char *absolute(const char *variable) {
    const char *value = getenv(variable);
    return value && *value == '/' ? value : NULL;
}

bool cache_dir_find(const char *given, char *path, size_t size) {
    const char *of_unit = absolute("CACHE_DIRECTORY"), *caches = absolute("XDG_CACHE_HOME"),
               *home = absolute("HOME");
    int n = 0;
    if (given && strcmp(given, "none") == 0) return false;
    if (given)
        n = snprintf(path, size, "%s", given);
    else if (of_unit) /* the first of a list */
        n = snprintf(path, size, "%.*s", (int)strcspn(of_unit, ":"), of_unit);
    else if (geteuid() == 0)
        n = snprintf(path, size, "/var/cache/plmd");
    else if (caches)
        n = snprintf(path, size, "%s/plmd", caches);
    else if (home)
        n = snprintf(path, size, "%s/.cache/plmd", home);
    return n > 0 && (size_t)n < size;
}
