/* error: what went wrong, for a caller to report.
 *
 * A function that can fail takes a `struct error *` (never NULL) and returns
 * false or NULL after filling it; the first error set wins. Libraries never
 * print and never exit. The codes are those of the wire contract, so that an
 * error reaches the client unchanged whichever layer found it; `message` does
 * not repeat the code's name (error_name adds it). No message may hold a bare
 * number from 300 to 599: agents read those as HTTP statuses.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_PARSE = -32700,
    ERROR_INVALID_REQUEST = -32600,
    ERROR_METHOD_NOT_FOUND = -32601,
    ERROR_INVALID_PARAMS = -32602,
    ERROR_INTERNAL = -32603,
    ERROR_OVERLOADED = 1001,
    ERROR_DEADLINE = 1002,
    ERROR_CONTEXT_LENGTH = 1003,
    ERROR_SCHEMA_UNSUPPORTED = 1004,
    ERROR_MODEL_NOT_READY = 1005,
    ERROR_SHUTTING_DOWN = 1006,
    ERROR_OUT_OF_MEMORY = 1007,
    ERROR_PERMISSION = 1008,
    ERROR_MESSAGE_TOO_LARGE = 1009,
    ERROR_CANCELLED = 1010,
    ERROR_CACHE = 1011,
    ERROR_UNSUPPORTED_PROTOCOL = 1012,
    ERROR_TEMPLATE = 1013,
    ERROR_OUTPUT_INVALID = 1014,
};

struct error {
    enum error_code code;  /* ERROR_NONE until set */
    char message[320];     /* UTF-8, one line */
    char path[512];        /* JSON pointer or parameter path the error is about, or "" */
    char keyword[64];      /* schema keyword (1004), or "" */
    char reason[160];      /* machine-readable detail of `data.reason`, or "" */
    uint64_t numbers[3];   /* 1003: prompt_tokens, max_tokens, n_ctx; 1001: retry_after_ms,
                              queue_depth; 1009: limit; 1013: line */
};

/* Sets code and message (printf) unless an error is already set. Returns false, so that
 * `return error_set(...)` reads well. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with the path the error is about. */
bool error_at(struct error *error, enum error_code code, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts `to` in front of the path, in place of `from` if it begins with that. */
void error_relocate(struct error *error, const char *from, const char *to);

/* The snake_case name of a code, e.g. "schema_unsupported". Static. */
const char *error_name(enum error_code code);

#endif
