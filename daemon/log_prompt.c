#include "daemon/log_prompt.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/log.h"

enum { SHOWN = 200, ESCAPED = 4 * SHOWN + 4 };

/* Printable ASCII as it is, the rest as \n, \t or \xHH. */
static size_t escape(char *out, char c) {
    switch (c) {
    case '\n': return (size_t)sprintf(out, "\\n");
    case '\t': return (size_t)sprintf(out, "\\t");
    case '"':
    case '\\': return (size_t)sprintf(out, "\\%c", c);
    default: break;
    }
    if (c >= ' ' && c < 0x7f) return (size_t)sprintf(out, "%c", c);
    return (size_t)sprintf(out, "\\x%02x", (unsigned char)c);
}

static void escape_beginning(char out[static ESCAPED], struct text text) {
    size_t used = 0;
    for (size_t i = 0; i < text.len && i < SHOWN; i++) used += escape(out + used, text.bytes[i]);
    snprintf(out + used, ESCAPED - used, "%s", text.len > SHOWN ? "..." : "");
}

/* What was said last, as far as it is text. */
static struct text last_text(const struct generation_spec *spec) {
    const struct message *last = spec->n_messages ? &spec->messages[spec->n_messages - 1] : NULL;
    if (spec->source == PROMPT_TEXT) return spec->text;
    if (spec->source != PROMPT_MESSAGES || !last || !last->n_parts) return (struct text){0};
    return last->parts[last->n_parts - 1].text;
}

void log_prompt(uint64_t serial, const char *method, const struct generation_spec *spec) {
    char shown[ESCAPED];
    struct text text = last_text(spec);
    if (!text.bytes && !spec->n_tokens) return;
    escape_beginning(shown, text);
    log_info("connection %" PRIu64 ": %s: %zu messages, %zu tokens, %zu bytes: \"%s\"", serial,
             method, spec->n_messages, spec->n_tokens, text.len, shown);
}
