/* span: JSON read in place, as the bytes received.
 *
 * A span is the text of one JSON value inside a longer text, borrowed from it.
 * Numbers keep their spelling, members their order, nothing is allocated. Meant
 * for text that json_read has accepted; on any other bytes every function stays
 * within them and ends, but what it finds means nothing.
 *
 * Public, by way of proto.h: clients read replies with it.
 */
#ifndef PROTO_SPAN_H
#define PROTO_SPAN_H

#include "base/buf.h"
#include "base/generation.h"

/* Walks the members of an object or the items of an array. */
struct span_walk {
    const char *at, *end;
};
struct span_walk span_open(struct text container);
bool span_next(struct span_walk *walk, struct text *item);
bool span_next_member(struct span_walk *walk, struct text *key, struct text *value);

/* The value of an object's member; absent when there is none or it is no object. */
struct text span_member(struct text object, const char *name);
/* Does a string literal spell these characters (escapes decoded)? */
bool span_equals(struct text literal, const char *string);
/* Appends the characters of a string literal; false if it is none. */
bool span_decode(struct buf *out, struct text literal);
/* The value of an integer literal; false if it is none or does not fit. */
bool span_integer(int64_t *out, struct text literal);

#endif
