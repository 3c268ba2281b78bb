/* params: from params that match their method's schema to the typed fields of a call.
 *
 * Checks what a schema cannot say (unique tool names, calls echoed as text, what
 * this version refuses) and copies everything into the message's arena. Schemas
 * and arguments are taken from the bytes received, not from jansson's values.
 */
#ifndef PROTO_PARAMS_H
#define PROTO_PARAMS_H

#include <jansson.h>

#include "proto/arena.h"
#include "proto/path.h"
#include "proto/proto.h"

struct params {
    const json_t *json; /* an object that matches the schema; NULL: none given */
    struct text raw;    /* the same as received */
    struct arena *arena;
    struct rpc_call *call;
    struct error *error; /* the call's */
};

/* Fills the call for its method. False with the error set. */
bool params_read(struct params *params);

/* Its parts, a file each. */
bool params_prompt(struct params *params);   /* messages or prompt */
bool params_tools(struct params *params);    /* tools, tool_choice, max_calls */
bool params_sampling(struct params *params); /* temperature ... logprobs */
bool params_output(struct params *params);   /* response_format, max_tokens, stop, cache ... */

/* Members with defaults, for all of them. */
const json_t *params_get(const struct params *params, const char *name);
int64_t params_integer(const struct params *params, const char *name, int64_t otherwise);
double params_number(const struct params *params, const char *name, double otherwise);
bool params_flag(const json_t *object, const char *name, bool otherwise);
/* A copy; absent if the value is no string. */
struct text params_text(struct params *params, const json_t *string);
/* The JSON text of a request id in one canonical spelling; NULL if it is none, or out of memory. */
char *params_id(struct arena *arena, const json_t *id);
/* Copies an array of token ids. */
const uint32_t *params_tokens(struct params *params, size_t *n, const json_t *array);

#endif
