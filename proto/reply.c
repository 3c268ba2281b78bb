#include "proto/reply.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reply_open(struct buf *out, const char *id) {
    buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", id ? id : "null");
}

void reply_raw(struct buf *out, const char *id, const char *result_json, size_t len) {
    reply_open(out, id);
    buf_add(out, result_json, len);
    buf_add_char(out, '}');
}

void reply_id_list(struct buf *out, const uint32_t *tokens, size_t n) {
    buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) buf_printf(out, "%s%u", i ? "," : "", tokens[i]);
    buf_add_char(out, ']');
}

void reply_tokens(struct buf *out, const char *id, const uint32_t *tokens, size_t n) {
    reply_open(out, id);
    buf_add_str(out, "{\"tokens\":");
    reply_id_list(out, tokens, n);
    buf_add_str(out, "}}");
}

void reply_text(struct buf *out, const char *id, const char *member, struct text text) {
    reply_open(out, id);
    buf_printf(out, "{\"%s\":", member);
    json_quote(out, text);
    buf_add_str(out, "}}");
}

static void add_unsupported(struct buf *out, const struct error *error) {
    const struct {
        const char *name, *value;
    } members[] = {{"path", error->path}, {"keyword", error->keyword}, {"reason", error->reason}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "{", members[i].name);
        json_quote(out, (struct text){members[i].value, strlen(members[i].value)});
    }
    buf_add_char(out, '}');
}

void reply_verdict(struct buf *out, const char *id, const struct schema_verdict *verdict) {
    const char *const words[] = {"false", "true"};
    reply_open(out, id);
    buf_printf(out, "{\"supported\":%s,\"unsupported\":[", words[!verdict->n_unsupported]);
    for (size_t i = 0; i < verdict->n_unsupported; i++) {
        if (i) buf_add_char(out, ',');
        add_unsupported(out, &verdict->unsupported[i]);
    }
    buf_add_char(out, ']');
    if (verdict->asked) buf_printf(out, ",\"accepts\":%s", words[verdict->accepts]);
    if (verdict->asked && verdict->judged) buf_printf(out, ",\"valid\":%s", words[verdict->valid]);
    buf_add_str(out, "}}");
}

void reply_number(struct buf *out, double value) {
    char digits[48];
    if (!isfinite(value) || fabs(value) > 1e15) value = 0;
    snprintf(digits, sizeof digits, "%.3f", value);
    char *end = digits + strlen(digits);
    while (end[-1] == '0') *--end = '\0';
    if (end[-1] == '.') *--end = '\0';
    buf_add_str(out, strcmp(digits, "-0") == 0 ? "0" : digits);
}

void reply_logprob(struct buf *out, float logprob) {
    char digits[32];
    if (!isfinite(logprob)) {
        buf_add_str(out, "null");
        return;
    }
    for (int precision = 6; precision <= 9; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, (double)logprob);
        if (strtof(digits, NULL) == logprob) break;
    }
    buf_add_str(out, digits);
}

/* ---- errors ---- */

/* A run of three digits from 300 to 599 gets a fourth: a zero that changes nothing. */
static void add_number(struct buf *out, const char *digits, size_t n, bool fraction) {
    bool status = n == 3 && digits[0] >= '3' && digits[0] <= '5';
    if (status && !fraction) buf_add_char(out, '0');
    buf_add(out, digits, n);
    if (status && fraction) buf_add_char(out, '0');
}

static void add_text(struct buf *out, const char *at) {
    for (bool fraction = false; *at;) {
        size_t n = strspn(at, "0123456789");
        if (n) {
            add_number(out, at, n, fraction);
        } else {
            fraction = *at == '.' && out->len && isdigit((unsigned char)out->bytes[out->len - 1]);
            buf_add_char(out, *at);
            at++;
            continue;
        }
        fraction = false;
        at += n;
    }
}

void reply_message(struct buf *out, const struct error *error) {
    static const char phrase[] = "maximum context length"; /* agents look for it */
    struct buf text = {0};
    buf_printf(&text, "%s: ", error_name(error->code));
    if (error->code == ERROR_CONTEXT_LENGTH && !strstr(error->message, phrase))
        buf_printf(&text, "the %s is exceeded: ", phrase);
    add_text(&text, error->message);
    if (text.failed)
        out->failed = true;
    else
        json_quote(out, (struct text){text.bytes, text.len});
    buf_free(&text);
}

static struct text text_of(const char *string) {
    return (struct text){string, strlen(string)};
}

/* A member of data; the first opens it. */
static void data_member(struct buf *out, bool *open, const char *name) {
    buf_printf(out, "%s\"%s\":", *open ? "," : ",\"data\":{", name);
    *open = true;
}

static void data_string(struct buf *out, bool *open, const char *name, const char *value) {
    data_member(out, open, name);
    json_quote(out, text_of(value));
}

static void data_number(struct buf *out, bool *open, const char *name, uint64_t value) {
    data_member(out, open, name);
    buf_printf(out, "%llu", (unsigned long long)value);
}

static void data_partial(struct buf *out, bool *open, const struct generation_result *partial) {
    if (!partial) return;
    data_member(out, open, "partial");
    reply_partial(out, partial);
}

static const char *phase_of(const struct error *error, const struct generation_result *partial) {
    if (partial && partial->phase) return partial->phase;
    return error->reason[0] ? error->reason : "queued";
}

/* The members of the contract's table, for each code. */
static bool add_data(struct buf *out, const struct error *error,
                     const struct generation_result *partial) {
    bool open = false;
    switch (error->code) {
    case ERROR_OVERLOADED:
        data_number(out, &open, "retry_after_ms", error->numbers[0]);
        data_number(out, &open, "queue_depth", error->numbers[1]);
        break;
    case ERROR_DEADLINE:
        data_string(out, &open, "phase", phase_of(error, partial));
        data_partial(out, &open, partial);
        break;
    case ERROR_CONTEXT_LENGTH:
        data_number(out, &open, "prompt_tokens", error->numbers[0]);
        data_number(out, &open, "max_tokens", error->numbers[1]);
        data_number(out, &open, "n_ctx", error->numbers[2]);
        break;
    case ERROR_SCHEMA_UNSUPPORTED:
        data_string(out, &open, "path", error->path);
        data_string(out, &open, "keyword", error->keyword);
        data_string(out, &open, "reason", error->reason);
        break;
    case ERROR_MODEL_NOT_READY: data_string(out, &open, "reason", error->reason); break;
    case ERROR_MESSAGE_TOO_LARGE: data_number(out, &open, "limit", error->numbers[0]); break;
    case ERROR_CANCELLED:
        data_string(out, &open, "reason", error->reason[0] ? error->reason : "client");
        data_partial(out, &open, partial);
        break;
    case ERROR_UNSUPPORTED_PROTOCOL:
        data_member(out, &open, "supported");
        buf_add_str(out, "[1]");
        break;
    case ERROR_TEMPLATE:
        if (error->numbers[0]) data_number(out, &open, "line", error->numbers[0]);
        break;
    case ERROR_INVALID_PARAMS:
    case ERROR_OUTPUT_INVALID: data_string(out, &open, "path", error->path); break;
    default: break;
    }
    return open;
}

void reply_error(struct buf *out, const char *id, const struct error *error,
                 const struct generation_result *partial) {
    buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":",
               id ? id : "null", (int)error->code);
    reply_message(out, error);
    buf_add_str(out, add_data(out, error, partial) ? "}}}" : "}}");
}
