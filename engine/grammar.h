/* grammar: what a generation may say, compiled and immutable.
 *
 * Built from tool schemas or one schema; consulted by matchers. Reference
 * counted (atomic); any thread may read, take or drop a reference. Schemas cross
 * as text. What the compiler cannot honour exactly is refused by path and
 * keyword (1004), never loosened. Limits: schema bytes, depth 32, node and state
 * counts; past one is 1004 with a reason, never a stall.
 */
#ifndef ENGINE_GRAMMAR_H
#define ENGINE_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct grammar;

struct grammar_tool {
    const char *name; /* checked: [A-Za-z0-9_.:/-]{1,128} */
    size_t name_len;
    const char *schema; /* JSON text; NULL: an object with no properties */
    size_t schema_len;
};

/* How calls are written. A call is
 *     open {"name": "NAME", "arguments": ARGS} close
 * and further calls follow after `between`. E.g. open "<tool_call>\n", close "\n</tool_call>",
 * between "\n". */
struct grammar_syntax {
    const char *open, *close, *between;
    bool spaced; /* one blank after , and : ; else none. Never any other white space. */
};

enum grammar_choice {
    GRAMMAR_CALLS, /* 1..max_calls calls, nothing else */
    GRAMMAR_AUTO,  /* free text in which `open`, wherever it is completed, starts 1..max_calls
                      calls that end the generation; or free text to the end */
};

struct grammar_limits {  /* 0: the default, that of engine.h */
    size_t schema_bytes; /* of one schema */
    unsigned depth;
};

/* Tools' arguments are closed objects, members in schema order (protocol.md, tool_call). Errors:
 * -32602 for a malformed schema (path "tools[3].parameters/properties/x"), 1004 for an unsupported
 * keyword (path, keyword, reason) and for an unsatisfiable schema (reason "unsatisfiable"). */
struct grammar *grammar_from_tools(const struct grammar_tool *tools, size_t n_tools,
                                   enum grammar_choice choice, unsigned max_calls,
                                   const struct grammar_syntax *syntax,
                                   const struct grammar_limits *limits, struct error *error);

/* One JSON value by schema (response_format json_schema), as it is written: members in schema order,
 * undeclared ones after them, integers without a fraction. */
struct grammar *grammar_from_format(const char *schema, size_t len, bool spaced,
                                    struct error *error);

/* One JSON value by schema, in whatever spelling. closed: as for tools. Else members come
 * in any order, undeclared ones after all required ones unless patterns speak of them; where all
 * declared members of an object are required, in schema order. Values of enum and const are written
 * as the schema spells them; open ones with their members in any order if there are at most 24 such
 * spellings, else in that order. What closes a value (matcher_closing)
 * keeps schema order. */
struct grammar *grammar_from_schema(const char *schema, size_t len, bool closed, bool spaced,
                                    const struct grammar_limits *limits, struct error *error);

/* Any JSON object (response_format json_object). */
struct grammar *grammar_json_object(bool spaced, struct error *error);

/* A text that matches an ECMA-262 pattern as a whole (response_format regex): what engine/pattern.h
 * understands. path: of errors. */
struct grammar *grammar_from_regex(const char *pattern, size_t len, const char *path,
                                   struct error *error);
/* A text of a grammar in llama.cpp's notation (response_format gbnf): engine/gbnf.h. */
struct grammar *grammar_from_gbnf(const char *text, size_t len, const char *path,
                                  struct error *error);

struct grammar *grammar_ref(struct grammar *grammar);
void grammar_unref(struct grammar *grammar);

/* What it holds. Grows while it is used: masks are kept, automata of texts completed. */
size_t grammar_bytes(const struct grammar *grammar);
/* False: memory ran out while it was used, and what is left of it may allow less. */
bool grammar_sound(const struct grammar *grammar);

/* Bytes of the shortest text the grammar allows (saturating; for auto, 0). */
uint32_t grammar_shortest(const struct grammar *grammar);

#endif
