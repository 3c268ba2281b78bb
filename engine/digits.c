#include "engine/digits.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/vector.h"

enum {
    MAX_STATES = 30000,
    TABLE_BITS = 16,
    MAX_DIVISOR = 1000,
    MAX_SCALE = 9,
    MULTIPLE_DIGITS = 15
};
enum { FREE_DIGITS = 20, BOUND_DIGITS = 64, MAX_DIGITS = BOUND_DIGITS + 1 };
enum relation { LESS, EQUAL, GREATER }; /* of the digits so far to a bound's */
enum symbol { MINUS = 10, POINT, EXPONENT, PLUS };

/* Where in a number a state stands. INTEGER + n: n digits of the integer part were read (n = 0: a
 * zero); FRACTION + n: the point and n digits. */
enum place {
    START,
    SIGNED,
    INTEGER,
    INTEGER_END = INTEGER + MAX_DIGITS,
    FRACTION,
    FRACTION_END = FRACTION + MAX_DIGITS,
    EXP,
    EXP_SIGNED,
    EXP_LOW,
    EXP_TWO,
    EXP_HIGH,
    EXP_LAST,
    EXP_END,
    PLACES
};

/* A bound on the magnitude: digits with the point between whole and rest. */
struct magnitude {
    bool set, strict;
    uint32_t n_whole, n_rest;
    uint8_t whole[BOUND_DIGITS], rest[BOUND_DIGITS]; /* rest without trailing zeros */
};

struct place_key {
    uint8_t place, negative, low, high;
    uint16_t remainder; /* of the digits so far, the point left out, by the divisor */
};

struct builder {
    bool integer;
    bool no_exponent; /* a bound lies beyond what is written without one */
    bool possible[2]; /* numbers of this sign exist (0: not negative, 1: negative) */
    struct magnitude low[2], high[2];
    uint32_t max_whole, max_rest;
    uint32_t divisor, scale;         /* multiples of divisor / 10^scale; divisor 0: of anything */
    uint64_t *table;                 /* with a divisor: states by hash of their key */
    uint32_t most;                   /* of those */
    uint16_t known[PLACES][2][3][3]; /* state + 1 */
    struct place_key *keys;
    uint32_t n, cap, cap_keys;
    struct digits_state *states;
    bool failed;
};

/* ---- bounds ---- */

/* The spelling's significant digits and the power of ten of its last one. */
static bool read_spelling(const struct json *number, uint8_t *out, uint32_t *n, long *power,
                          bool *negative) {
    const char *at = number->text, *end = at + number->len;
    bool point = false;
    long shift = 0, exponent = 0, sign = 1;
    *n = 0;
    *negative = at < end && *at == '-' && at++;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        if (*n >= 2 * BOUND_DIGITS) return false;
        if (*n || *at != '0') out[(*n)++] = (uint8_t)(*at - '0');
        if (point) shift--;
    }
    if (at < end && (*++at == '-' || *at == '+')) sign = *at++ == '-' ? -1 : 1;
    for (; at < end; at++)
        if (exponent < 100000) exponent = exponent * 10 + (*at - '0');
    while (*n && out[*n - 1] == 0) (*n)--, shift++;
    *power = shift + sign * exponent;
    return true;
}

static bool place_digits(struct magnitude *bound, const uint8_t *digits, uint32_t n, long power) {
    bound->n_whole = bound->n_rest = 0;
    if (n == 0) return true;
    long whole = (long)n + power; /* digits before the point */
    if (whole > BOUND_DIGITS || power < -BOUND_DIGITS) return false;
    for (long i = 0; i < whole; i++) bound->whole[bound->n_whole++] = i < (long)n ? digits[i] : 0;
    for (long i = whole; i < (long)n; i++) bound->rest[bound->n_rest++] = i < 0 ? 0 : digits[i];
    return true;
}

enum extent { EXTENT_OK, EXTENT_HUGE, EXTENT_TINY, EXTENT_TOO_LONG };

/* Without an exponent, every number written is less than a huge bound, and none but zero is less
 * than a tiny one. */
static enum extent read_bound(const struct json *number, bool strict, struct magnitude *bound,
                              bool *negative) {
    uint8_t out[2 * BOUND_DIGITS];
    uint32_t n;
    long power;
    if (!read_spelling(number, out, &n, &power, negative)) return EXTENT_TOO_LONG;
    bound->set = true;
    bound->strict = strict;
    if (n == 0) *negative = false;
    if (n && (long)n + power > BOUND_DIGITS) return EXTENT_HUGE;
    if (n && (long)n + power < -BOUND_DIGITS) return EXTENT_TINY;
    return place_digits(bound, out, n, power) ? EXTENT_OK : EXTENT_TOO_LONG;
}

/* A lower bound on the value is one on the magnitude of positive numbers, or the upper one of
 * negative numbers; and the other way round for an upper bound. `side` is the sign whose numbers
 * it limits from above. */
static bool apply_bound(struct builder *b, const struct json *number, bool strict, int side) {
    struct magnitude bound = {0};
    bool negative;
    if (!number) return true;
    enum extent extent = read_bound(number, strict, &bound, &negative);
    bool outward = negative == (side == 1); /* the bound has the sign it limits from above */
    bool zero = extent == EXTENT_OK && bound.n_whole + bound.n_rest == 0;
    if (extent == EXTENT_TOO_LONG) return false;
    if (extent == EXTENT_HUGE || extent == EXTENT_TINY) b->no_exponent = true;
    if (extent == EXTENT_TINY) bound.strict = !outward;
    if (zero && side == 1) { /* numbers from 0 on are not written with a sign */
        b->possible[1] = false;
        b->low[0] = bound;
    } else if (zero) {
        b->high[0] = b->low[1] = bound;
    } else if (outward) {
        if (extent != EXTENT_HUGE) b->high[side] = bound;
    } else {
        b->possible[side] = false;
        if (extent == EXTENT_HUGE) b->possible[!side] = false;
        b->low[!side] = bound;
    }
    return true;
}

/* ---- states ---- */

static uint8_t compare_digit(uint8_t relation, uint8_t digit, uint8_t bound) {
    if (relation != EQUAL || digit == bound) return relation;
    return digit < bound ? LESS : GREATER;
}

/* After the n-th (from 0) digit of the integer part. */
static uint8_t relate_whole(const struct magnitude *bound, uint8_t relation, uint32_t n,
                            uint8_t digit) {
    if (!bound->set) return EQUAL;
    if (n >= bound->n_whole) return GREATER;
    return compare_digit(relation, digit, bound->whole[n]);
}

/* The integer part is complete with n digits. */
static uint8_t relate_point(const struct magnitude *bound, uint8_t relation, uint32_t n) {
    if (!bound->set) return EQUAL;
    return n < bound->n_whole ? LESS : relation;
}

static uint8_t relate_rest(const struct magnitude *bound, uint8_t relation, uint32_t n,
                           uint8_t digit) {
    if (!bound->set) return EQUAL;
    return compare_digit(relation, digit, n < bound->n_rest ? bound->rest[n] : 0);
}

/* How the whole number compares when it ends after n digits of the fraction. */
static uint8_t relate_end(const struct magnitude *bound, uint8_t relation, uint32_t n) {
    return relation == EQUAL && n < bound->n_rest ? LESS : relation;
}

static bool holds(const struct builder *b, struct place_key key) {
    const struct magnitude *low = &b->low[key.negative], *high = &b->high[key.negative];
    uint32_t n_rest = 0;
    uint8_t down = key.low, up = key.high;
    if (key.place < FRACTION) {
        down = relate_point(low, down, key.place - INTEGER);
        up = relate_point(high, up, key.place - INTEGER);
    } else if (key.place <= FRACTION_END) {
        n_rest = key.place - FRACTION;
    }
    down = relate_end(low, down, n_rest);
    up = relate_end(high, up, n_rest);
    bool above = !low->set || down == GREATER || (down == EQUAL && !low->strict);
    return above && (!high->set || up == LESS || (up == EQUAL && !high->strict));
}

static bool is_multiple(const struct builder *b, struct place_key key) {
    uint64_t value = key.remainder;
    uint32_t n_rest = key.place >= FRACTION ? key.place - FRACTION : 0;
    for (; b->divisor && n_rest < b->scale; n_rest++) value = value * 10 % b->divisor;
    return b->divisor == 0 || value == 0;
}

static bool may_end(const struct builder *b, struct place_key key) {
    if (!is_multiple(b, key)) return false;
    bool whole = key.place >= INTEGER && key.place <= INTEGER_END;
    bool rest = key.place > FRACTION && key.place <= FRACTION_END;
    bool exponent = key.place >= EXP_LOW && key.place <= EXP_END;
    return (whole || rest || exponent) && holds(b, key);
}

static bool zero_or_unset(const struct magnitude *bound) {
    return !bound->set || bound->n_whole + bound->n_rest == 0;
}

static void add_remainder(const struct builder *b, struct place_key *key, uint8_t digit) {
    if (b->divisor) key->remainder = (uint16_t)((key->remainder * 10u + digit) % b->divisor);
}

static bool add_whole(const struct builder *b, struct place_key *key, uint8_t digit) {
    uint32_t n = key->place < INTEGER ? 0 : key->place - INTEGER;
    if (key->place == INTEGER || n >= b->max_whole) return false; /* nothing follows a zero */
    add_remainder(b, key, digit);
    key->low = relate_whole(&b->low[key->negative], key->low, n, digit);
    key->high = relate_whole(&b->high[key->negative], key->high, n, digit);
    key->place = (uint8_t)(INTEGER + n + 1);
    return !b->high[key->negative].set || n + 1 < b->high[key->negative].n_whole ||
           key->high != GREATER;
}

static bool add_rest(const struct builder *b, struct place_key *key, uint8_t digit) {
    uint32_t n = key->place - FRACTION;
    if (n >= b->max_rest) return false;
    add_remainder(b, key, digit);
    key->low = relate_rest(&b->low[key->negative], key->low, n, digit);
    key->high = relate_rest(&b->high[key->negative], key->high, n, digit);
    key->place++;
    return !b->high[key->negative].set || key->high != GREATER;
}

/* Exponents stay below 280, so that the value fits a double: 0-1 lead to three digits, 2 to 27x. */
static bool add_exponent(struct place_key *key, uint8_t digit) {
    switch (key->place) {
    case EXP:
    case EXP_SIGNED: key->place = digit < 2 ? EXP_LOW : digit == 2 ? EXP_TWO : EXP_LAST; break;
    case EXP_LOW: key->place = EXP_HIGH; break;
    case EXP_TWO: key->place = digit < 8 ? EXP_HIGH : EXP_END; break;
    case EXP_HIGH:
    case EXP_LAST: key->place = EXP_END; break;
    default: return false;
    }
    return true;
}

static bool add_digit(const struct builder *b, struct place_key *key, uint8_t digit) {
    if (key->place >= EXP) return add_exponent(key, digit);
    if (key->place >= FRACTION) return add_rest(b, key, digit);
    if (key->place > SIGNED || digit) return add_whole(b, key, digit);
    key->place = INTEGER;
    return !(b->integer && key->negative); /* an integer is not written -0 */
}

static bool add_point(const struct builder *b, struct place_key *key) {
    if (b->integer || key->place < INTEGER || key->place > INTEGER_END) return false;
    uint32_t n = key->place - INTEGER;
    key->low = relate_point(&b->low[key->negative], key->low, n);
    key->high = relate_point(&b->high[key->negative], key->high, n);
    key->place = FRACTION;
    return !b->high[key->negative].set || key->high != GREATER;
}

static bool add_e(const struct builder *b, struct place_key *key) {
    bool whole = key->place >= INTEGER && key->place <= INTEGER_END;
    bool rest = key->place > FRACTION && key->place <= FRACTION_END;
    bool bounds = !zero_or_unset(&b->low[key->negative]) || !zero_or_unset(&b->high[key->negative]);
    if (b->integer || b->no_exponent || bounds || !(whole || rest)) return false;
    if (whole) { /* nothing but the digits compares any more */
        key->low = relate_point(&b->low[key->negative], key->low, key->place - INTEGER);
        key->high = relate_point(&b->high[key->negative], key->high, key->place - INTEGER);
    }
    key->place = EXP;
    return true;
}

static bool add_minus(const struct builder *b, struct place_key *key) {
    if (key->place == EXP) return key->place = EXP_SIGNED, true;
    if (key->place != START || !b->possible[1]) return false;
    key->place = SIGNED;
    key->negative = 1;
    return true;
}

static bool follow(const struct builder *b, struct place_key *key, int symbol) {
    if (symbol == MINUS) return add_minus(b, key);
    if (symbol == POINT) return add_point(b, key);
    if (symbol == EXPONENT) return add_e(b, key);
    if (symbol == PLUS) return key->place == EXP && (key->place = EXP_SIGNED, true);
    if (key->place == START && !b->possible[0]) return false;
    return add_digit(b, key, (uint8_t)symbol);
}

static uint32_t pack(struct place_key key) {
    return (uint32_t)key.place << 21 | (uint32_t)key.negative << 20 | (uint32_t)key.low << 18 |
           (uint32_t)key.high << 16 | key.remainder;
}

/* Where a key's state + 1 is, below the packed key, or will be. */
static uint64_t *find_key(const struct builder *b, uint32_t packed) {
    uint32_t at = packed * 0x9E3779B1u >> (32 - TABLE_BITS);
    while (b->table[at] && b->table[at] >> 32 != packed) at = (at + 1) & ((1u << TABLE_BITS) - 1);
    return &b->table[at];
}

/* With a divisor there are too many keys to have a place for each. */
static uint16_t hashed_state_of(struct builder *b, struct place_key key) {
    uint32_t packed = pack(key);
    uint64_t *known = find_key(b, packed);
    if (*known) return (uint16_t)(*known - 1);
    if (b->n >= b->most ||
        !vector_reserve((void **)&b->keys, &b->cap_keys, b->n + 1, sizeof *b->keys)) {
        b->failed = true;
        return DIGITS_DEAD;
    }
    b->keys[b->n++] = key;
    *known = (uint64_t)packed << 32 | b->n;
    return (uint16_t)(b->n - 1);
}

static uint16_t state_of(struct builder *b, struct place_key key) {
    if (b->divisor) return hashed_state_of(b, key);
    uint16_t *known = &b->known[key.place][key.negative][key.low][key.high];
    if (*known) return (uint16_t)(*known - 1);
    if (b->n >= DIGITS_DEAD - 1 ||
        !vector_reserve((void **)&b->keys, &b->cap_keys, b->n + 1, sizeof *b->keys)) {
        b->failed = true;
        return DIGITS_DEAD;
    }
    b->keys[b->n++] = key;
    *known = (uint16_t)b->n;
    return (uint16_t)(b->n - 1);
}

/* Do the digits from 1 on lead to the same state? Then only one is followed. */
static bool digits_alike(const struct builder *b, struct place_key key) {
    const struct magnitude *low = &b->low[key.negative], *high = &b->high[key.negative];
    return !b->divisor && key.place < EXP && !(low->set && key.low == EQUAL) &&
           !(high->set && key.high == EQUAL);
}

static void follow_all(struct builder *b, uint32_t from, struct digits_state *state) {
    bool alike = digits_alike(b, b->keys[from]);
    for (int symbol = 0; symbol < DIGITS_SYMBOLS; symbol++) {
        struct place_key key = b->keys[from];
        if (alike && symbol > 1 && symbol < MINUS)
            state->next[symbol] = state->next[1];
        else
            state->next[symbol] = follow(b, &key, symbol) ? state_of(b, key) : DIGITS_DEAD;
    }
}

static void build_states(struct builder *b) {
    state_of(b, (struct place_key){START, 0, EQUAL, EQUAL, 0});
    for (uint32_t i = 0; i < b->n && !b->failed; i++) {
        if (!vector_reserve((void **)&b->states, &b->cap, i + 1, sizeof *b->states)) {
            b->failed = true;
            return;
        }
        struct digits_state *state = &b->states[i];
        follow_all(b, i, state);
        state->distance = may_end(b, b->keys[i]) ? 0 : DIGITS_DEAD;
    }
}

static bool relax(struct builder *b, struct digits_state *state) {
    bool changed = false;
    for (int symbol = 0; symbol < DIGITS_SYMBOLS; symbol++) {
        uint16_t next = state->next[symbol];
        if (next == DIGITS_DEAD || (symbol && next == state->next[symbol - 1])) continue;
        if (b->states[next].distance == DIGITS_DEAD) continue;
        if (b->states[next].distance + 1 >= state->distance) continue;
        state->distance = (uint16_t)(b->states[next].distance + 1);
        changed = true;
    }
    return changed;
}

/* Distances, then cuts transitions to states that lead nowhere. */
static void measure(struct builder *b) {
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = b->n; i-- > 0;) changed |= relax(b, &b->states[i]);
    }
    for (uint32_t i = 0; i < b->n; i++)
        for (int symbol = 0; symbol < DIGITS_SYMBOLS; symbol++) {
            uint16_t *next = &b->states[i].next[symbol];
            if (*next != DIGITS_DEAD && b->states[*next].distance == DIGITS_DEAD)
                *next = DIGITS_DEAD;
        }
}

static uint32_t at_least(uint32_t digits, const struct magnitude *a, const struct magnitude *b,
                         bool rest) {
    uint32_t x = rest ? a->n_rest : a->n_whole, y = rest ? b->n_rest : b->n_whole;
    if (x < y) x = y;
    return x + 1 > digits ? x + 1 : digits;
}

/* So many digits are free, more where a bound has as many. */
static void set_whole(struct builder *b, uint32_t free) {
    b->max_whole = free;
    for (int sign = 0; sign < 2; sign++)
        b->max_whole = at_least(b->max_whole, &b->low[sign], &b->high[sign], false);
}

static bool set_bounds(struct builder *b, const struct digits_facets *facets) {
    b->integer = facets->integer;
    b->possible[0] = b->possible[1] = true;
    if (!apply_bound(b, facets->low, facets->low_strict, 1) ||
        !apply_bound(b, facets->high, facets->high_strict, 0))
        return false;
    set_whole(b, FREE_DIGITS);
    b->max_rest = FREE_DIGITS;
    for (int sign = 0; sign < 2; sign++)
        b->max_rest = at_least(b->max_rest, &b->low[sign], &b->high[sign], true);
    return true;
}

/* False: the step has too many digits. */
static bool set_step(struct builder *b, const struct json *step) {
    uint8_t digits[2 * BOUND_DIGITS];
    uint32_t n, divisor = 0;
    long power;
    bool negative;
    if (!step) return true;
    if (!read_spelling(step, digits, &n, &power, &negative) || n > 4 || power > 3 ||
        power < -MAX_SCALE)
        return false;
    for (uint32_t i = 0; i < n; i++) divisor = divisor * 10 + digits[i];
    for (long i = 0; i < power; i++) divisor *= 10;
    if (divisor == 0 || divisor > MAX_DIVISOR) return false;
    b->divisor = divisor;
    b->scale = power < 0 ? (uint32_t)-power : 0;
    b->no_exponent = true;
    if (b->scale == 0) b->integer = true;
    b->max_rest = b->scale;
    set_whole(b, MULTIPLE_DIGITS);
    b->table = calloc(1u << TABLE_BITS, sizeof *b->table);
    if (!b->table) b->failed = true;
    return true;
}

/* Where an integer may end and no fraction may follow, .0 may. */
static void add_fraction(struct builder *b) {
    uint32_t n = b->n;
    if (n + 2 >= DIGITS_DEAD ||
        !vector_reserve((void **)&b->states, &b->cap, n + 2, sizeof *b->states)) {
        b->failed = true;
        return;
    }
    memset(&b->states[n], 0xFF, 2 * sizeof *b->states); /* DIGITS_DEAD */
    b->states[n].next[0] = (uint16_t)(n + 1);
    b->states[n].distance = 1;
    b->states[n + 1].distance = 0;
    for (uint32_t i = 0; i < n; i++)
        if (b->states[i].distance == 0 && b->states[i].next[POINT] == DIGITS_DEAD)
            b->states[i].next[POINT] = (uint16_t)n;
    b->n += 2;
}

/* ---- automata by facets ---- */

static enum digits_result append(struct digits *digits, const struct builder *b,
                                 uint32_t *automaton) {
    if (digits->n + b->n < digits->n || digits->n + b->n > (1u << 20) ||
        !vector_reserve((void **)&digits->states, &digits->cap, digits->n + b->n,
                        sizeof *digits->states))
        return DIGITS_MEMORY;
    memcpy(digits->states + digits->n, b->states, b->n * sizeof *b->states);
    *automaton = digits->n;
    digits->n += b->n;
    return DIGITS_OK;
}

static enum digits_result build(struct digits *digits, const struct digits_facets *facets,
                                uint32_t *automaton) {
    struct builder *b = calloc(1, sizeof *b);
    enum digits_result result = DIGITS_MEMORY;
    if (!b) return DIGITS_MEMORY;
    if (!set_bounds(b, facets)) {
        free(b);
        return DIGITS_TOO_LONG;
    }
    if (!set_step(b, facets->step)) {
        free(b);
        return DIGITS_STEP;
    }
    b->most = MAX_STATES - digits->n_divided;
    if (!b->failed) build_states(b);
    if (b->divisor) digits->n_divided += b->n;
    if (b->failed && b->divisor && b->n >= b->most) result = DIGITS_STEP;
    if (!b->failed) {
        measure(b);
        if (facets->fraction && b->integer) add_fraction(b);
        result = b->states[0].distance == DIGITS_DEAD ? DIGITS_EMPTY : append(digits, b, automaton);
    }
    free(b->table);
    free(b->keys);
    free(b->states);
    free(b);
    return result;
}

static bool same_spelling(const struct digits *digits, uint32_t text, uint32_t len,
                          const struct json *number) {
    uint32_t other = number ? number->len : 0;
    return len == other && (len == 0 || memcmp(digits->text + text, number->text, len) == 0);
}

static bool same_facets(const struct digits *digits, const struct digits_memo *memo,
                        const struct digits_facets *facets) {
    return memo->integer == facets->integer && memo->fraction == facets->fraction &&
           memo->low_strict == facets->low_strict && memo->high_strict == facets->high_strict &&
           same_spelling(digits, memo->low, memo->low_len, facets->low) &&
           same_spelling(digits, memo->high, memo->high_len, facets->high) &&
           same_spelling(digits, memo->step, memo->step_len, facets->step);
}

static uint32_t keep_spelling(struct digits *digits, const struct json *number) {
    uint32_t at = digits->n_text;
    if (number) memcpy(digits->text + at, number->text, number->len);
    digits->n_text += number ? number->len : 0;
    return at;
}

static bool remember(struct digits *digits, const struct digits_facets *facets,
                     uint32_t automaton) {
    uint32_t low_len = facets->low ? facets->low->len : 0;
    uint32_t high_len = facets->high ? facets->high->len : 0;
    uint32_t step_len = facets->step ? facets->step->len : 0;
    if (!vector_reserve((void **)&digits->memos, &digits->cap_memos, digits->n_memos + 1,
                        sizeof *digits->memos) ||
        !vector_reserve((void **)&digits->text, &digits->cap_text,
                        digits->n_text + low_len + high_len + step_len, 1))
        return false;
    struct digits_memo memo = {.integer = facets->integer,
                               .fraction = facets->fraction,
                               .low_strict = facets->low_strict,
                               .high_strict = facets->high_strict,
                               .low_len = low_len,
                               .high_len = high_len,
                               .step_len = step_len,
                               .automaton = automaton};
    memo.low = keep_spelling(digits, facets->low);
    memo.high = keep_spelling(digits, facets->high);
    memo.step = keep_spelling(digits, facets->step);
    digits->memos[digits->n_memos++] = memo;
    return true;
}

enum digits_result digits_find(struct digits *digits, const struct digits_facets *facets,
                               uint32_t *automaton) {
    uint32_t recent = digits->n_memos > 64 ? digits->n_memos - 64 : 0; /* bounded search */
    for (uint32_t i = digits->n_memos; i-- > recent;)
        if (same_facets(digits, &digits->memos[i], facets)) {
            *automaton = digits->memos[i].automaton;
            return DIGITS_OK;
        }
    enum digits_result result = build(digits, facets, automaton);
    if (result == DIGITS_OK && !remember(digits, facets, *automaton)) result = DIGITS_MEMORY;
    return result;
}

void digits_free(struct digits *digits) {
    free(digits->states);
    free(digits->memos);
    free(digits->text);
    *digits = (struct digits){0};
}

int digits_symbol(unsigned char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    switch (byte) {
    case '-': return MINUS;
    case '.': return POINT;
    case 'e':
    case 'E': return EXPONENT;
    case '+': return PLUS;
    default: return -1;
    }
}
