#include "engine/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/hash.h"
#include "engine/held.h"

enum { MAX_SCHEMA_DEPTH = 128 };

struct forming {
    struct form *form;
    const struct generation_spec *spec;
    const struct chat *chat;
};

static bool has_calls(const struct generation_spec *spec) {
    return spec->n_tools && spec->choice != CHOICE_NONE;
}

bool form_wanted(const struct generation_spec *spec) {
    return has_calls(spec) || spec->format != FORMAT_TEXT;
}

static bool same_text(struct text a, struct text b) {
    return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

/* The tools that may be called: all, or the named one. */
static bool callable(const struct generation_spec *spec, size_t i) {
    return spec->choice != CHOICE_NAMED || same_text(spec->tools[i].name, spec->choice_name);
}

/* ---- the key ---------------------------------------------------------------------------- */

static void add_number(struct buf *key, uint64_t number) {
    buf_add(key, &number, sizeof number);
}

/* With its length, so that no two lists of texts have the same bytes; an absent one is no empty
 * one. */
static void add_text(struct buf *key, struct text text) {
    add_number(key, text.bytes ? text.len : UINT64_MAX);
    if (text.bytes) buf_add(key, text.bytes, text.len);
}

static void add_tools(struct buf *key, const struct generation_spec *spec) {
    add_number(key, spec->choice == CHOICE_AUTO);
    add_number(key, spec->max_calls);
    add_number(key, spec->n_tools);
    for (size_t i = 0; i < spec->n_tools; i++) {
        add_number(key, callable(spec, i));
        if (!callable(spec, i)) continue;
        add_text(key, spec->tools[i].name);
        add_text(key, spec->tools[i].schema);
    }
}

bool form_key_make(struct form_key *key, const struct generation_spec *spec) {
    struct buf bytes = {0};
    add_number(&bytes, has_calls(spec));
    add_number(&bytes, spec->style);
    add_number(&bytes, spec->widen);
    if (has_calls(spec)) {
        add_tools(&bytes, spec);
    } else {
        add_number(&bytes, spec->format);
        add_text(&bytes, spec->format_schema);
    }
    bool made = !bytes.failed;
    *key = (struct form_key){0};
    if (made)
        *key = (struct form_key){bytes.bytes, bytes.len, hash_bytes(1, bytes.bytes, bytes.len)};
    if (!made) buf_free(&bytes);
    return made;
}

/* ---- the grammar ---------------------------------------------------------------------- */

static struct grammar_tool grammar_tool(const struct tool *tool) {
    return (struct grammar_tool){tool->name.bytes, tool->name.len, tool->schema.bytes,
                                 tool->schema.len};
}

struct toolbox {
    struct grammar_tool *tools;
    struct text *made; /* widened schemas */
    size_t *index;     /* in the request */
    size_t n;
};

static void toolbox_close(struct toolbox *box) {
    for (size_t i = 0; box->made && i < box->n; i++) free((char *)box->made[i].bytes);
    free(box->tools);
    free(box->made);
    free(box->index);
}

static bool toolbox_open(struct toolbox *box, const struct generation_spec *spec) {
    *box = (struct toolbox){.tools = calloc(spec->n_tools, sizeof *box->tools),
                            .made = calloc(spec->n_tools, sizeof *box->made),
                            .index = calloc(spec->n_tools, sizeof *box->index)};
    if (!box->tools || !box->made || !box->index) return false;
    for (size_t i = 0; i < spec->n_tools; i++) {
        if (!callable(spec, i)) continue;
        box->tools[box->n] = grammar_tool(&spec->tools[i]);
        box->index[box->n++] = i;
    }
    return true;
}

static struct grammar *grammar_of(const struct forming *f, const struct grammar_tool *tools,
                                  size_t n, struct error *error) {
    const struct generation_spec *spec = f->spec;
    struct grammar_syntax syntax = chat_syntax(f->chat, spec->style);
    return grammar_from_tools(tools, n, spec->choice == CHOICE_AUTO ? GRAMMAR_AUTO : GRAMMAR_CALLS,
                              spec->max_calls ? spec->max_calls : 1, &syntax, NULL, error);
}

/* Names the tool in an error as the request counts them. */
static void renumber(struct error *error, size_t from, size_t to) {
    char old[32], new[32];
    snprintf(old, sizeof old, "tools[%zu]", from);
    snprintf(new, sizeof new, "tools[%zu]", to);
    if (strncmp(error->path, old, strlen(old)) == 0) error_relocate(error, old, new);
}

struct attempt { /* at one schema */
    const struct forming *f;
    struct grammar_tool tool;
    size_t index;
};

static bool try_tool(void *user, struct text schema, struct error *error) {
    struct attempt *attempt = user;
    attempt->tool.schema = schema.bytes;
    attempt->tool.schema_len = schema.len;
    struct grammar *grammar = grammar_of(attempt->f, &attempt->tool, 1, error);
    renumber(error, 0, attempt->index);
    grammar_unref(grammar);
    return grammar != NULL;
}

/* Each tool by itself: one that can't be honoured does not keep others from being. */
static bool widen_tools(struct forming *f, struct toolbox *box, struct error *error) {
    char place[48];
    for (size_t i = 0; i < box->n; i++) {
        struct attempt attempt = {f, box->tools[i], box->index[i]};
        snprintf(place, sizeof place, "tools[%zu].parameters", box->index[i]);
        if (!widen_schema(f->spec->tools[box->index[i]].schema, &box->made[i], place, try_tool,
                          &attempt, &f->form->warnings, true, error))
            return false;
        if (!box->made[i].bytes) continue;
        box->tools[i].schema = box->made[i].bytes;
        box->tools[i].schema_len = box->made[i].len;
    }
    return true;
}

static bool compile_box(struct forming *f, struct toolbox *box, struct error *error) {
    struct error refusal = {0};
    if (!box->n)
        return error_at(error, ERROR_INVALID_PARAMS, "tool_choice",
                        "names no tool of this request");
    f->form->grammar = grammar_of(f, box->tools, box->n, &refusal);
    if (!f->form->grammar && f->spec->widen && refusal.code == ERROR_SCHEMA_UNSUPPORTED) {
        if (!widen_tools(f, box, error)) return false;
        refusal = (struct error){0};
        f->form->grammar = grammar_of(f, box->tools, box->n, &refusal);
    }
    if (box->n == 1) renumber(&refusal, 0, box->index[0]);
    if (!f->form->grammar) *error = refusal;
    return f->form->grammar != NULL;
}

static bool compile_tools(struct forming *f, struct error *error) {
    struct toolbox box;
    bool ok = toolbox_open(&box, f->spec)
                  ? compile_box(f, &box, error)
                  : error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the tools");
    toolbox_close(&box);
    return ok;
}

static bool try_format(void *user, struct text schema, struct error *error) {
    struct forming *f = user;
    f->form->grammar = grammar_from_format(schema.bytes, schema.len,
                                           f->spec->style != STYLE_COMPACT, error);
    return f->form->grammar != NULL;
}

static bool compile_schema(struct forming *f, struct error *error) {
    struct text made;
    if (!f->spec->widen) return try_format(f, f->spec->format_schema, error);
    bool ok = widen_schema(f->spec->format_schema, &made, "", try_format, f, &f->form->warnings,
                           true, error);
    free((char *)made.bytes);
    return ok;
}

static bool compile_grammar(struct forming *f, struct error *error) {
    const struct generation_spec *spec = f->spec;
    bool spaced = spec->style != STYLE_COMPACT;
    bool calls = has_calls(spec);
    if (calls) return compile_tools(f, error);
    if (spec->format == FORMAT_JSON_OBJECT) f->form->grammar = grammar_json_object(spaced, error);
    if (spec->format == FORMAT_JSON_SCHEMA) return compile_schema(f, error);
    if (spec->format == FORMAT_REGEX)
        f->form->grammar = grammar_from_regex(spec->format_schema.bytes, spec->format_schema.len,
                                              "response_format.pattern", error);
    if (spec->format == FORMAT_GBNF)
        f->form->grammar = grammar_from_gbnf(spec->format_schema.bytes, spec->format_schema.len,
                                             "response_format.grammar", error);
    return f->form->grammar != NULL;
}

/* ---- the validators --------------------------------------------------------------------- */

static bool check_make(struct answer_check *check, struct text schema, unsigned flags,
                       struct error *error) {
    check->schema = json_parse(schema.bytes, schema.len, MAX_SCHEMA_DEPTH, error);
    if (check->schema) check->validator = validator_new(json_root(check->schema), flags, error);
    return check->validator != NULL;
}

static void check_clear(struct answer_check *check) {
    validator_free(check->validator);
    json_free(check->schema);
    *check = (struct answer_check){.text = check->text};
}

struct making {
    struct answer_check *check;
    unsigned flags;
    const char *place;
};

static bool try_check(void *user, struct text schema, struct error *error) {
    struct making *making = user;
    check_clear(making->check);
    if (check_make(making->check, schema, making->flags, error)) return true;
    error_relocate(error, "", making->place);
    return false;
}

/* Of a schema that is taken as it is; documents point into their text. */
static bool check_given(struct making *making, struct text schema, struct error *error) {
    struct answer_check *check = making->check;
    check->text = malloc(schema.len + 1);
    if (!check->text) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a validator");
    memcpy(check->text, schema.bytes, schema.len);
    return try_check(making, (struct text){check->text, schema.len}, error);
}

/* The validator of a schema. What it cannot judge, and the decoder cannot hold either, is dropped
 * only if the request says so. */
static bool check_init(struct forming *f, struct answer_check *check, struct text schema,
                       unsigned flags, const char *place, struct error *error) {
    static const char none[] = "{\"type\":\"object\",\"properties\":{}}";
    struct making making = {check, flags, place};
    struct text made = {0};
    if (!schema.bytes) schema = (struct text){none, sizeof none - 1};
    if (!f->spec->widen) return check_given(&making, schema, error);
    bool ok =
        widen_schema(schema, &made, place, try_check, &making, &f->form->warnings, false, error);
    check->text = (char *)made.bytes;
    if (!ok || check->text) return ok;
    check_clear(check); /* it was tried on the request's own text */
    return check_given(&making, schema, error);
}

static bool make_text_check(struct forming *f, struct error *error) {
    struct text format = f->spec->format_schema;
    bool regex = f->spec->format == FORMAT_REGEX;
    f->form->text_check =
        regex ? text_check_regex(format.bytes, format.len, "response_format.pattern", error)
              : text_check_gbnf(format.bytes, format.len, "response_format.grammar", error);
    return f->form->text_check != NULL;
}

static bool make_checks(struct forming *f, struct error *error) {
    const struct generation_spec *spec = f->spec;
    bool calls = has_calls(spec);
    bool format = !calls && spec->format == FORMAT_JSON_SCHEMA;
    char place[48];
    if (!calls && (spec->format == FORMAT_REGEX || spec->format == FORMAT_GBNF))
        return make_text_check(f, error);
    if (!calls && !format) return true;
    f->form->n_checks = calls ? spec->n_tools : 1;
    f->form->checks = calloc(f->form->n_checks, sizeof *f->form->checks);
    if (!f->form->checks)
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the validators");
    if (format) return check_init(f, &f->form->checks[0], spec->format_schema, VALIDATE_ALL_FORMATS, "",
                                   error);
    for (size_t i = 0; i < f->form->n_checks; i++) {
        snprintf(place, sizeof place, "tools[%zu].parameters", i);
        if (callable(spec, i) && !check_init(f, &f->form->checks[i], spec->tools[i].schema,
                                             VALIDATE_ALL_FORMATS | VALIDATE_CLOSED, place, error))
            return false;
    }
    return true;
}

/* ---- life ------------------------------------------------------------------------------- */

struct form *form_new(struct form_key *key, const struct generation_spec *spec,
                      const struct chat *chat, struct error *error) {
    struct form *form = calloc(1, sizeof *form);
    if (!form) {
        free(key->bytes);
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the grammar");
        return NULL;
    }
    atomic_init(&form->references, 1);
    form->key = *key;
    struct forming forming = {form, spec, chat};
    if (compile_grammar(&forming, error) && make_checks(&forming, error)) return form;
    form_unref(form);
    return NULL;
}

struct form *form_ref(struct form *form) {
    atomic_fetch_add_explicit(&form->references, 1, memory_order_relaxed);
    return form;
}

void form_unref(struct form *form) {
    if (!form) return;
    if (atomic_fetch_sub_explicit(&form->references, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < form->n_checks; i++) {
        check_clear(&form->checks[i]);
        free(form->checks[i].text);
    }
    free(form->checks);
    free(form->warnings.of);
    text_check_free(form->text_check);
    grammar_unref(form->grammar);
    free(form->key.bytes);
    free(form);
}

size_t form_bytes(const struct form *form) {
    size_t bytes =
        held(form) + held(form->key.bytes) + held(form->checks) + held(form->warnings.of);
    for (size_t i = 0; i < form->n_checks; i++) {
        const struct answer_check *check = &form->checks[i];
        bytes += held(check->text) + json_bytes(check->schema) + validator_bytes(check->validator);
    }
    return bytes + text_check_bytes(form->text_check) + grammar_bytes(form->grammar);
}

bool form_sound(const struct form *form) {
    return grammar_sound(form->grammar);
}
