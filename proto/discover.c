/* The OpenRPC document, made of the method files that validate params. */
#include "proto/proto.h"

#include <stdlib.h>
#include <string.h>

#include "proto/methods.h"

static bool is_required(const json_t *params, const char *name) {
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(params, "required"), i,
                       one) if (strcmp(json_string_value(one), name) == 0) return true;
    return false;
}

static json_t *discover_params(const json_t *schema) {
    json_t *list = json_array();
    const char *name;
    json_t *member;
    json_object_foreach(json_object_get(schema, "properties"), name, member) {
        json_t *one = json_pack("{s:s, s:b, s:O}", "name", name, "required",
                                is_required(schema, name), "schema", member);
        if (!one || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *discover_errors(const json_t *codes) {
    json_t *list = json_array();
    size_t i;
    const json_t *code;
    json_array_foreach(codes, i, code) {
        json_t *one = json_pack("{s:I, s:s}", "code", json_integer_value(code), "message",
                                error_name((enum error_code)json_integer_value(code)));
        if (!one || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *discover_method(const struct method_spec *spec) {
    return json_pack("{s:s, s:O, s:s, s:o, s:{s:s, s:O}, s:o}", "name", spec->name, "summary",
                     json_object_get(spec->file, "summary"), "paramStructure", "by-name", "params",
                     discover_params(spec->params), "result", "name", "result", "schema",
                     spec->result, "errors",
                     discover_errors(json_object_get(spec->file, "errors")));
}

/* The contract's errors by name, as components. */
static json_t *discover_error_table(const json_t *errors) {
    json_t *table = json_object();
    size_t i;
    const json_t *error;
    json_array_foreach(errors, i, error) {
        json_t *one = json_pack("{s:O, s:O}", "code", json_object_get(error, "code"), "message",
                                json_object_get(error, "when"));
        const json_t *data = json_object_get(error, "data");
        const char *name = json_string_value(json_object_get(error, "name"));
        bool added = one && (!data || json_object_set(one, "x-data", (json_t *)data) == 0);
        if (added && json_object_set_new(table, name, one) == 0) continue;
        if (!added) json_decref(one);
        json_decref(table);
        return NULL;
    }
    return table;
}

static json_t *discover_document(const struct methods *methods, const char *version) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < methods->n; i++) {
        if (json_array_append_new(list, discover_method(&methods->specs[i])) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    if (!list) return NULL;
    return json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:O, s:o}, s:O}", "openrpc", "1.3.2", "info",
                     "title", "plmd", "version", version, "methods", list, "components", "schemas",
                     methods->components, "errors", discover_error_table(methods->errors),
                     "x-notifications", methods->notifications);
}

static int append(const char *bytes, size_t n, void *out) {
    return buf_add(out, bytes, n) ? 0 : -1;
}

bool rpc_discover(struct buf *out, const char *version) {
    const struct methods *methods = methods_get();
    json_t *document = methods ? discover_document(methods, version) : NULL;
    bool fine = document && json_dump_callback(document, append, out, JSON_COMPACT) == 0;
    if (!fine) out->failed = true;
    json_decref(document);
    return fine;
}
