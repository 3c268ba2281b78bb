#include "proto/pattern.h"

#include <stdio.h>
#include <string.h>

struct pattern {
    const char *class, *class_end;
    unsigned min, max;
};

static bool pattern_read(struct pattern *out, const char *pattern) {
    int used = 0;
    if (strncmp(pattern, "^[", 2) != 0) return false;
    out->class = pattern + 2;
    out->class_end = strchr(out->class, ']');
    if (!out->class_end || out->class_end == out->class) return false;
    return sscanf(out->class_end, "]{%u,%u}$%n", &out->min, &out->max, &used) == 2 && used &&
           out->class_end[used] == '\0';
}

static bool class_has(const struct pattern *pattern, char c) {
    for (const char *at = pattern->class; at < pattern->class_end; at++) {
        if (at + 2 < pattern->class_end && at[1] == '-') {
            if (c >= at[0] && c <= at[2]) return true;
            at += 2;
        } else if (c == *at) {
            return true;
        }
    }
    return false;
}

bool pattern_known(const char *pattern) {
    struct pattern shape;
    return pattern_read(&shape, pattern);
}

bool pattern_match(const char *pattern, struct text text) {
    struct pattern shape;
    if (!pattern_read(&shape, pattern) || text.len < shape.min || text.len > shape.max)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!class_has(&shape, text.bytes[i])) return false;
    return true;
}
