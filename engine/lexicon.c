#include "engine/lexicon.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"

enum { EMPTY_TAG = 0xFF };
static const uint32_t EMPTY = UINT32_MAX, SPECIAL_BIT = 1u << 31;

/* At most two thirds full. */
static uint32_t table_size(uint32_t count) {
    uint32_t size = 16;
    while (size < count + count / 2) size *= 2;
    return size;
}

bool lexicon_init(struct lexicon *lexicon, uint32_t cap, uint32_t arena_cap) {
    uint32_t size = table_size(cap);
    *lexicon = (struct lexicon){.cap = cap, .arena_cap = arena_cap, .mask = size - 1};
    lexicon->arena = malloc(arena_cap ? arena_cap : 1);
    lexicon->offsets = malloc(((size_t)cap + 1) * sizeof *lexicon->offsets);
    lexicon->slots = malloc(size * sizeof *lexicon->slots);
    if (!lexicon->arena || !lexicon->offsets || !lexicon->slots) return false;
    lexicon->offsets[0] = 0;
    memset(lexicon->slots, 0xFF, size * sizeof *lexicon->slots);
    return true;
}

void lexicon_free(struct lexicon *lexicon) {
    free(lexicon->arena);
    free(lexicon->offsets);
    free(lexicon->slots);
    *lexicon = (struct lexicon){0};
}

static uint32_t offset(const struct lexicon *lexicon, uint32_t id) {
    return lexicon->offsets[id] & ~SPECIAL_BIT;
}

char *lexicon_room(const struct lexicon *lexicon) {
    return lexicon->arena + offset(lexicon, lexicon->count);
}

const char *lexicon_bytes(const struct lexicon *lexicon, uint32_t id, uint32_t *len) {
    uint32_t start = offset(lexicon, id);
    *len = offset(lexicon, id + 1) - start;
    return lexicon->arena + start;
}

static bool is_token(const struct lexicon *lexicon, uint32_t id, const char *bytes, size_t len,
                     enum lexicon_sort sort) {
    bool special = (lexicon->offsets[id] & SPECIAL_BIT) != 0;
    uint32_t its_len;
    const char *its = lexicon_bytes(lexicon, id, &its_len);
    return its_len == len && special == (sort == LEXICON_SPECIAL) && memcmp(its, bytes, len) == 0;
}

static uint32_t *find_slot(const struct lexicon *lexicon, const char *bytes, size_t len,
                           enum lexicon_sort sort, uint32_t *tag) {
    uint64_t hash = hash_bytes((uintptr_t)lexicon->slots + sort, bytes, len); /* hard to flood */
    *tag = (uint32_t)(hash >> 56);
    if (*tag == EMPTY_TAG) *tag = 0;
    for (uint32_t i = (uint32_t)hash & lexicon->mask;; i = (i + 1) & lexicon->mask) {
        uint32_t slot = lexicon->slots[i];
        if (slot == EMPTY ||
            (slot >> 24 == *tag && is_token(lexicon, slot & LEXICON_MAX, bytes, len, sort)))
            return &lexicon->slots[i];
    }
}

bool lexicon_add(struct lexicon *lexicon, uint32_t len, enum lexicon_sort sort) {
    uint32_t id = lexicon->count++, start = offset(lexicon, id), tag;
    lexicon->offsets[id + 1] = start + len;
    if (len > lexicon->longest) lexicon->longest = len;
    if (sort == LEXICON_SPECIAL) lexicon->offsets[id] |= SPECIAL_BIT;
    if (sort == LEXICON_HIDDEN) return true;
    uint32_t *slot = find_slot(lexicon, lexicon->arena + start, len, sort, &tag);
    if (*slot != EMPTY) return false;
    *slot = tag << 24 | id;
    return true;
}

void lexicon_trim(struct lexicon *lexicon) {
    uint32_t used = offset(lexicon, lexicon->count);
    char *arena = realloc(lexicon->arena, used ? used : 1);
    if (arena) lexicon->arena = arena;
}

uint32_t lexicon_find(const struct lexicon *lexicon, const char *bytes, size_t len,
                      enum lexicon_sort sort) {
    uint32_t tag;
    if (len > lexicon->longest) return UINT32_MAX;
    uint32_t slot = *find_slot(lexicon, bytes, len, sort, &tag);
    return slot == EMPTY ? UINT32_MAX : slot & LEXICON_MAX;
}
