/* unicode: the runs of the table cover every code point once, and what the names of categories mean. */
#include <check.h>
#include <string.h>

#include "engine/unicode.h"
#include "tests/support.h"

static uint32_t named(const char *name) {
    return unicode_categories(name, strlen(name));
}

START_TEST(runs) {
    struct unicode_walk walk = {0};
    uint32_t next = 0, n = 0, letters = 0;
    for (; unicode_walk_next(&walk); n++) {
        ck_assert_uint_eq(walk.from, next);
        ck_assert_uint_ge(walk.to, walk.from);
        ck_assert_uint_lt(walk.category, UNICODE_CATEGORIES);
        next = walk.to + 1;
        for (uint32_t c = walk.from; c <= walk.to; c++) {
            ck_assert_uint_eq(unicode_category(c), walk.category);
            letters += unicode_flags(c) & UNICODE_LETTER;
        }
    }
    ck_assert_uint_eq(next, 0x110000);
    ck_assert_uint_eq(letters, 136726); /* of 15.1.0: sum of DerivedGeneralCategory.txt */
    ck_assert_uint_eq(unicode_category(0x110000), unicode_category(0x10FFFF));
}
END_TEST

START_TEST(names) {
    static const struct {
        const char *name;
        uint32_t code;
    } members[] = {
        {"Lu", 'A'},       {"Uppercase_Letter", 0xC9}, {"Ll", 0x101},      {"Lu", 0x100},
        {"Lt", 0x1C5},     {"Lm", 0x2B0},              {"Lo", 0x4E2D},     {"Mn", 0x301},
        {"Mc", 0x903},     {"Me", 0x20DD},             {"Nd", 0x663},      {"Nl", 0x2160},
        {"No", 0xBD},      {"Pc", '_'},                {"Pd", '-'},        {"Ps", '('},
        {"Pe", ')'},       {"Pi", 0xAB},               {"Pf", 0xBB},       {"Po", '!'},
        {"Sm", '+'},       {"Sc", 0x20AC},             {"Sk", '^'},        {"So", 0xA9},
        {"Zs", 0xA0},      {"Zl", 0x2028},             {"Zp", 0x2029},     {"Cc", 0},
        {"Cf", 0xFEFF},    {"Cs", 0xD800},             {"Co", 0xE000},     {"Cn", 0xFFFF},
        {"Letter", 'z'},   {"M", 0x301},               {"gc=Nd", '0'},     {"General_Category=Mark", 0x301},
        {"LC", 'q'},       {"punct", '!'},             {"digit", '7'},     {"cntrl", 0x7F},
        {"Any", 0xD800},   {"Assigned", 'a'},          {"Cn", 0xE0000},    {"Co", 0x10FFFD},
        {"Lo", 0x323AF},   {"Cn", 0x323B0},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        ck_assert_msg(named(members[i].name) >> unicode_category(members[i].code) & 1,
                      "%s U+%04X", members[i].name, members[i].code);
    ck_assert_uint_eq(named("L"), named("LC") | named("Lm") | named("Lo"));
    ck_assert_uint_eq(named("Any"), UNICODE_ANY);
    ck_assert_uint_eq(named("Assigned") | named("Cn"), UNICODE_ANY);
    ck_assert_uint_eq(named("Combining_Mark"), named("M"));
    static const char *const unknown[] = {"", "l", "X", "Lx", "Script=Greek", "gc=Any", "gc=", "Greek",
                                          "L ", "Letter,", "Other,Cc", "Alphabetic", "gc=gc=L"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        ck_assert_uint_eq(named(unknown[i]), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("unicode");
    TCase *tcase = tcase_create("unicode");
    tcase_add_test(tcase, runs);
    tcase_add_test(tcase, names);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
