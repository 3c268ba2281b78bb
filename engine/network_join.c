/* Alternatives that begin alike are read together: a list of words becomes a tree of their letters,
 * and few ways have to be followed at once. */
#include <stdlib.h>

#include "engine/network.h"

enum { JOINED = 64 /* characters, at most, that are read together */ };

struct alternative {
    uint64_t key; /* equal for those that begin with the same set */
    uint32_t state, place;
};

static int by_key(const void *left, const void *right) {
    const struct alternative *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    if (a->state != b->state) return a->state < b->state ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_place(const void *left, const void *right) {
    const struct alternative *a = left, *b = right;
    return a->place < b->place ? -1 : a->place > b->place;
}

static struct alternative *sorted(const struct network_build *build, const uint32_t *states,
                                  uint32_t n) {
    struct alternative *list = malloc(n * sizeof *list);
    for (uint32_t i = 0; list && i < n; i++) {
        const struct network_state *state = &build->network->states[states[i]];
        uint64_t key = state->op == NETWORK_TAKE ? state->set : (1ull << 32) + states[i];
        list[i] = (struct alternative){key, states[i], i};
    }
    if (list) qsort(list, n, sizeof *list, by_key);
    return list;
}

static uint32_t join(struct network_build *build, const uint32_t *states, uint32_t n,
                     uint32_t depth);

/* One state instead of those of list[0..n), which take the same set. */
static uint32_t join_takes(struct network_build *build, const struct alternative *list, uint32_t n,
                           uint32_t depth) {
    uint32_t *outs = malloc(n * sizeof *outs), set = (uint32_t)list->key;
    for (uint32_t i = 0; outs && i < n; i++) outs[i] = build->network->states[list[i].state].out;
    uint32_t out = outs ? join(build, outs, n, depth - 1) : 0;
    if (!outs) build->result = ALPHABET_MEMORY;
    free(outs);
    return network_add(build, (struct network_state){.op = NETWORK_TAKE, .set = set, .out = out});
}

/* Leaves one of each group, at the place of its first. Returns how many there are. */
static uint32_t group(struct network_build *build, struct alternative *list, uint32_t n,
                      uint32_t depth) {
    uint32_t kept = 0, unique = 0;
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || list[i].state != list[i - 1].state) list[unique++] = list[i];
    for (uint32_t i = 0, end; i < unique; i = end) {
        uint32_t first = list[i].place;
        for (end = i + 1; depth && end < unique && list[end].key == list[i].key; end++)
            if (list[end].place < first) first = list[end].place;
        uint32_t state = end - i > 1 ? join_takes(build, list + i, end - i, depth) : list[i].state;
        list[kept++] = (struct alternative){0, state, first};
    }
    return kept;
}

static uint32_t join(struct network_build *build, const uint32_t *states, uint32_t n,
                     uint32_t depth) {
    if (n == 1) return states[0];
    struct alternative *list = sorted(build, states, n);
    if (!list) {
        build->result = ALPHABET_MEMORY;
        return 0;
    }
    n = group(build, list, n, depth);
    qsort(list, n, sizeof *list, by_place);
    uint32_t entry = list[n - 1].state;
    for (uint32_t i = n - 1; i-- > 0;)
        entry = network_add(build, (struct network_state){
                                       .op = NETWORK_FORK, .out = list[i].state, .other = entry});
    free(list);
    return entry;
}

uint32_t network_join(struct network_build *build, const uint32_t *states, uint32_t n) {
    return build->result == ALPHABET_OK ? join(build, states, n, JOINED) : 0;
}
