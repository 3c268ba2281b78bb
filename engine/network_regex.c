/* A regular expression as a network: its automaton over characters, without calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/language.h"
#include "engine/network.h"

enum { BUDGET = 3 << 20, MAX_BYTES = 1 << 16 };

static bool holds(uint32_t label, const void *user) {
    (void)user;
    return label & 1;
}

static bool refuse(struct error *error, enum pattern_result result, const char *path,
                   const char *what) {
    if (result == PATTERN_MEMORY)
        return error_set(error, ERROR_OUT_OF_MEMORY, "compiling a regular expression");
    if (result == PATTERN_SYNTAX)
        return error_at(error, ERROR_INVALID_PARAMS, path, "the regular expression: %s", what);
    if (error->code != ERROR_NONE) return false;
    snprintf(error->keyword, sizeof error->keyword, "regex");
    snprintf(error->reason, sizeof error->reason, "%s", what);
    return error_at(error, ERROR_SCHEMA_UNSUPPORTED, path, "the regular expression: %s", what);
}

static bool build_language(struct language *language, const char *text, size_t len,
                           const char *path, struct error *error) {
    uint64_t budget = BUDGET;
    struct pattern_pool pool = {.budget = &budget};
    struct pattern pattern;
    const char *what = "not UTF-8";
    enum pattern_result result = PATTERN_SYNTAX;
    if (len > MAX_BYTES)
        result = PATTERN_TOO_LARGE, what = "too many bytes";
    else if (utf8_valid_prefix(text, len) == len)
        result = pattern_compile_whole(&pool, text, len, &pattern, &what);
    if (result == PATTERN_OK) {
        what = "it needs too many states";
        result = language_build(language, &pool, &pattern, 1, NULL, NULL, &budget);
        if (result == PATTERN_OK && !language_finish(language, holds, NULL))
            result = PATTERN_MEMORY;
    }
    pattern_pool_free(&pool);
    return result == PATTERN_OK || refuse(error, result, path, what);
}

/* ---- the automaton ---- */

static bool copy_alphabet(struct network_build *build, const struct language *language) {
    uint32_t n = language->n_bounds;
    uint32_t *bounds = malloc(n * sizeof *bounds);
    uint16_t *classes = malloc(n * sizeof *classes);
    if (!bounds || !classes) {
        free(bounds);
        free(classes);
        build->result = ALPHABET_MEMORY;
        return false;
    }
    memcpy(bounds, language->bounds, n * sizeof *bounds);
    for (uint32_t i = 0; i < n; i++)
        classes[i] =
            language->classes[i] == LANGUAGE_NO_CLASS ? ALPHABET_NO_CLASS : language->classes[i];
    build->result =
        alphabet_build(&build->network->alphabet, bounds, classes, n, language->n_classes);
    return build->result == ALPHABET_OK;
}

/* State s of the automaton begins at 1 + s. */
static uint32_t add_take(struct network_build *build, const struct language *language,
                         const uint16_t *next, uint32_t from) {
    uint64_t bits[4] = {0};
    for (uint32_t c = from; c < language->n_classes; c++)
        if (next[c] == next[from]) bits[c / 64] |= 1ull << c % 64;
    uint32_t set = network_add_set(build, bits);
    return network_add(
        build, (struct network_state){.op = NETWORK_TAKE, .set = set, .out = 1u + next[from]});
}

static uint32_t add_fork(struct network_build *build, uint32_t out, uint32_t other) {
    if (!other) return out;
    return network_add(build,
                       (struct network_state){.op = NETWORK_FORK, .out = out, .other = other});
}

static bool is_first(const uint16_t *next, uint32_t class) {
    if (next[class] == LANGUAGE_DEAD) return false;
    for (uint32_t c = 0; c < class; c++)
        if (next[c] == next[class]) return false;
    return true;
}

static void add_state(struct network_build *build, const struct language *language,
                      uint32_t state) {
    const uint16_t *next = language->next + (size_t)state * language->n_classes;
    uint32_t entry = 0;
    for (uint32_t c = 0; c < language->n_classes; c++)
        if (is_first(next, c)) entry = add_fork(build, add_take(build, language, next, c), entry);
    if (language->wanted[state] && entry)
        entry = network_add(build, (struct network_state){.op = NETWORK_FORK, .out = entry});
    if (build->result != ALPHABET_OK) return;
    bool dead = !entry && !language->wanted[state];
    build->network->states[1 + state].out = dead ? 1 + state : entry;
}

static void add_states(struct network_build *build, const struct language *language) {
    network_add(build, (struct network_state){.op = NETWORK_BACK});
    for (uint32_t i = 0; i < language->n_states; i++)
        network_add(build, (struct network_state){.op = NETWORK_JUMP});
    for (uint32_t i = 0; i < language->n_states && build->result == ALPHABET_OK; i++)
        add_state(build, language, i);
    build->network->start = 1;
}

struct network *network_from_regex(const char *pattern, size_t len, const char *path,
                                   struct error *error) {
    struct language language = {0};
    struct network_build build = {.network = calloc(1, sizeof *build.network)};
    bool made = build.network != NULL;
    if (!made) error_set(error, ERROR_OUT_OF_MEMORY, "compiling a regular expression");
    made = made && build_language(&language, pattern, len, path, error);
    if (made) {
        if (copy_alphabet(&build, &language)) add_states(&build, &language);
        enum pattern_result failed =
            build.result == ALPHABET_TOO_LARGE ? PATTERN_TOO_LARGE : PATTERN_MEMORY;
        made = build.result == ALPHABET_OK && network_measure(build.network);
        if (!made) refuse(error, failed, path, "it needs too many states");
    }
    if (made && build.network->states[build.network->start].distance == NETWORK_INFINITE)
        made = refuse(error, PATTERN_UNSUPPORTED, path, "unsatisfiable");
    language_free(&language);
    network_build_free(&build);
    if (made) return build.network;
    network_free(build.network);
    return NULL;
}
