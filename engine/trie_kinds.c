/* What lies below a node: which kinds of bytes, and how deep. A walk can then judge a subtree at
 * once where a state treats all of them alike. */
#include <stdlib.h>

#include "engine/trie_nodes.h"

enum trie_kind trie_kind(unsigned char byte) {
    static const char own[] = " -_./,";
    if (byte >= 0x80 && byte < 0xC0) return TRIE_NO_KIND;
    if (byte == 0xC2 || byte == 0xE1 || byte == 0xE3 || byte == 0xEF) return TRIE_RARE;
    if (byte >= 0x80) return byte == 0xE2 ? TRIE_MARK : TRIE_BEYOND;
    if (byte < 0x20 || byte == 0x7F || byte == '"' || byte == '\\') return TRIE_OTHER;
    if (byte >= '0' && byte <= '9') return TRIE_DIGIT;
    if (byte >= 'a' && byte <= 'z') return byte <= 'f' ? TRIE_HEX_SMALL : TRIE_SMALL;
    if (byte >= 'A' && byte <= 'Z') return byte <= 'F' ? TRIE_HEX_CAPITAL : TRIE_CAPITAL;
    for (unsigned i = 0; own[i]; i++)
        if ((unsigned char)own[i] == byte) return (enum trie_kind)(TRIE_SPACE + i);
    return byte == ':' ? TRIE_COMMA : TRIE_PUNCTUATION;
}

/* Children come after their parents: from the back, what is open at a depth belongs to the next
 * node above it. */
static void fill(const struct trie_tree *tree, struct trie_kinds *out) {
    uint16_t kinds[TRIE_MAX_DEPTH + 2] = {0};
    uint8_t deepest[TRIE_MAX_DEPTH + 2] = {0};
    for (uint32_t i = tree->n; i-- > 1;) {
        const struct trie_node *node = &tree->nodes[i];
        uint32_t depth = node->depth;
        uint16_t below = (uint16_t)(kinds[depth + 1] | 1u << trie_kind((unsigned char)node->byte));
        uint8_t reach = deepest[depth + 1] ? deepest[depth + 1] : (uint8_t)depth;
        out->below[i] = below;
        out->deepest[i] = reach;
        kinds[depth + 1] = deepest[depth + 1] = 0;
        kinds[depth] |= below;
        if (reach > deepest[depth]) deepest[depth] = reach;
    }
}

bool trie_kinds_new(struct trie_kinds *kinds, const struct trie_tree *tree) {
    kinds->below = calloc(tree->n, sizeof *kinds->below);
    kinds->deepest = calloc(tree->n, sizeof *kinds->deepest);
    if (!kinds->below || !kinds->deepest) return false;
    fill(tree, kinds);
    return true;
}

void trie_kinds_free(struct trie_kinds *kinds) {
    free(kinds->below);
    free(kinds->deepest);
    *kinds = (struct trie_kinds){0};
}
