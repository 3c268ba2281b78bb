#include "engine/quoted.h"

static enum quoted_event more(uint8_t *state, uint32_t *acc, uint8_t next, uint32_t value) {
    *state = next;
    *acc = value;
    return QUOTED_MORE;
}

static enum quoted_event complete(uint8_t *state, uint32_t *acc, uint32_t code_point) {
    *state = QUOTED_NORMAL;
    *acc = code_point;
    return QUOTED_CHAR;
}

static enum quoted_event step_lead(uint8_t *state, uint32_t *acc, unsigned char byte) {
    if (byte < 0xC2 || byte > 0xF4) return QUOTED_DEAD;
    if (byte < 0xE0) return more(state, acc, QUOTED_ONE, byte & 0x1Fu);
    if (byte < 0xF0) {
        uint8_t next = byte == 0xE0 ? QUOTED_E0 : byte == 0xED ? QUOTED_ED : QUOTED_TWO;
        return more(state, acc, next, byte & 0x0Fu);
    }
    uint8_t next = byte == 0xF0 ? QUOTED_F0 : byte == 0xF4 ? QUOTED_F4 : QUOTED_THREE;
    return more(state, acc, next, byte & 0x07u);
}

static enum quoted_event step_normal(uint8_t *state, uint32_t *acc, unsigned char byte) {
    if (byte == '"') return QUOTED_END;
    if (byte == '\\') return more(state, acc, QUOTED_ESCAPE, 0);
    if (byte < 0x20) return QUOTED_DEAD;
    if (byte < 0x80) return complete(state, acc, byte);
    return step_lead(state, acc, byte);
}

static enum quoted_event step_continuation(uint8_t *state, uint32_t *acc, unsigned char byte) {
    static const struct {
        uint8_t low, high, next;
    } rules[] = {
        [QUOTED_ONE] = {0x80, 0xBF, QUOTED_NORMAL}, [QUOTED_TWO] = {0x80, 0xBF, QUOTED_ONE},
        [QUOTED_THREE] = {0x80, 0xBF, QUOTED_TWO},  [QUOTED_E0] = {0xA0, 0xBF, QUOTED_ONE},
        [QUOTED_ED] = {0x80, 0x9F, QUOTED_ONE},     [QUOTED_F0] = {0x90, 0xBF, QUOTED_TWO},
        [QUOTED_F4] = {0x80, 0x8F, QUOTED_TWO},
    };
    if (byte < rules[*state].low || byte > rules[*state].high) return QUOTED_DEAD;
    uint32_t value = *acc << 6 | (byte & 0x3Fu);
    if (rules[*state].next == QUOTED_NORMAL) return complete(state, acc, value);
    return more(state, acc, rules[*state].next, value);
}

static enum quoted_event step_escape(uint8_t *state, uint32_t *acc, unsigned char byte) {
    switch (byte) {
    case '"':
    case '\\':
    case '/': return complete(state, acc, byte);
    case 'b': return complete(state, acc, '\b');
    case 'f': return complete(state, acc, '\f');
    case 'n': return complete(state, acc, '\n');
    case 'r': return complete(state, acc, '\r');
    case 't': return complete(state, acc, '\t');
    case 'u': return more(state, acc, QUOTED_HEX0, 0);
    default: return QUOTED_DEAD;
    }
}

static int hex_value(unsigned char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

static enum quoted_event step_hex(uint8_t *state, uint32_t *acc, unsigned char byte) {
    int digit = hex_value(byte);
    if (digit < 0) return QUOTED_DEAD;
    uint32_t value = *acc << 4 | (uint32_t)digit;
    if (*state == QUOTED_HEX1 && value >= 0xDC && value <= 0xDF) return QUOTED_DEAD;
    if (*state != QUOTED_HEX3) return more(state, acc, *state + 1, value);
    if (value == 0) return QUOTED_DEAD;
    if (value >= 0xD800 && value <= 0xDBFF) return more(state, acc, QUOTED_PAIR, value & 0x3FF);
    return complete(state, acc, value);
}

static enum quoted_event step_low(uint8_t *state, uint32_t *acc, unsigned char byte) {
    int digit = hex_value(byte);
    if (digit < 0) return QUOTED_DEAD;
    if (*state == QUOTED_LOW0) /* DC00..DFFF: only ten bits carry a value */
        return digit == 0xD ? more(state, acc, QUOTED_LOW1, *acc) : QUOTED_DEAD;
    if (*state == QUOTED_LOW1)
        return digit >= 0xC ? more(state, acc, QUOTED_LOW2, *acc << 2 | ((uint32_t)digit & 3))
                            : QUOTED_DEAD;
    uint32_t value = *acc << 4 | (uint32_t)digit;
    if (*state == QUOTED_LOW2) return more(state, acc, QUOTED_LOW3, value);
    return complete(state, acc, 0x10000 + value);
}

enum quoted_event quoted_step(uint8_t *state, uint32_t *acc, unsigned char byte) {
    if (*state == QUOTED_NORMAL) return step_normal(state, acc, byte);
    if (*state < QUOTED_ESCAPE) return step_continuation(state, acc, byte);
    if (*state == QUOTED_ESCAPE) return step_escape(state, acc, byte);
    if (*state <= QUOTED_HEX3) return step_hex(state, acc, byte);
    if (*state == QUOTED_PAIR)
        return byte == '\\' ? more(state, acc, QUOTED_PAIR_U, *acc) : QUOTED_DEAD;
    if (*state == QUOTED_PAIR_U)
        return byte == 'u' ? more(state, acc, QUOTED_LOW0, *acc) : QUOTED_DEAD;
    return step_low(state, acc, byte);
}

uint32_t quoted_distance(uint8_t state, uint32_t acc) {
    static const uint8_t bytes[QUOTED_STATES] = {
        [QUOTED_ONE] = 1,  [QUOTED_TWO] = 2,    [QUOTED_THREE] = 3, [QUOTED_E0] = 2,
        [QUOTED_ED] = 2,   [QUOTED_F0] = 3,     [QUOTED_F4] = 3,    [QUOTED_ESCAPE] = 1,
        [QUOTED_HEX0] = 4, [QUOTED_HEX1] = 3,   [QUOTED_HEX2] = 2,  [QUOTED_HEX3] = 1,
        [QUOTED_PAIR] = 6, [QUOTED_PAIR_U] = 5, [QUOTED_LOW0] = 4,  [QUOTED_LOW1] = 3,
        [QUOTED_LOW2] = 2, [QUOTED_LOW3] = 1,
    };
    bool pair = (state == QUOTED_HEX2 && acc >= 0xD8 && acc <= 0xDB) ||
                (state == QUOTED_HEX3 && acc >= 0xD80 && acc <= 0xDBF);
    return bytes[state] + (pair ? 6u : 0u);
}

/* \u with k of its four digits read: what is left of the BMP, and of the pairs if the digits may
 * make a high surrogate. */
static int hex_ranges(unsigned k, uint32_t acc, struct quoted_range ranges[2]) {
    uint32_t from = acc << 4 * (4 - k), to = from | ((1u << 4 * (4 - k)) - 1);
    uint32_t high_from = from > 0xD800 ? from : 0xD800, high_to = to < 0xDBFF ? to : 0xDBFF;
    int n = 0;
    ranges[n++] = (struct quoted_range){from, to};
    if (high_from <= high_to)
        ranges[n++] = (struct quoted_range){0x10000 + ((high_from & 0x3FF) << 10),
                                            0x10000 + ((high_to & 0x3FF) << 10) + 0x3FF};
    return n;
}

int quoted_ranges(uint8_t state, uint32_t acc, struct quoted_range ranges[2]) {
    static const uint8_t bits[QUOTED_STATES] = {
        [QUOTED_ONE] = 6,     [QUOTED_TWO] = 12,  [QUOTED_THREE] = 18, [QUOTED_E0] = 12,
        [QUOTED_ED] = 12,     [QUOTED_F0] = 18,   [QUOTED_F4] = 18,    [QUOTED_PAIR] = 10,
        [QUOTED_PAIR_U] = 10, [QUOTED_LOW0] = 10, [QUOTED_LOW1] = 10,  [QUOTED_LOW2] = 8,
        [QUOTED_LOW3] = 4};
    if (state >= QUOTED_HEX0 && state <= QUOTED_HEX3)
        return hex_ranges(state - QUOTED_HEX0, acc, ranges);
    uint32_t from = acc << bits[state], to = from | ((1u << bits[state]) - 1);
    if (state >= QUOTED_PAIR) from += 0x10000, to += 0x10000;
    if (state == QUOTED_E0) from = 0x800;
    if (state == QUOTED_ED) to = 0xD7FF;
    if (state == QUOTED_F0) from = 0x10000;
    if (state == QUOTED_F4) to = 0x10FFFF;
    ranges[0] = (struct quoted_range){from, to};
    return 1;
}
