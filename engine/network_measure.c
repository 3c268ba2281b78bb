/* The shortest ways through a network, by Knuth's generalisation of Dijkstra's algorithm: a state
 * is settled in the order of its length, once those that it needs are. */
#include <stdlib.h>
#include <string.h>

#include "engine/network.h"

enum measure { MEASURE_BYTES, MEASURE_HEIGHT, MEASURE_EMPTY };

uint32_t network_sum(uint32_t a, uint32_t b) {
    if (a == NETWORK_INFINITE || b == NETWORK_INFINITE) return NETWORK_INFINITE;
    return a > NETWORK_INFINITE - 1 - b ? NETWORK_INFINITE - 1 : a + b;
}

uint32_t network_times(uint32_t a, uint32_t n) {
    if (n == 0) return 0;
    if (a == NETWORK_INFINITE) return a;
    uint64_t product = (uint64_t)a * n;
    return product < NETWORK_INFINITE - 1 ? (uint32_t)product : NETWORK_INFINITE - 1;
}

struct entry {
    uint32_t length, state;
};

struct search {
    const struct network *network;
    enum measure measure;
    uint32_t *length; /* settled or the best so far */
    bool *settled;
    uint32_t *first, *users; /* users[first[s]..first[s + 1]) need s */
    struct entry *heap;
    uint32_t n_heap;
    uint32_t *costs; /* of sets, in bytes */
};

/* ---- the heap ---- */

static void sift_up(struct entry *heap, uint32_t at) {
    struct entry entry = heap[at];
    for (; at && heap[(at - 1) / 2].length > entry.length; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = entry;
}

static void sift_down(struct entry *heap, uint32_t n) {
    struct entry entry = heap[n];
    uint32_t at = 0, child;
    while ((child = 2 * at + 1) < n) {
        if (child + 1 < n && heap[child + 1].length < heap[child].length) child++;
        if (heap[child].length >= entry.length) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

static struct entry pop(struct search *search) {
    struct entry top = search->heap[0];
    if (--search->n_heap) sift_down(search->heap, search->n_heap);
    return top;
}

/* ---- one state ---- */

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static uint32_t through(const struct search *search, uint32_t inner, uint32_t times,
                        uint32_t after) {
    if (search->measure != MEASURE_HEIGHT) return network_sum(network_times(inner, times), after);
    return times ? larger(network_sum(inner, 1), after) : after;
}

/* From what is known of the states it leads to. */
static uint32_t length_of(const struct search *search, uint32_t index) {
    const struct network_state *state = &search->network->states[index];
    uint32_t out = search->length[state->out], other = search->length[state->other];
    switch (state->op) {
    case NETWORK_BACK: return 0;
    case NETWORK_TAKE:
        if (search->measure == MEASURE_EMPTY) return NETWORK_INFINITE;
        if (search->costs[state->set] == NETWORK_INFINITE) return NETWORK_INFINITE;
        return search->measure == MEASURE_HEIGHT ? out
                                                 : network_sum(out, search->costs[state->set]);
    case NETWORK_FORK: return out < other ? out : other;
    case NETWORK_CALL: return through(search, other, 1, out);
    case NETWORK_JUMP: return out;
    default: return through(search, other, state->min, out);
    }
}

static void improve(struct search *search, uint32_t state) {
    uint32_t length = length_of(search, state);
    if (search->settled[state] || length >= search->length[state]) return;
    search->length[state] = length;
    search->heap[search->n_heap] = (struct entry){length, state};
    sift_up(search->heap, search->n_heap++);
}

/* ---- all ---- */

static bool has_other(const struct network_state *state) {
    return state->op == NETWORK_FORK || state->op == NETWORK_CALL || state->op == NETWORK_REPEAT;
}

static void list_users(struct search *search) {
    const struct network *network = search->network;
    uint32_t total = 0;
    for (uint32_t i = 1; i < network->n_states; i++) {
        search->first[network->states[i].out + 2]++;
        if (has_other(&network->states[i])) search->first[network->states[i].other + 2]++;
    }
    for (uint32_t i = 0; i < network->n_states + 2; i++) total = search->first[i] += total;
    for (uint32_t i = 1; i < network->n_states; i++) {
        search->users[search->first[network->states[i].out + 1]++] = i;
        if (has_other(&network->states[i]))
            search->users[search->first[network->states[i].other + 1]++] = i;
    }
}

static void find_costs(struct search *search) {
    const struct network *network = search->network;
    for (uint32_t set = 0; set < network->n_sets; set++) {
        search->costs[set] = NETWORK_INFINITE;
        for (uint32_t c = 0; c < network->alphabet.n_classes; c++) {
            if (!(network_set(network, set)[c / 64] >> c % 64 & 1)) continue;
            uint32_t cost = alphabet_cost(&network->alphabet, c);
            if (cost < search->costs[set]) search->costs[set] = cost;
        }
    }
}

static void run(struct search *search, enum measure measure) {
    uint32_t n = search->network->n_states;
    search->measure = measure;
    search->n_heap = 0;
    memset(search->settled, 0, n);
    for (uint32_t i = 0; i < n; i++) search->length[i] = NETWORK_INFINITE;
    improve(search, NETWORK_RETURN);
    while (search->n_heap) {
        struct entry entry = pop(search);
        if (search->settled[entry.state]) continue;
        search->settled[entry.state] = true;
        for (uint32_t i = search->first[entry.state]; i < search->first[entry.state + 1]; i++)
            improve(search, search->users[i]);
    }
}

static void keep(const struct search *search, struct network *network) {
    for (uint32_t i = 0; i < network->n_states; i++) {
        uint32_t length = search->length[i];
        struct network_state *state = &network->states[i];
        if (search->measure == MEASURE_BYTES) state->distance = length;
        if (search->measure == MEASURE_EMPTY) state->nullable = length != NETWORK_INFINITE;
        if (search->measure == MEASURE_HEIGHT)
            state->height = length < UINT16_MAX ? (uint16_t)length : UINT16_MAX;
    }
}

bool network_measure(struct network *network) {
    struct search search = {.network = network};
    size_t n = network->n_states;
    search.length = malloc(n * sizeof *search.length);
    search.settled = malloc(n);
    search.first = calloc(n + 2, sizeof *search.first);
    search.users = malloc(2 * n * sizeof *search.users);
    search.heap = malloc((2 * n + 2) * sizeof *search.heap);
    search.costs = malloc((network->n_sets + 1) * sizeof *search.costs);
    bool made = search.length && search.settled && search.first && search.users && search.heap &&
                search.costs;
    if (made) {
        list_users(&search);
        find_costs(&search);
        for (int measure = MEASURE_BYTES; measure <= MEASURE_EMPTY; measure++) {
            run(&search, (enum measure)measure);
            keep(&search, network);
        }
        network_find_kinds(network);
    }
    free(search.length);
    free(search.settled);
    free(search.first);
    free(search.users);
    free(search.heap);
    free(search.costs);
    return made;
}
