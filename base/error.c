#include "base/error.h"

#include <stdio.h>
#include <stddef.h>
#include <string.h>

static void error_fill(struct error *error, enum error_code code, const char *path,
                       const char *format, va_list args) {
    if (error->code != ERROR_NONE) return;
    error->code = code;
    if (path) snprintf(error->path, sizeof error->path, "%s", path);
    vsnprintf(error->message, sizeof error->message, format, args);
}

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error_fill(error, code, NULL, format, args);
    va_end(args);
    return false;
}

bool error_at(struct error *error, enum error_code code, const char *path, const char *format,
              ...) {
    va_list args;
    va_start(args, format);
    error_fill(error, code, path, format, args);
    va_end(args);
    return false;
}

void error_relocate(struct error *error, const char *from, const char *to) {
    char rest[sizeof error->path];
    size_t n = strncmp(error->path, from, strlen(from)) == 0 ? strlen(from) : 0;
    snprintf(rest, sizeof rest, "%s", error->path + n);
    snprintf(error->path, sizeof error->path, "%s", to);
    size_t len = strlen(error->path);
    snprintf(error->path + len, sizeof error->path - len, "%s", rest);
}

static const struct {
    enum error_code code;
    const char *name;
} names[] = {
    {ERROR_PARSE, "parse_error"},
    {ERROR_INVALID_REQUEST, "invalid_request"},
    {ERROR_METHOD_NOT_FOUND, "method_not_found"},
    {ERROR_INVALID_PARAMS, "invalid_params"},
    {ERROR_INTERNAL, "internal_error"},
    {ERROR_OVERLOADED, "overloaded"},
    {ERROR_DEADLINE, "deadline_exceeded"},
    {ERROR_CONTEXT_LENGTH, "context_length_exceeded"},
    {ERROR_SCHEMA_UNSUPPORTED, "schema_unsupported"},
    {ERROR_MODEL_NOT_READY, "model_not_ready"},
    {ERROR_SHUTTING_DOWN, "shutting_down"},
    {ERROR_OUT_OF_MEMORY, "out_of_memory"},
    {ERROR_PERMISSION, "permission_denied"},
    {ERROR_MESSAGE_TOO_LARGE, "message_too_large"},
    {ERROR_CANCELLED, "cancelled"},
    {ERROR_CACHE, "cache_error"},
    {ERROR_UNSUPPORTED_PROTOCOL, "unsupported_protocol"},
    {ERROR_TEMPLATE, "template_error"},
    {ERROR_OUTPUT_INVALID, "output_invalid"},
};

const char *error_name(enum error_code code) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code) return names[i].name;
    return "internal_error";
}
