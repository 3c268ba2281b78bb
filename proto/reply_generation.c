/* A finished generation as the result of tool_call, chat and complete. */
#include "proto/reply.h"

#include <string.h>

static const char *finish_name(enum finish_reason finish) {
    switch (finish) {
    case FINISH_STOP: return "stop";
    case FINISH_TOOL_CALLS: return "tool_calls";
    case FINISH_LENGTH: return "length";
    case FINISH_INVALID: return "invalid";
    }
    return "invalid";
}

/* ids NULL: calls without ids. Arguments go out as the bytes that were generated and validated. */
static void add_calls(struct buf *out, const struct generation_result *result, const char *ids) {
    buf_add_str(out, "\"calls\":[");
    for (size_t i = 0; i < result->n_calls; i++) {
        const struct result_call *call = &result->calls[i];
        buf_add_str(out, i ? ",{" : "{");
        if (ids) buf_printf(out, "\"id\":\"call_%s_%zu\",", ids, i);
        buf_add_str(out, "\"name\":");
        json_quote(out, call->name);
        buf_add_str(out, ",\"arguments\":");
        if (call->arguments.bytes)
            buf_add(out, call->arguments.bytes, call->arguments.len);
        else
            buf_add_str(out, "{}");
        buf_add_char(out, '}');
    }
    buf_add_str(out, "],\"content\":");
    if (result->content.bytes)
        json_quote(out, result->content);
    else
        buf_add_str(out, "null");
}

static void add_usage(struct buf *out, const struct generation_result *result) {
    const struct {
        const char *name;
        uint64_t value;
    } usage[] = {
        {"prompt_tokens", result->prompt_tokens},
        {"cached_tokens", result->cached_tokens},
        {"completion_tokens", result->completion_tokens},
        {"forced_tokens", result->forced_tokens},
        {"drafted_tokens", result->drafted_tokens},
        {"accepted_tokens", result->accepted_tokens},
        {"steps", result->steps},
        {"total_tokens", result->prompt_tokens + result->completion_tokens},
    };
    buf_add_str(out, ",\"usage\":{");
    for (size_t i = 0; i < sizeof usage / sizeof *usage; i++)
        buf_printf(out, "%s\"%s\":%llu", i ? "," : "", usage[i].name,
                   (unsigned long long)usage[i].value);
    buf_add_char(out, '}');
}

static void add_timing(struct buf *out, const struct generation_result *result) {
    const struct {
        const char *name;
        double value;
    } timing[] = {
        {"queue_ms", result->queue_ms},
        {"prefill_ms", result->prefill_ms},
        {"decode_ms", result->decode_ms},
        {"total_ms", result->total_ms},
    };
    buf_add_str(out, ",\"timing\":{");
    for (size_t i = 0; i < sizeof timing / sizeof *timing; i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "", timing[i].name);
        reply_number(out, timing[i].value);
    }
    buf_add_char(out, '}');
}

static void add_cache(struct buf *out, const struct generation_result *result) {
    const char *key = result->cache_key;
    size_t n = 0;
    while (n < sizeof result->cache_key && key[n]) n++;
    buf_add_str(out, ",\"cache\":{\"key\":");
    json_quote(out, (struct text){key, n});
    buf_printf(out, ",\"hit_tokens\":%llu,\"source\":\"%s\"}",
               (unsigned long long)result->cached_tokens, !result->cache_hit ? "none" : result->cache_disk ? "disk" : "ram");
}

static void add_top(struct buf *out, const struct token_logprobs *one) {
    for (size_t i = 0; i < one->n_top; i++) {
        buf_printf(out, "%s{\"token\":%u,\"logprob\":", i ? "," : "", one->top[i].token);
        reply_logprob(out, one->top[i].logprob);
        buf_add_char(out, '}');
    }
}

void reply_logprobs(struct buf *out, const struct token_logprobs *list, size_t n) {
    buf_add_str(out, ",\"logprobs\":[");
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s{\"token\":%u,\"logprob\":", i ? "," : "", list[i].token);
        reply_logprob(out, list[i].logprob);
        buf_add_str(out, ",\"top\":[");
        add_top(out, &list[i]);
        buf_add_str(out, "]}");
    }
    buf_add_char(out, ']');
}

static void add_member(struct buf *out, const char *name, const char *value) {
    buf_printf(out, "\"%s\":", name);
    json_quote(out, (struct text){value, strlen(value)});
    buf_add_char(out, ',');
}

static void add_warnings(struct buf *out, const struct result_warning *list, size_t n) {
    buf_add_str(out, ",\"warnings\":[");
    for (size_t i = 0; i < n; i++) {
        buf_add_str(out, i ? ",{" : "{");
        add_member(out, "path", list[i].path);
        add_member(out, "keyword", list[i].keyword);
        add_member(out, "reason", list[i].reason);
        buf_printf(out, "\"validated\":%s}", list[i].judged ? "true" : "false");
    }
    buf_add_char(out, ']');
}

void reply_partial(struct buf *out, const struct generation_result *partial) {
    buf_add_char(out, '{');
    add_calls(out, partial, NULL);
    add_usage(out, partial);
    add_timing(out, partial);
    buf_add_char(out, '}');
}

void reply_generation(struct buf *out, const char *id, const struct generation_result *result,
                      const char *model, const char *call_ids) {
    reply_open(out, id);
    buf_add_char(out, '{');
    add_calls(out, result, call_ids);
    buf_printf(out, ",\"finish_reason\":\"%s\"", finish_name(result->finish));
    add_usage(out, result);
    add_timing(out, result);
    add_cache(out, result);
    buf_add_str(out, ",\"model\":");
    json_quote(out, (struct text){model, model ? strlen(model) : 0});
    buf_printf(out, ",\"seed\":%llu", (unsigned long long)result->seed);
    if (result->has_now) buf_printf(out, ",\"now\":%lld", (long long)result->now);
    if (result->n_warnings) add_warnings(out, result->warnings, result->n_warnings);
    if (result->logprobs) reply_logprobs(out, result->logprobs, result->n_logprobs);
    buf_add_str(out, "}}");
}
