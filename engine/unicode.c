#include "engine/unicode.h"

#include <string.h>

#include "base/utf8.h"
#include "engine/unicode_table.h"

enum { ASCII = 0x80, LAST = 0x10FFFF };

/* As the table numbers them. */
static const char short_names[] = "CnCcCfCoCsLlLmLoLtLuMcMeMnNdNlNoPcPdPePfPiPoPsScSkSmSoZlZpZs";
enum { CN, CC, LL = 5, LT = 8, LU = 9, IN_TURN = 31 };

/* Reads the table's run at *at, of capital and small letters in turn for one. Returns its length.
 */
static uint32_t read_run(uint32_t *at, uint8_t *category) {
    const uint8_t *bytes = unicode_runs + *at;
    uint32_t code = bytes[0] & 7;
    *category = bytes[0] >> 3;
    *at += code < 6 ? 1 : code - 4;
    if (code < 6) return code + 1;
    return code == 6 ? 7u + bytes[1] : 263 + (bytes[1] | (uint32_t)bytes[2] << 8);
}

uint8_t unicode_category(uint32_t code) {
    uint32_t low = 0;
    uint8_t category;
    if (code > LAST) return CN;
    for (uint32_t n = UNICODE_TABLE_INDEX; n > 1; n -= n / 2) /* without branches to guess */
        low += unicode_starts[low + n / 2] <= code ? n / 2 : 0;
    uint32_t from = unicode_starts[low], at = unicode_offsets[low];
    uint32_t length = read_run(&at, &category);
    for (; code - from >= length; length = read_run(&at, &category)) from += length;
    if (category != IN_TURN) return category;
    return (code - from) & 1 ? LL : LU;
}

/* Letters in turn are given one by one. */
bool unicode_walk_next(struct unicode_walk *walk) {
    uint32_t from = walk->end ? walk->to + 1 : 0;
    if (from < walk->end) {
        walk->from = walk->to = from;
        walk->category = walk->category == LU ? LL : LU;
        return true;
    }
    if (walk->at == sizeof unicode_runs) return false;
    walk->end += read_run(&walk->at, &walk->category);
    walk->from = from;
    walk->to = walk->end - 1;
    if (walk->category == IN_TURN) {
        walk->to = from;
        walk->category = LU;
    }
    return true;
}

/* ---- flags ---- */

enum {
    L = UNICODE_LETTER,
    N = UNICODE_NUMBER,
    P = UNICODE_PUNCTUATION,
    S = UNICODE_SYMBOL,
    M = UNICODE_MARK,
    Z = UNICODE_SPACE,
    UPPER = UNICODE_LETTER | UNICODE_UPPER,
    LOWER = UNICODE_LETTER | UNICODE_LOWER,
};

static const uint8_t flags_of[UNICODE_CATEGORIES] = {
    0, 0, 0, 0, 0, LOWER, L, L, UPPER, UPPER, M, M, M, N, N,
    N, P, P, P, P, P,     P, P, S,     S,     S, S, Z, Z, Z,
};

uint8_t unicode_flags(uint32_t code) {
    uint8_t category = unicode_category(code);
    if (category == CC && ((code >= '\t' && code <= '\r') || code == 0x85)) return UNICODE_SPACE;
    return flags_of[category];
}

static uint8_t ascii_flags(uint32_t c) {
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
        return UNICODE_LETTER | (c & 0x20 ? UNICODE_LOWER : UNICODE_UPPER);
    if (c == ' ' || (c >= '\t' && c <= '\r')) return UNICODE_SPACE;
    if (c >= '0' && c <= '9') return UNICODE_NUMBER;
    return unicode_flags(c);
}

struct unicode_char unicode_at(const char *bytes, size_t n) {
    struct unicode_char c = {0};
    if (n == 0) return c;
    c.len = (uint8_t)utf8_decode(bytes, n, &c.code);
    if (c.len == 0) return (struct unicode_char){0xFFFD, 1, UNICODE_SYMBOL};
    c.flags = c.code < ASCII ? ascii_flags(c.code) : unicode_flags(c.code);
    return c;
}

/* ---- names ---- */

/* Each short name with its longer ones. */
static const char names[] =
    "C Other,Cc Control cntrl,Cf Format,Cn Unassigned,Co Private_Use,Cs Surrogate,L Letter,"
    "LC Cased_Letter,Ll Lowercase_Letter,Lm Modifier_Letter,Lo Other_Letter,Lt Titlecase_Letter,"
    "Lu Uppercase_Letter,M Mark Combining_Mark,Mc Spacing_Mark,Me Enclosing_Mark,"
    "Mn Nonspacing_Mark,N Number,Nd Decimal_Number digit,Nl Letter_Number,No Other_Number,"
    "P Punctuation punct,Pc Connector_Punctuation,Pd Dash_Punctuation,Pe Close_Punctuation,"
    "Pf Final_Punctuation,Pi Initial_Punctuation,Po Other_Punctuation,Ps Open_Punctuation,"
    "S Symbol,Sc Currency_Symbol,Sk Modifier_Symbol,Sm Math_Symbol,So Other_Symbol,Z Separator,"
    "Zl Line_Separator,Zp Paragraph_Separator,Zs Space_Separator,";

/* All that begin with the short name. */
static uint32_t named(const char *name, size_t len) {
    uint32_t set = 0;
    if (len == 2 && name[1] == 'C') return 1u << LL | 1u << LT | 1u << LU;
    for (uint32_t i = 0; i < UNICODE_CATEGORIES; i++)
        if (memcmp(short_names + 2 * i, name, len) == 0) set |= 1u << i;
    return set;
}

static bool skip(const char **name, size_t *len, const char *prefix) {
    size_t n = strlen(prefix);
    if (*len < n || memcmp(*name, prefix, n) != 0) return false;
    *name += n;
    *len -= n;
    return true;
}

uint32_t unicode_categories(const char *name, size_t len) {
    bool told = skip(&name, &len, "General_Category=") || skip(&name, &len, "gc=");
    if (!told && len == 3 && memcmp(name, "Any", 3) == 0) return UNICODE_ANY;
    if (!told && len == 8 && memcmp(name, "Assigned", 8) == 0) return UNICODE_ANY & ~(1u << CN);
    for (const char *at = names, *first = names; *at; at++) {
        size_t n = strcspn(at, " ,");
        if (n == len && memcmp(at, name, len) == 0) return named(first, strcspn(first, " ,"));
        at += n;
        if (*at == ',') first = at + 1;
    }
    return 0;
}
