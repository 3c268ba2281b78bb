/* Shared by the tests of constrained decoding: schema sources, vocabularies, random walks. */
#ifndef TESTS_GRAMMAR_SUPPORT_H
#define TESTS_GRAMMAR_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/grammar.h"
#include "engine/json.h"
#include "engine/matcher.h"

static inline const char *shared_path(const char *name, char *path, size_t size) {
    const char *root = getenv("PLM_SHARED");
    snprintf(path, size, "%s/%s", root ? root : "../shared", name);
    if (access(path, R_OK) == 0) return path;
    printf("SKIP: no %s\n", path);
    return NULL;
}

static inline char *read_file(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    if (!file) return NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        text = malloc((size_t)size + 1);
        rewind(file);
        *len = text ? fread(text, 1, (size_t)size, file) : 0;
        if (text) text[*len] = '\0';
    }
    fclose(file);
    return text;
}

/* Calls `each` for every line of a .jsonl file, parsed. Returns the number of lines, -1 without the file. */
static inline int each_line(const char *name, void (*each)(const struct json *line, void *user),
                            void *user) {
    char path[512];
    size_t len, at = 0;
    int lines = 0;
    char *text = shared_path(name, path, sizeof path) ? read_file(path, &len) : NULL;
    if (!text) return -1;
    while (at < len) {
        char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        struct error error = {0};
        struct json_doc *doc = n ? json_parse(text + at, n, 512, &error) : NULL;
        if (doc) {
            each(json_root(doc), user);
            lines++;
        }
        json_free(doc);
        at += n + 1;
    }
    free(text);
    return lines;
}

static inline uint64_t random_next(uint64_t *seed) {
    *seed += 0x9E3779B97F4A7C15ull;
    uint64_t z = *seed;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

static inline struct matcher *new_matcher(struct grammar *grammar, const struct trie *trie) {
    struct error error = {0};
    struct matcher *matcher = matcher_new(grammar, trie, &error);
    if (!matcher) abort();
    return matcher;
}

/* Is the text, byte by byte and at once, what the grammar allows in full? */
static inline bool accepts(struct grammar *grammar, const char *text, size_t len) {
    struct matcher *whole = new_matcher(grammar, NULL), *bytes = new_matcher(grammar, NULL);
    bool at_once = matcher_accept(whole, text, len) && matcher_may_end(whole), each = true;
    for (size_t i = 0; i < len && each; i++) each = matcher_accept(bytes, text + i, 1);
    each = each && matcher_may_end(bytes);
    matcher_free(whole);
    matcher_free(bytes);
    if (at_once != each) abort();
    return each;
}

#endif
