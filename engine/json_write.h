/* json_write: JSON values back to text, in the one form that generations are written in. */
#ifndef ENGINE_JSON_WRITE_H
#define ENGINE_JSON_WRITE_H

#include "base/buf.h"
#include "base/generation.h"
#include "engine/json.h"

/* Appends value; spaced: one blank after , and : and no other white space; else none. Numbers keep
 * their spelling, strings escape only what must be. Depth is the reader's bound. */
void json_write(struct buf *out, const struct json *value, bool spaced);

/* The same with the members of objects in the order that `schema` (a JSON Schema, may be NULL)
 * declares them; undeclared ones follow in their own order. */
void json_write_ordered(struct buf *out, const struct json *value, const struct json *schema,
                        bool spaced);

void json_write_string(struct buf *out, struct text text);

#endif
