#include "engine/chat.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "engine/json_write.h"

enum { MAX_JSON_DEPTH = 128 };

static const char call_open[] = "<tool_call>\n", call_close[] = "\n</tool_call>", call_between[] = "\n";

/* ---- recognising the model's template ------------------------------------------------ */

static bool text_has(struct text text, const char *needle) {
    return memmem(text.bytes, text.len, needle, strlen(needle)) != NULL;
}

/* The literal between "<|im_start|>system\n" and "<|im_end|>" that a ChatML template prints when no
 * system message leads; absent if there is none. */
static struct text find_default_system(struct text template) {
    static const char opening[] = "<|im_start|>system", closing[] = "<|im_end|>";
    const char *end = template.bytes + template.len;
    const char *at = memmem(template.bytes, template.len, opening, sizeof opening - 1);
    if (!at) return (struct text){0};
    at += sizeof opening - 1;
    if (at < end && *at == '\n') at++;
    else if (end - at > 2 && at[0] == '\\' && at[1] == 'n') at += 2;
    else return (struct text){0};
    const char *stop = memmem(at, (size_t)(end - at), closing, sizeof closing - 1);
    if (!stop || memchr(at, '\'', (size_t)(stop - at)) || memchr(at, '{', (size_t)(stop - at)))
        return (struct text){0};
    return (struct text){at, (size_t)(stop - at)};
}

void chat_init(struct chat *chat, const struct gguf *gguf, const struct vocab *vocab) {
    struct gguf_string found;
    *chat = (struct chat){.kind = CHAT_NONE, .vocab = vocab};
    chat->start = vocab_find(vocab, "<|im_start|>", 12);
    chat->end = vocab_find(vocab, "<|im_end|>", 10);
    if (!gguf_get_string(gguf, "tokenizer.chat_template", &found)) return;
    struct text template = {found.bytes, found.len};
    chat->kind = CHAT_OTHER;
    if (chat->start == TOKEN_NONE || chat->end == TOKEN_NONE || !text_has(template, "<|im_start|>") ||
        text_has(template, "tool"))
        return;
    chat->kind = CHAT_CHATML;
    chat->default_system = find_default_system(template);
}

struct grammar_syntax chat_syntax(const struct chat *chat, enum json_style style) {
    (void)chat;
    return (struct grammar_syntax){call_open, call_close, call_between, style != STYLE_COMPACT};
}

/* ---- writing ------------------------------------------------------------------------- */

/* Template and content text collect in `run`; only the special tokens that the template itself
 * writes cut it, so content can't forge one and words merge across the seam as in any text. */
struct writer {
    const struct chat *chat;
    const struct generation_spec *spec;
    struct buf run;
    struct buf *text;
    struct tokens *tokens;
    struct error *error;
    bool spaced;
    bool first_run;
};

static bool write_flush(struct writer *w) {
    bool ok = !w->run.failed;
    if (ok && w->tokens && w->run.len)
        ok = tokenize(w->chat->vocab, w->tokens, w->run.bytes, w->run.len,
                      w->first_run ? 0 : TOKENIZE_CONTINUE, w->error);
    if (ok && w->text) ok = buf_add(w->text, w->run.bytes, w->run.len);
    if (w->run.len) w->first_run = false;
    w->run.len = 0;
    return ok || error_set(w->error, ERROR_OUT_OF_MEMORY, "no memory for the prompt");
}

static bool write_special(struct writer *w, uint32_t token) {
    uint32_t len;
    const char *bytes = vocab_bytes(w->chat->vocab, token, &len);
    if (!write_flush(w)) return false;
    w->first_run = false;
    if ((w->tokens && !tokens_add(w->tokens, token)) || (w->text && !buf_add(w->text, bytes, len)))
        return error_set(w->error, ERROR_OUT_OF_MEMORY, "no memory for the prompt");
    return true;
}

static void write_text(struct writer *w, struct text text) {
    buf_add(&w->run, text.bytes, text.len);
}

static void write_str(struct writer *w, const char *string) {
    buf_add_str(&w->run, string);
}

static bool write_turn(struct writer *w, const char *role) {
    if (!write_special(w, w->chat->start)) return false;
    write_str(w, role);
    write_str(w, "\n");
    return true;
}

static bool write_turn_end(struct writer *w) {
    if (!write_special(w, w->chat->end)) return false;
    write_str(w, "\n");
    return true;
}

/* ---- tools --------------------------------------------------------------------------- */

static bool write_schema(struct writer *w, const struct tool *tool, size_t index) {
    struct error inner = {0};
    if (!tool->schema.bytes) {
        write_str(w, w->spaced ? "{\"type\": \"object\", \"properties\": {}}"
                               : "{\"type\":\"object\",\"properties\":{}}");
        return true;
    }
    struct json_doc *doc = json_parse(tool->schema.bytes, tool->schema.len, MAX_JSON_DEPTH, &inner);
    if (!doc) {
        char path[64];
        snprintf(path, sizeof path, "tools[%zu].parameters", index);
        return error_at(w->error, inner.code == ERROR_OUT_OF_MEMORY ? inner.code : ERROR_INVALID_PARAMS,
                        path, "%s", inner.message);
    }
    json_write(&w->run, json_root(doc), w->spaced);
    json_free(doc);
    return true;
}

/* One line a tool: {"name": .., "description": .., "parameters": ..} */
static bool write_tool(struct writer *w, const struct tool *tool, size_t index) {
    const char *colon = w->spaced ? ": " : ":", *comma = w->spaced ? ", " : ",";
    buf_printf(&w->run, "{\"name\"%s", colon);
    json_write_string(&w->run, tool->name);
    if (tool->description.bytes) {
        buf_printf(&w->run, "%s\"description\"%s", comma, colon);
        json_write_string(&w->run, tool->description);
    }
    buf_printf(&w->run, "%s\"parameters\"%s", comma, colon);
    if (!write_schema(w, tool, index)) return false;
    write_str(w, "}\n");
    return true;
}

static bool write_tools(struct writer *w) {
    const struct generation_spec *spec = w->spec;
    write_str(w, "You can call these functions:\n");
    for (size_t i = 0; i < spec->n_tools; i++)
        if (!write_tool(w, &spec->tools[i], i)) return false;
    write_str(w, "To call one, answer with its name and arguments as JSON:\n<tool_call>\n"
                 "{\"name\": \"function name\", \"arguments\": {\"parameter\": \"value\"}}\n</tool_call>");
    return true;
}

/* ---- messages ------------------------------------------------------------------------ */

static bool has_stable(const struct message *message) {
    for (size_t i = 0; i < message->n_parts; i++)
        if (message->parts[i].stable) return true;
    return false;
}

static void write_parts(struct writer *w, const struct message *message) {
    for (size_t i = 0; i < message->n_parts; i++) write_text(w, message->parts[i].text);
}

/* The stable parts when wanted_stable, else the others. */
static bool write_parts_where(struct writer *w, const struct message *message, bool wanted_stable) {
    bool any = false;
    for (size_t i = 0; i < message->n_parts; i++)
        if (message->parts[i].stable == wanted_stable) {
            write_text(w, message->parts[i].text);
            any = true;
        }
    return any;
}

/* The leading system turn: text, then tools. What the client marked as stable comes here; the rest of
 * the text follows right before the last user message (write_volatile). */
static bool write_system(struct writer *w, const struct message *system) {
    const struct generation_spec *spec = w->spec;
    struct text fallback = w->chat->default_system;
    bool text = system || fallback.bytes;
    if (!text && !spec->n_tools) return true;
    if (!write_turn(w, "system")) return false;
    if (system && has_stable(system)) write_parts_where(w, system, true);
    else if (system) write_parts(w, system);
    else if (fallback.bytes) write_text(w, fallback);
    if (spec->n_tools) {
        if (text) write_str(w, "\n\n");
        if (!write_tools(w)) return false;
    }
    return write_turn_end(w);
}

static bool write_volatile(struct writer *w, const struct message *system) {
    if (!system || !has_stable(system)) return true;
    bool any = false;
    for (size_t i = 0; i < system->n_parts; i++) any |= !system->parts[i].stable;
    if (!any) return true;
    if (!write_turn(w, "system")) return false;
    write_parts_where(w, system, false);
    return write_turn_end(w);
}

static const struct tool *find_tool(const struct generation_spec *spec, struct text name) {
    for (size_t i = 0; i < spec->n_tools; i++)
        if (spec->tools[i].name.len == name.len && memcmp(spec->tools[i].name.bytes, name.bytes, name.len) == 0)
            return &spec->tools[i];
    return NULL;
}

/* A call of the history, in the form that generation writes: decoded values, the schema's order. */
static bool write_call(struct writer *w, const struct message_call *call) {
    struct error inner = {0};
    const struct tool *tool = find_tool(w->spec, call->name);
    struct json_doc *schema = NULL, *arguments;
    const char *colon = w->spaced ? ": " : ":", *comma = w->spaced ? ", " : ",";
    arguments = json_parse(call->arguments.bytes, call->arguments.len, MAX_JSON_DEPTH, &inner);
    if (!arguments)
        return error_at(w->error, inner.code == ERROR_OUT_OF_MEMORY ? inner.code : ERROR_INVALID_PARAMS,
                        "messages", "arguments of an echoed call: %s", inner.message);
    if (tool && tool->schema.bytes)
        schema = json_parse(tool->schema.bytes, tool->schema.len, MAX_JSON_DEPTH, &(struct error){0});
    write_str(w, call_open);
    buf_printf(&w->run, "{\"name\"%s", colon);
    json_write_string(&w->run, call->name);
    buf_printf(&w->run, "%s\"arguments\"%s", comma, colon);
    json_write_ordered(&w->run, json_root(arguments), schema ? json_root(schema) : NULL, w->spaced);
    write_str(w, "}");
    write_str(w, call_close);
    json_free(arguments);
    json_free(schema);
    return true;
}

static bool write_assistant(struct writer *w, const struct message *message) {
    if (!write_turn(w, "assistant")) return false;
    size_t before = w->run.len;
    write_parts(w, message);
    for (size_t i = 0; i < message->n_calls; i++) {
        if (i) write_str(w, call_between);
        else if (w->run.len != before) write_str(w, "\n");
        if (!write_call(w, &message->calls[i])) return false;
    }
    return write_turn_end(w);
}

/* Results of calls that follow each other share one user turn. */
static bool write_tool_result(struct writer *w, const struct message *messages, size_t i) {
    bool first = i == 0 || messages[i - 1].role != ROLE_TOOL;
    bool last = i + 1 == w->spec->n_messages || messages[i + 1].role != ROLE_TOOL;
    if (first && !write_turn(w, "user")) return false;
    if (!first) write_str(w, "\n");
    write_str(w, "<tool_response>\n");
    write_parts(w, &messages[i]);
    write_str(w, "\n</tool_response>");
    return !last || write_turn_end(w);
}

static bool write_message(struct writer *w, size_t i) {
    const struct message *message = &w->spec->messages[i];
    if (message->role == ROLE_TOOL) return write_tool_result(w, w->spec->messages, i);
    if (message->role == ROLE_ASSISTANT) return write_assistant(w, message);
    if (!write_turn(w, message->role == ROLE_SYSTEM ? "system" : "user")) return false;
    write_parts(w, message);
    return write_turn_end(w);
}

static size_t last_user(const struct generation_spec *spec) {
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < spec->n_messages; i++)
        if (spec->messages[i].role == ROLE_USER) last = i;
    return last;
}

static bool write_conversation(struct writer *w) {
    const struct generation_spec *spec = w->spec;
    bool leads = spec->n_messages && spec->messages[0].role == ROLE_SYSTEM;
    const struct message *system = leads ? &spec->messages[0] : NULL;
    size_t user = last_user(spec);
    if (vocab_adds_bos(w->chat->vocab) && vocab_bos(w->chat->vocab) != TOKEN_NONE &&
        !write_special(w, vocab_bos(w->chat->vocab)))
        return false;
    if (!write_system(w, system)) return false;
    for (size_t i = leads; i < spec->n_messages; i++) {
        if (i == user && !write_volatile(w, system)) return false;
        if (!write_message(w, i)) return false;
    }
    if (user == SIZE_MAX && !write_volatile(w, system)) return false;
    return write_turn(w, "assistant") && write_flush(w);
}

bool chat_render(const struct chat *chat, const struct generation_spec *spec, struct buf *text,
                 struct tokens *tokens, struct error *error) {
    if (chat->kind == CHAT_NONE)
        return error_set(error, ERROR_TEMPLATE, "the model has no chat template: use complete");
    if (chat->kind == CHAT_OTHER)
        return error_set(error, ERROR_TEMPLATE,
                         "the model's chat template is not supported (only plain ChatML is): use complete");
    struct writer writer = {.chat = chat, .spec = spec, .text = text, .tokens = tokens, .error = error,
                            .spaced = spec->style != STYLE_COMPACT, .first_run = true};
    bool ok = write_conversation(&writer);
    buf_free(&writer.run);
    return ok;
}
