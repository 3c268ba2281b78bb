#include "proto/methods.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

static const struct {
    const char *name;
    enum method method;
} names[] = {
    {"hello", METHOD_HELLO},
    {"health", METHOD_HEALTH},
    {"stats", METHOD_STATS},
    {"tool_call", METHOD_TOOL_CALL},
    {"chat", METHOD_CHAT},
    {"complete", METHOD_COMPLETE},
    {"tokenize", METHOD_TOKENIZE},
    {"detokenize", METHOD_DETOKENIZE},
    {"count", METHOD_COUNT},
    {"render", METHOD_RENDER},
    {"cancel", METHOD_CANCEL},
    {"model.info", METHOD_MODEL_INFO},
    {"rpc.discover", METHOD_RPC_DISCOVER},
    {"$/cancelRequest", METHOD_CANCEL},
    {"notifications/cancelled", METHOD_CANCEL},
};

enum { N_NAMES = sizeof names / sizeof *names };

const char *method_name(enum method method) {
    for (size_t i = 0; i < N_NAMES; i++)
        if (names[i].method == method) return names[i].name;
    return "";
}

static enum method method_of(const char *name) {
    for (size_t i = 0; i < N_NAMES; i++)
        if (strcmp(names[i].name, name) == 0) return names[i].method;
    return METHOD_NONE;
}

static void methods_free(struct methods *methods) {
    if (!methods) return;
    for (size_t i = 0; i < methods->n; i++) json_decref((json_t *)methods->specs[i].file);
    json_decref((json_t *)methods->components);
    free(methods);
}

/* Takes the file over. */
static void methods_add(struct methods *methods, json_t *file) {
    const char *name = json_string_value(json_object_get(file, "method"));
    if (!name) {
        methods->components = json_incref(json_object_get(file, "schemas"));
        json_decref(file);
        return;
    }
    methods->specs[methods->n++] =
        (struct method_spec){method_of(name), name, file, json_object_get(file, "params"),
                             json_object_get(file, "result")};
}

static struct methods *methods_load(void) {
    size_t n = 0;
    while (method_files[n]) n++;
    struct methods *methods = calloc(1, sizeof *methods + n * sizeof *methods->specs);
    for (size_t i = 0; methods && i < n; i++) {
        json_t *file = json_loads(method_files[i], JSON_REJECT_DUPLICATES, NULL);
        if (file) {
            methods_add(methods, file);
        } else {
            methods_free(methods);
            methods = NULL;
        }
    }
    return methods;
}

const struct methods *methods_get(void) {
    static struct methods *_Atomic loaded;
    struct methods *methods = atomic_load(&loaded);
    if (methods) return methods;
    struct methods *mine = methods_load(), *first = NULL;
    if (!mine || atomic_compare_exchange_strong(&loaded, &first, mine)) return mine;
    methods_free(mine); /* another thread was faster */
    return first;
}

const struct method_spec *methods_find(const struct methods *methods, const json_t *name) {
    for (size_t i = 0; i < methods->n; i++)
        if (json_is(name, methods->specs[i].name)) return &methods->specs[i];
    return NULL;
}

const struct method_spec *methods_spec(const struct methods *methods, enum method method) {
    for (size_t i = 0; i < methods->n; i++)
        if (methods->specs[i].method == method) return &methods->specs[i];
    return NULL;
}
