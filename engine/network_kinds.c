/* Which classes the kinds of bytes of a trie stand for, and the parts of kinds. */
#include <assert.h>

#include "engine/network.h"
#include "engine/trie_nodes.h"

static void drop(struct network_kind *kind) {
    kind->n = NETWORK_KIND_NONE;
}

static void add(struct network_kind *kind, uint16_t class) {
    if (kind->n == NETWORK_KIND_NONE) return;
    for (uint32_t i = kind->n; i-- > 0;)
        if (kind->classes[i] == class) return;
    if (class == ALPHABET_NO_CLASS || kind->n == NETWORK_KIND_CLASSES)
        drop(kind);
    else
        kind->classes[kind->n++] = class;
}

/* The characters from `from` to `to` - 1 are of one kind. */
static void add_range(struct network *network, uint32_t kind, uint32_t from, uint32_t to) {
    const struct alphabet *alphabet = &network->alphabet;
    uint32_t low = 0, high = alphabet->n_bounds;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (alphabet->bounds[middle] <= from)
            low = middle;
        else
            high = middle;
    }
    for (; low < alphabet->n_bounds && alphabet->bounds[low] < to; low++)
        add(&network->kinds[kind], alphabet->classes[low]);
}

void network_find_kinds(struct network *network) {
    static const struct {
        uint32_t from;
        uint8_t kind;
    } beyond[] = {{0x80, TRIE_C2},        {0xC0, TRIE_LATIN},   {0x280, TRIE_LETTERS},
                  {0x800, TRIE_SCRIPTS},  {0x1000, TRIE_E1},    {0x2000, TRIE_MARK},
                  {0x3000, TRIE_E3},      {0x4000, TRIE_E4},    {0x5000, TRIE_HAN},
                  {0xA000, TRIE_SCRIPTS}, {0xD800, TRIE_PARTS}, {0xE000, TRIE_SCRIPTS},
                  {0xF000, TRIE_EF},      {0x10000, TRIE_FOUR}, {0x110000, TRIE_PARTS}};
    static_assert(TRIE_PARTS == NETWORK_KINDS, "classes for each kind or part");
    for (uint32_t c = 1; c < 0x80; c++) add_range(network, trie_kind((unsigned char)c), c, c + 1);
    for (size_t i = 0; beyond[i].from < 0x110000; i++)
        if (beyond[i].kind < TRIE_PARTS)
            add_range(network, beyond[i].kind, beyond[i].from, beyond[i + 1].from);
    for (uint32_t kind = 0; kind < TRIE_PARTS; kind++)
        if (network->kinds[kind].n == NETWORK_KIND_NONE) network->kinds[kind].n = 0;
}
