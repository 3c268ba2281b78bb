/* tool-call, chat and complete: one answer. */
#include "clients/plmctl.h"

#include <string.h>
#include <unistd.h>

#include "proto/proto.h"

static struct text text_of(const char *string) {
    return (struct text){string, strlen(string)};
}

/* ---- showing ---- */

/* NAME ARGUMENTS, a line each. */
static size_t show_calls(struct text result) {
    struct span_walk walk = span_open(span_member(result, "calls"));
    struct text call;
    size_t n = 0;
    for (; span_next(&walk, &call); n++) {
        struct buf name = {0};
        span_decode(&name, span_member(call, "name"));
        if (name.bytes) show_text((struct text){name.bytes, name.len});
        putchar(' ');
        show_line(span_member(call, "arguments"));
        buf_free(&name);
    }
    return n;
}

/* What streaming has not shown: all, the rest, or, where notifications were lost, all again. */
static void show_content(struct session *session, struct text content) {
    const struct buf *shown = &session->streamed;
    bool begun = shown->len <= content.len &&
                 memcmp(shown->bytes ? shown->bytes : "", content.bytes, shown->len) == 0;
    if (shown->len && !begun) putchar('\n');
    show_line(begun ? (struct text){content.bytes + shown->len, content.len - shown->len}
                    : content);
}

static void say_finish(struct text result) {
    if (span_equals(span_member(result, "finish_reason"), "length"))
        fputs("plmctl: cut off: max_tokens or the context's end was reached\n", stderr);
}

void generate_show(struct session *session) {
    struct text result = talk_result(session);
    struct buf content = {0};
    if (session->options->json) {
        show_line(result);
        return;
    }
    if (span_decode(&content, span_member(result, "content")) && content.len)
        show_content(session, (struct text){content.bytes, content.len});
    show_calls(result);
    say_finish(result);
    buf_free(&content);
}

/* ---- asking ---- */

static bool generate_streams(const struct options *options) {
    if (options->json || options->tools) return false;
    return options->stream || isatty(STDOUT_FILENO);
}

static void add_messages(struct buf *params, const struct options *options,
                         const struct buf *text) {
    params_name(params, "messages");
    buf_add_char(params, '[');
    if (options->system) {
        params_message(params, "system", text_of(options->system));
        buf_add_char(params, ',');
    }
    params_message(params, "user", (struct text){text->bytes, text->len});
    buf_add_char(params, ']');
}

static int generate(struct session *session, const char *method) {
    struct buf text = {0}, params = {0};
    int status = EXIT_USAGE;
    if (input_words(&text, session->options) && params_open(&params, session)) {
        if (strcmp(method, "complete") == 0)
            params_string(&params, "prompt", (struct text){text.bytes, text.len});
        else
            add_messages(&params, session->options, &text);
        buf_add_char(&params, '}');
        if (!params.failed) status = talk_call(session, method, params.bytes);
    }
    buf_free(&text);
    buf_free(&params);
    if (status == EXIT_OK) generate_show(session);
    return status;
}

static bool one_format(const struct options *options) {
    return !!options->schema + !!options->regex + !!options->gbnf <= 1;
}

int command_tool_call(struct session *session) {
    if (!session->options->tools) return talk_usage("tool-call wants --tools FILE");
    const struct options *options = session->options;
    if (options->schema || options->regex || options->gbnf)
        return talk_usage("--schema, --regex and --gbnf are for chat and complete");
    return generate(session, "tool_call");
}

int command_chat(struct session *session) {
    if (!one_format(session->options)) return talk_usage("give one of --schema, --regex, --gbnf");
    session->streaming = generate_streams(session->options);
    return session->options->n_words ? generate(session, "chat") : chat_loop(session);
}

int command_complete(struct session *session) {
    if (session->options->tools || session->options->choice || session->options->system)
        return talk_usage("complete takes no --tools, --choice or --system");
    if (!one_format(session->options)) return talk_usage("give one of --schema, --regex, --gbnf");
    session->streaming = generate_streams(session->options);
    return generate(session, "complete");
}
