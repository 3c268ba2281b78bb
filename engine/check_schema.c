/* schema.check: asks the decoder's grammar and the validator, each by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_state.h"
#include "engine/grammar.h"
#include "engine/matcher.h"
#include "engine/validate.h"
#include "engine/widen.h"

enum { SCHEMA_NESTING = 128, INSTANCE_NESTING = 128 };

/* One question being answered. */
struct inquiry {
    const struct engine *engine;
    const struct schema_question *question;
    struct schema_verdict *verdict;
    struct error *error;
};

static bool no_memory(struct error *error) {
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory to check a schema");
}

/* ---- the decoder ---- */

static struct grammar *grammar_of_tools(const struct tool *tools, size_t n, bool spaced,
                                        struct error *error) {
    const struct grammar_syntax syntax = {"", "", "", spaced};
    struct grammar_tool *list = calloc(n, sizeof *list);
    if (!list) return no_memory(error), NULL;
    for (size_t i = 0; i < n; i++)
        list[i] = (struct grammar_tool){tools[i].name.bytes, tools[i].name.len,
                                        tools[i].schema.bytes, tools[i].schema.len};
    struct grammar *grammar =
        grammar_from_tools(list, n, GRAMMAR_CALLS, 1, &syntax, NULL, error);
    free(list);
    return grammar;
}

static struct grammar *grammar_of(const struct schema_question *question, bool spaced,
                                  struct error *error) {
    struct text schema = question->schema;
    if (schema.bytes)
        return grammar_from_schema(schema.bytes, schema.len, false, spaced, NULL, error);
    return grammar_of_tools(question->tools, question->n_tools, spaced, error);
}

/* Could exactly this text come out? */
static bool produces(const struct inquiry *inquiry, struct grammar *grammar) {
    struct text text = inquiry->question->instance;
    struct matcher *matcher = matcher_new(grammar, inquiry->engine->trie, inquiry->error);
    bool whole =
        matcher && matcher_accept(matcher, text.bytes, text.len) && matcher_may_end(matcher);
    matcher_free(matcher);
    return whole;
}

static void ask_decoder(struct inquiry *inquiry, const struct schema_question *question,
                        struct grammar *spaced) {
    struct schema_verdict *verdict = inquiry->verdict;
    verdict->accepts = produces(inquiry, spaced);
    if (verdict->accepts) return;
    struct grammar *compact = grammar_of(question, false, inquiry->error);
    verdict->accepts = compact && produces(inquiry, compact);
    grammar_unref(compact);
}

/* ---- the validator ---- */

struct judge {
    struct json_doc *schema;
    struct validator *validator;
};

static bool judge_init(struct judge *judge, struct text schema, bool closed, struct error *error) {
    static const char none[] = "{\"type\":\"object\",\"properties\":{}}";
    if (!schema.bytes) schema = (struct text){none, sizeof none - 1};
    judge->schema = json_parse(schema.bytes, schema.len, SCHEMA_NESTING, error);
    if (judge->schema)
        judge->validator =
            validator_new(json_root(judge->schema), VALIDATE_ALL_FORMATS | (closed ? VALIDATE_CLOSED : 0), error);
    return judge->validator != NULL;
}

static void judge_free(struct judge *judge) {
    validator_free(judge->validator);
    json_free(judge->schema);
}

/* The tool that a call names; NULL: it is no call of one. */
static const struct tool *tool_of(const struct schema_question *question, const struct json *call) {
    const struct json *name = json_get(call, "name");
    if (!name || name->type != JSON_STRING || call->len != 2 || !json_get(call, "arguments"))
        return NULL;
    for (size_t i = 0; i < question->n_tools; i++) {
        struct text own = question->tools[i].name;
        if (own.len == name->len && memcmp(own.bytes, name->text, own.len) == 0)
            return &question->tools[i];
    }
    return NULL;
}

static void judge_value(struct schema_verdict *verdict, struct text schema, bool closed,
                        const struct json *value) {
    struct judge judge = {0};
    verdict->judged = judge_init(&judge, schema, closed, &(struct error){0});
    verdict->valid = verdict->judged && validator_check(judge.validator, value, &(struct error){0});
    judge_free(&judge);
}

/* A text that is no JSON, or no call, is not valid whatever the schema. */
static void ask_validator(struct inquiry *inquiry) {
    const struct schema_question *question = inquiry->question;
    struct text text = question->instance;
    struct error error = {0};
    struct json_doc *doc = json_parse(text.bytes, text.len, INSTANCE_NESTING, &error);
    const struct json *value = doc ? json_root(doc) : NULL;
    const struct tool *tool = value && !question->schema.bytes ? tool_of(question, value) : NULL;
    inquiry->verdict->judged = true;
    if (tool)
        judge_value(inquiry->verdict, tool->schema, true, json_get(value, "arguments"));
    else if (value && question->schema.bytes)
        judge_value(inquiry->verdict, question->schema, false, value);
    json_free(doc);
    if (error.code == ERROR_OUT_OF_MEMORY) no_memory(inquiry->error);
}

/* ---- what is not supported ---- */

/* Keeps what a schema can't be honoured for. Anything else ends the inquiry. */
static bool note(struct inquiry *inquiry, const struct error *found) {
    struct schema_verdict *verdict = inquiry->verdict;
    if (found->code != ERROR_SCHEMA_UNSUPPORTED) {
        if (inquiry->error->code == ERROR_NONE) *inquiry->error = *found;
        return false;
    }
    size_t n = verdict->n_unsupported + 1;
    struct error *list = realloc(verdict->unsupported, n * sizeof *list);
    if (!list) return no_memory(inquiry->error);
    list[n - 1] = *found;
    verdict->unsupported = list;
    verdict->n_unsupported = n;
    return true;
}

/* Can the validator be made? The grammar of this schema could. */
static bool note_judge(struct inquiry *inquiry, struct text schema, bool closed,
                       const char *place) {
    struct error found = {0};
    struct judge judge = {0};
    bool made = judge_init(&judge, schema, closed, &found);
    judge_free(&judge);
    if (made) return true;
    bool params = found.code == ERROR_INVALID_PARAMS && !closed;
    error_relocate(&found, "", params ? "schema" : place);
    return note(inquiry, &found);
}

static bool note_tool(struct inquiry *inquiry, size_t i, bool compiled) {
    const struct tool *tool = &inquiry->question->tools[i];
    struct error found = {0};
    char place[48];
    if (!compiled) {
        struct grammar *grammar = grammar_of_tools(tool, 1, true, &found);
        grammar_unref(grammar);
        snprintf(place, sizeof place, "tools[%zu]", i);
        error_relocate(&found, "tools[0]", place);
        if (!grammar) return note(inquiry, &found);
    }
    snprintf(place, sizeof place, "tools[%zu].parameters", i);
    return note_judge(inquiry, tool->schema, true, place);
}

/* One entry for every tool that is not supported; `whole` if only all together are not. */
static bool note_tools(struct inquiry *inquiry, bool compiled, const struct error *whole) {
    for (size_t i = 0; i < inquiry->question->n_tools; i++)
        if (!note_tool(inquiry, i, compiled)) return false;
    return compiled || inquiry->verdict->n_unsupported || note(inquiry, whole);
}

static bool note_schema(struct inquiry *inquiry, bool compiled, struct error *found) {
    if (compiled) return note_judge(inquiry, inquiry->question->schema, false, "");
    if (found->code == ERROR_INVALID_PARAMS) error_relocate(found, "", "schema");
    return note(inquiry, found);
}

/* ---- without what is not supported ---- */

struct wide { /* the question, with schemas that can be honoured */
    struct schema_question question;
    struct tool *tools;
    struct text *made; /* widened: of each tool, or of the schema */
    size_t n;
};

struct attempt {
    const struct tool *tool; /* NULL: the schema */
    size_t index;
};

static void wide_free(struct wide *wide) {
    for (size_t i = 0; wide->made && i < wide->n; i++) free((char *)wide->made[i].bytes);
    free(wide->made);
    free(wide->tools);
}

static bool try_schema(void *user, struct text schema, struct error *error) {
    const struct attempt *attempt = user;
    struct schema_question question = {.schema = schema};
    struct tool tool;
    char place[48];
    if (attempt->tool) {
        tool = *attempt->tool;
        tool.schema = schema;
        question = (struct schema_question){.tools = &tool, .n_tools = 1};
    }
    struct grammar *grammar = grammar_of(&question, true, error);
    snprintf(place, sizeof place, "tools[%zu]", attempt->index);
    if (!grammar && attempt->tool) error_relocate(error, "tools[0]", place);
    grammar_unref(grammar);
    return grammar != NULL;
}

static bool widen_all(struct wide *wide, struct widen_list *list, struct error *error) {
    struct schema_question *question = &wide->question;
    struct attempt attempt = {0};
    char place[48];
    if (question->schema.bytes) {
        bool done =
            widen_schema(question->schema, wide->made, "", try_schema, &attempt, list, true, error);
        if (wide->made->bytes) question->schema = *wide->made;
        return done;
    }
    for (size_t i = 0; i < wide->n; i++) {
        struct tool *tool = &wide->tools[i];
        attempt = (struct attempt){tool, i};
        snprintf(place, sizeof place, "tools[%zu].parameters", i);
        if (!widen_schema(tool->schema, &wide->made[i], place, try_schema, &attempt, list, true,
                          error))
            return false;
        if (wide->made[i].bytes) tool->schema = wide->made[i];
    }
    question->tools = wide->tools;
    return true;
}

/* The grammar without what can't be honoured, which is noted. NULL: *error says why not. */
static struct grammar *widen_question(struct inquiry *inquiry, struct wide *wide,
                                      struct error *error) {
    struct widen_list list = {0};
    struct grammar *grammar = NULL;
    size_t n = inquiry->question->n_tools;
    wide->question = *inquiry->question;
    wide->n = wide->question.schema.bytes ? 1 : n;
    wide->tools = calloc(n + 1, sizeof *wide->tools);
    wide->made = calloc(wide->n + 1, sizeof *wide->made);
    if (!wide->tools || !wide->made) return no_memory(error), NULL;
    if (n) memcpy(wide->tools, inquiry->question->tools, n * sizeof *wide->tools);
    if (widen_all(wide, &list, error)) grammar = grammar_of(&wide->question, true, error);
    for (size_t i = 0; grammar && i < list.n; i++) {
        struct error found = {.code = ERROR_SCHEMA_UNSUPPORTED};
        memcpy(found.path, list.of[i].path, sizeof found.path);
        memcpy(found.keyword, list.of[i].keyword, sizeof found.keyword);
        memcpy(found.reason, list.of[i].reason, sizeof found.reason);
        note(inquiry, &found);
    }
    free(list.of);
    return grammar;
}

/* ---- all of it ---- */

static bool note_question(struct inquiry *inquiry, bool compiled, struct error *found) {
    return inquiry->question->schema.bytes ? note_schema(inquiry, compiled, found)
                                           : note_tools(inquiry, compiled, found);
}

bool engine_check_schema(const struct engine *engine, struct schema_verdict *verdict,
                         const struct schema_question *question, struct error *error) {
    struct inquiry inquiry = {engine, question, verdict, error};
    struct error found = {0};
    struct wide wide = {.question = *question};
    *verdict = (struct schema_verdict){.asked = question->instance.bytes != NULL};
    struct grammar *grammar = grammar_of(question, true, &found);
    if (!grammar && question->widen && found.code == ERROR_SCHEMA_UNSUPPORTED)
        grammar = widen_question(&inquiry, &wide, &(struct error){0});
    bool noted = verdict->n_unsupported || note_question(&inquiry, grammar, &found);
    if (noted && verdict->asked) {
        if (grammar && (question->widen || !verdict->n_unsupported))
            ask_decoder(&inquiry, &wide.question, grammar);
        ask_validator(&inquiry);
    }
    grammar_unref(grammar);
    wide_free(&wide);
    return error->code == ERROR_NONE;
}
