#include "daemon/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_int highest = LOG_LEVEL_INFO;
static bool to_journal; /* written before threads start */

static const struct {
    const char *name;
    int priority; /* as syslog numbers it */
} levels[] = {{"error", 3}, {"warn", 4}, {"info", 6}, {"debug", 7}};

bool log_level_parse(const char *name, enum log_level *level) {
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(name, levels[i].name) != 0) continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}

const char *log_level_name(enum log_level level) {
    return levels[level].name;
}

void log_set_level(enum log_level level) {
    atomic_store_explicit(&highest, level, memory_order_relaxed);
}

/* $JOURNAL_STREAM is inherited, also by those whose stderr leads elsewhere: so it says which file
 * it means, "device:inode". */
static bool is_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char ours[64];
    if (!stream || fstat(STDERR_FILENO, &status) != 0) return false;
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, ours) == 0;
}

void log_init(enum log_level level) {
    to_journal = is_journal();
    log_set_level(level);
}

static size_t log_begin(char *line, size_t size, enum log_level level) {
    time_t now = time(NULL);
    struct tm utc;
    size_t used = 0;
    if (to_journal) return (size_t)snprintf(line, size, "<%d>", levels[level].priority);
    if (gmtime_r(&now, &utc)) used = strftime(line, size, "%Y-%m-%dT%H:%M:%SZ ", &utc);
    return used + (size_t)snprintf(line + used, size - used, "plmd: %s: ", levels[level].name);
}

/* One event stays one line whatever text got into it. */
static void log_flatten(char *line, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) line[i] = ' ';
}

void log_line(enum log_level level, const char *format, ...) {
    char line[1024];
    if ((int)level > atomic_load_explicit(&highest, memory_order_relaxed)) return;
    size_t used = log_begin(line, 128, level);
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
