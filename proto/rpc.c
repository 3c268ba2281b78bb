/* One line of a peer to calls.
 *
 * The message owns an arena with everything that its calls borrow; jansson's
 * values live only while a line is read. A failed allocation anywhere leaves the
 * arena marked, and the whole message is then answered with out_of_memory.
 */
#include "proto/proto.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/methods.h"
#include "proto/params.h"
#include "proto/shape.h"
#include "proto/span.h"

/* Everything that reading one message needs. */
struct reading {
    const struct methods *methods;
    struct arena *arena;
    struct rpc_message *message;
};

/* ---- one request ---- */

static bool invalid(struct rpc_call *call, const char *what) {
    if (!call->id) call->id = (char *)"null"; /* no notification: it is answered */
    return error_set(&call->error, ERROR_INVALID_REQUEST, "%s", what);
}

static bool read_id(struct reading *reading, struct rpc_call *call, const json_t *request) {
    const json_t *id = json_object_get(request, "id");
    if (!id) return true;
    call->id = params_id(reading->arena, id);
    return call->id || reading->arena->failed ||
           invalid(call, "id must be a string of at most 128 bytes or an integer within 2^53");
}

static bool read_envelope(struct reading *reading, struct rpc_call *call, const json_t *request) {
    if (!json_is_object(request)) return invalid(call, "a request is an object");
    if (!read_id(reading, call, request)) return false;
    if (!json_is(json_object_get(request, "jsonrpc"), "2.0"))
        return invalid(call, "jsonrpc must be \"2.0\"");
    if (!json_is_string(json_object_get(request, "method")))
        return invalid(call, "method must be a string");
    const json_t *params = json_object_get(request, "params");
    if (params && !json_is_object(params) && !json_is_array(params) && !json_is_null(params))
        return invalid(call, "params must be an object");
    return true;
}

static bool read_params(struct reading *reading, struct rpc_call *call,
                        const struct method_spec *spec, json_t *json, struct text raw) {
    if (json_is_array(json))
        return path_error(&call->error, PATH_ROOT, "expected an object, not an array");
    if (!json_is_object(json)) json = NULL;
    json_t *none = json ? NULL : json_object();
    if (!json && !none) return !(reading->arena->failed = true);
    struct params params = {json ? json : none, raw, reading->arena, call, &call->error};
    json_object_del(json, "_meta");
    bool fine = shape_check(spec->params, params.json, reading->methods->components, PATH_ROOT,
                            &call->error) &&
                params_read(&params);
    json_decref(none);
    return fine;
}

static bool read_call(struct reading *reading, struct rpc_call *call, json_t *request,
                      struct text raw) {
    if (!read_envelope(reading, call, request)) return false;
    const json_t *name = json_object_get(request, "method");
    const struct method_spec *spec = methods_find(reading->methods, name);
    if (!spec)
        return error_set(&call->error, ERROR_METHOD_NOT_FOUND, "there is no method %.64s",
                         json_string_value(name));
    call->method = spec->method;
    return read_params(reading, call, spec, json_object_get(request, "params"),
                       span_member(raw, "params"));
}

/* ---- one line ---- */

static bool read_batch(struct reading *reading, json_t *json, struct text raw) {
    struct rpc_message *message = reading->message;
    size_t n = json_array_size(json);
    message->batch = true;
    if (n == 0) return error_set(&message->error, ERROR_INVALID_REQUEST, "an empty batch");
    if (n > RPC_BATCH_MAX)
        return error_set(&message->error, ERROR_INVALID_REQUEST,
                         "a batch of %zu requests, at most %d are allowed", n, RPC_BATCH_MAX);
    message->calls = arena_alloc(reading->arena, n, sizeof *message->calls);
    struct span_walk walk = span_open(raw);
    struct text item;
    for (size_t i = 0; message->calls && i < n && span_next(&walk, &item); i++) {
        read_call(reading, &message->calls[i], json_array_get(json, i), item);
        message->n_calls++;
    }
    return true;
}

static bool read_message(struct reading *reading, json_t *json, struct text raw) {
    struct rpc_message *message = reading->message;
    if (json_is_array(json)) return read_batch(reading, json, raw);
    message->calls = arena_alloc(reading->arena, 1, sizeof *message->calls);
    if (!message->calls) return false;
    message->n_calls = 1;
    return read_call(reading, message->calls, json, raw);
}

static void out_of_memory(struct rpc_message *message) {
    message->n_calls = 0;
    message->error = (struct error){0};
    error_set(&message->error, ERROR_OUT_OF_MEMORY, "while reading a request");
}

struct rpc_message *rpc_parse(const char *line, size_t len) {
    struct rpc_message *message = calloc(1, sizeof *message);
    struct arena *arena = calloc(1, sizeof *arena);
    if (!message || !arena) {
        free(message);
        free(arena);
        return NULL;
    }
    message->memory = arena;
    struct reading reading = {methods_get(), arena, message};
    json_t *json = reading.methods ? json_read(line, len, &message->error) : NULL;
    if (json) read_message(&reading, json, (struct text){line, len});
    if (!reading.methods || arena->failed) out_of_memory(message);
    json_decref(json);
    return message;
}

void rpc_message_free(struct rpc_message *message) {
    if (!message) return;
    arena_free(message->memory);
    free(message->memory);
    free(message);
}

/* ---- where to parse ---- */

enum {
    LIGHT = 16 * 1024, /* parsed in well under a millisecond */
    PEEK = 64 * 1024,  /* and up to here, if the method must not wait */
};

bool rpc_is_light(const char *line, size_t len) {
    static const char *const immediate[] = {
        "hello",  "health", "stats", "metrics", "rpc.discover", "cancel", "$/cancelRequest",
        "notifications/cancelled",
    };
    if (len <= LIGHT) return true;
    if (len > PEEK) return false;
    struct text method = span_member((struct text){line, len}, "method");
    for (size_t i = 0; i < sizeof immediate / sizeof *immediate; i++)
        if (span_equals(method, immediate[i])) return true;
    return false;
}

/* ---- for tests ---- */

bool rpc_check_result(enum method method, const char *result, size_t len, struct error *error) {
    const struct methods *methods = methods_get();
    const struct method_spec *spec = methods ? methods_spec(methods, method) : NULL;
    if (!spec) return error_set(error, ERROR_METHOD_NOT_FOUND, "no such method");
    json_t *json = json_read(result, len, error);
    bool fine = json && shape_check(spec->result, json, methods->components, PATH_ROOT, error);
    json_decref(json);
    return fine;
}
