/* Results for people, and the commands that only show one. */
#include "clients/plmctl.h"

#include <string.h>
#include <unistd.h>

#include "proto/proto.h"

/* Bytes that would steer a terminal. C1 controls are two bytes in UTF-8. */
static bool steers(const char *at, size_t left) {
    unsigned char c = (unsigned char)*at;
    if (c == 0xC2 && left > 1) return (unsigned char)at[1] < 0xA0;
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
}

void show_text(struct text text) {
    if (!isatty(STDOUT_FILENO)) {
        fwrite(text.bytes, 1, text.len, stdout);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool bad = steers(text.bytes + i, text.len - i);
        if (bad && (unsigned char)text.bytes[i] == 0xC2) i++;
        putchar(bad ? '?' : text.bytes[i]);
    }
}

void show_line(struct text text) {
    show_text(text);
    if (text.len == 0 || text.bytes[text.len - 1] != '\n') putchar('\n');
}

/* ---- name: value ---- */

static void show_value(struct text value) {
    struct buf decoded = {0};
    if (span_decode(&decoded, value)) value = (struct text){decoded.bytes, decoded.len};
    show_line(value);
    buf_free(&decoded);
}

/* Objects inside become NAME.MEMBER. The depth is bounded: what lies deeper is shown as JSON. */
static void show_members(struct text object, const char *prefix, int depth) {
    struct span_walk walk = span_open(object);
    struct text key, value;
    while (span_next_member(&walk, &key, &value)) {
        struct buf name = {0};
        buf_add_str(&name, prefix);
        span_decode(&name, key);
        if (value.bytes[0] == '{' && depth < 4 && buf_add_char(&name, '.')) {
            show_members(value, name.bytes, depth + 1);
        } else if (!name.failed && name.bytes) {
            show_text((struct text){name.bytes, name.len});
            fputs(": ", stdout);
            show_value(value);
        }
        buf_free(&name);
    }
}

int command_show(struct session *session, const char *method) {
    struct buf params = {0};
    const char *model = session->options->model;
    if (model && strcmp(method, "model.info") == 0) {
        buf_add_str(&params, "{\"model\":");
        json_quote(&params, (struct text){model, strlen(model)});
        buf_add_char(&params, '}');
    }
    int status = talk_call(session, method, params.bytes);
    buf_free(&params);
    if (status != EXIT_OK) return status;
    if (session->options->json)
        show_line(talk_result(session));
    else
        show_members(talk_result(session), "", 0);
    return EXIT_OK;
}

/* ---- tokenize ---- */

static void show_tokens(struct text result) {
    struct span_walk walk = span_open(span_member(result, "tokens"));
    struct text token;
    for (bool first = true; span_next(&walk, &token); first = false) {
        if (!first) putchar(' ');
        show_text(token);
    }
    putchar('\n');
}

int command_tokenize(struct session *session) {
    struct buf text = {0}, params = {0};
    int status = EXIT_USAGE;
    if (input_words(&text, session->options)) {
        buf_add_str(&params, "{\"text\":");
        json_quote(&params, (struct text){text.bytes, text.len});
        if (session->options->model)
            params_string(&params, "model",
                          (struct text){session->options->model, strlen(session->options->model)});
        buf_add_char(&params, '}');
        status = talk_call(session, "tokenize", params.bytes);
    }
    if (status == EXIT_OK && session->options->json)
        show_line(talk_result(session));
    else if (status == EXIT_OK)
        show_tokens(talk_result(session));
    buf_free(&text);
    buf_free(&params);
    return status;
}

/* ---- call ---- */

int command_call(struct session *session) {
    const struct options *options = session->options;
    struct buf params = {0};
    const char *json = options->n_words == 2 ? options->words[1] : NULL;
    bool fine = !json || (strcmp(json, "-") == 0
                              ? input_json_file(&params, "-")
                              : input_json(&params, (struct text){json, strlen(json)}, "PARAMS"));
    session->raw_notifications = true;
    int status =
        fine ? talk_call(session, options->words[0], json ? params.bytes : NULL) : EXIT_USAGE;
    if (status == EXIT_OK) show_line(talk_result(session));
    buf_free(&params);
    return status;
}
