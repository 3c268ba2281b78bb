#include "proto/methods.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/methods_packed.h"

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
    {"metrics", METHOD_METRICS},
    {"schema.check", METHOD_SCHEMA_CHECK},
    {"model.list", METHOD_MODEL_LIST},
    {"model.unload", METHOD_MODEL_UNLOAD},
    {"cache.stats", METHOD_CACHE_STATS},
    {"log.level", METHOD_LOG_LEVEL},
    {"shutdown", METHOD_SHUTDOWN},
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
    json_decref((json_t *)methods->errors);
    json_decref((json_t *)methods->notifications);
    free(methods);
}

/* What the files share: schemas and errors. */
static void methods_add_components(struct methods *methods, json_t *file) {
    methods->components = json_incref(json_object_get(file, "schemas"));
    methods->errors = json_incref(json_object_get(file, "errors"));
    json_decref(file);
}

/* Takes the file over. False: out of memory. */
static bool methods_add(struct methods *methods, json_t *file) {
    const char *name = json_string_value(json_object_get(file, "method"));
    if (json_object_get(file, "notification"))
        return json_array_append_new((json_t *)methods->notifications, file) == 0;
    if (!name) {
        methods_add_components(methods, file);
        return true;
    }
    methods->specs[methods->n++] =
        (struct method_spec){method_of(name), name, file, json_object_get(file, "params"),
                             json_object_get(file, "result")};
    return true;
}

/* Takes nothing over. False: out of memory. */
static bool methods_add_texts(struct methods *methods, const char *text, size_t n) {
    for (; n > 0; n--, text += strlen(text) + 1) {
        json_t *file = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (!file || !methods_add(methods, file)) return false;
    }
    return true;
}

static struct methods *methods_load(void) {
    const size_t n = methods_packed.files;
    char *texts = methods_unpack(&methods_packed);
    struct methods *methods = calloc(1, sizeof *methods + n * sizeof *methods->specs);
    if (methods) methods->notifications = json_array();
    if (!methods || !texts || !methods->notifications || !methods_add_texts(methods, texts, n)) {
        methods_free(methods);
        methods = NULL;
    }
    free(texts);
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
