#include "engine/network.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/held.h"
#include "engine/vector.h"

void network_free(struct network *network) {
    if (!network) return;
    alphabet_free(&network->alphabet);
    free(network->states);
    free(network->sets);
    free(network);
}

size_t network_bytes(const struct network *network) {
    const struct alphabet *alphabet = &network->alphabet;
    return held(network) + held(network->states) + held(network->sets) + held(alphabet->bounds) +
           held(alphabet->classes) + held(alphabet->first) + held(alphabet->next) +
           held(alphabet->reach) + held(alphabet->left);
}

uint32_t network_add(struct network_build *build, struct network_state state) {
    struct network *network = build->network;
    if (build->result != ALPHABET_OK) return 0;
    if (network->n_states >= NETWORK_STATES)
        build->result = ALPHABET_TOO_LARGE;
    else if (!vector_reserve((void **)&network->states, &network->cap_states, network->n_states + 1,
                             sizeof *network->states))
        build->result = ALPHABET_MEMORY;
    if (build->result != ALPHABET_OK) return 0;
    network->states[network->n_states] = state;
    return network->n_states++;
}

static bool grow_slots(struct network_build *build) {
    struct network *network = build->network;
    size_t size = network->alphabet.words * sizeof(uint64_t);
    uint32_t cap = build->cap_slots ? build->cap_slots * 2 : 64;
    uint32_t *slots = calloc(cap, sizeof *slots);
    if (!slots) return false;
    for (uint32_t set = 0; set < network->n_sets; set++) {
        uint32_t at = (uint32_t)hash_bytes(5, network_set(network, set), size) & (cap - 1);
        while (slots[at]) at = (at + 1) & (cap - 1);
        slots[at] = set + 1;
    }
    free(build->slots);
    build->slots = slots;
    build->cap_slots = cap;
    return true;
}

uint32_t network_add_set(struct network_build *build, const uint64_t *classes) {
    struct network *network = build->network;
    uint32_t words = network->alphabet.words;
    size_t size = words * sizeof *classes;
    if (build->cap_slots < 2 * (network->n_sets + 1) && !grow_slots(build))
        build->result = ALPHABET_MEMORY;
    if (build->result != ALPHABET_OK) return 0;
    uint32_t at = (uint32_t)hash_bytes(5, classes, size) & (build->cap_slots - 1), set;
    for (; (set = build->slots[at]); at = (at + 1) & (build->cap_slots - 1))
        if (memcmp(network_set(network, set - 1), classes, size) == 0) return set - 1;
    if (!vector_reserve((void **)&network->sets, &build->cap_sets, (network->n_sets + 1) * words,
                        sizeof *network->sets)) {
        build->result = ALPHABET_MEMORY;
        return 0;
    }
    memcpy(network->sets + (size_t)network->n_sets * words, classes, size);
    build->slots[at] = ++network->n_sets;
    return network->n_sets - 1;
}

void network_build_free(struct network_build *build) {
    free(build->slots);
}
