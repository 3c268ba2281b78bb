#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level highest = LOG_LEVEL_INFO;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

bool log_level_parse(const char *name, enum log_level *level) {
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) != 0) continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}

void log_set_level(enum log_level level) {
    highest = level;
}

/* The journal stamps lines itself. */
static size_t log_stamp(char *line, size_t size) {
    if (getenv("JOURNAL_STREAM")) return 0;
    time_t now = time(NULL);
    struct tm utc;
    if (!gmtime_r(&now, &utc)) return 0;
    return strftime(line, size, "%Y-%m-%dT%H:%M:%SZ ", &utc);
}

/* One event stays one line whatever text got into it. */
static void log_flatten(char *line, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) line[i] = ' ';
}

void log_line(enum log_level level, const char *format, ...) {
    if (level > highest) return;
    char line[1024];
    size_t used = log_stamp(line, 64);
    used += (size_t)snprintf(line + used, 64, "plmd: %s: ", level_names[level]);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + used, sizeof line - used - 1, format, args);
    va_end(args);
    if (n < 0) return;
    used += (size_t)n < sizeof line - used - 1 ? (size_t)n : sizeof line - used - 2;
    log_flatten(line, used);
    line[used++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, used);
    (void)ignored;
}
