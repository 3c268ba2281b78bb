/* log: one line per event on stderr, with a level.
 *
 * A line is one write, so lines of several threads never mix. Under systemd, when stderr is the
 * journal, a line begins with its priority ("<6>") and leaves the time to the journal. What a peer
 * sent (prompts, schemas, ids) is never logged, only counts, codes, uids and our own words; the one
 * exception is log_prompt.h.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error", "warn", "info" or "debug". */
bool log_level_parse(const char *name, enum log_level *level);
const char *log_level_name(enum log_level level);

/* Finds out where stderr leads. Once, before threads start. */
void log_init(enum log_level level);
/* Lines above this level are dropped. Any thread. */
void log_set_level(enum log_level level);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
