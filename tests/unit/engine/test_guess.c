/* Where an answer's end is, and what is likely to come next. */
#include <string.h>

#include "engine/guess.h"
#include "tests/support.h"

static unsigned next_random(unsigned *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* ---- places ---- */

static struct place read_all(const char *text, size_t step) {
    struct place place = {.kind = PLACE_OTHER};
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i += step) place_read(&place, text + i, n - i < step ? n - i : step);
    return place;
}

START_TEST(places) {
    static const struct {
        const char *text;
        enum place_kind kind;
        size_t start;
        bool array;
    } cases[] = {
        {"", PLACE_OTHER, 0, false},
        {"{", PLACE_OTHER, 0, false},
        {"{\"na", PLACE_KEY, 2, false},
        {"{\"name\"", PLACE_OTHER, 2, false},
        {"{\"name\":", PLACE_VALUE, 2, false},
        {"{\"name\": \"", PLACE_STRING, 10, false},
        {"{\"name\": \"a\\\"", PLACE_STRING, 10, false},
        {"{\"name\": \"a\\\\\"", PLACE_AFTER, 10, false},
        {"{\"n\": -1", PLACE_WORD, 6, false},
        {"{\"n\": 12,", PLACE_OTHER, 6, false},
        {"{\"n\": 12}", PLACE_AFTER, 6, false},
        {"{\"n\": [", PLACE_VALUE, 2, true},
        {"{\"n\": [1,", PLACE_VALUE, 7, true},
        {"{\"n\": [\"x\"", PLACE_AFTER, 8, true},
        {"{\"n\": [{\"a\": 1}", PLACE_AFTER, 13, true},
        {"{\"n\": [{\"a\": 1}]", PLACE_AFTER, 13, false},
        {"}}]]", PLACE_AFTER, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 4; step++) {
            struct place place = read_all(cases[i].text, step);
            ck_assert_msg(place.kind == cases[i].kind && place.start == cases[i].start &&
                              place_in_array(&place) == cases[i].array,
                          "%s: %d at %zu", cases[i].text, place.kind, place.start);
        }
}
END_TEST

START_TEST(spans) {
    struct place place = read_all("{\"a\": \"xy\", \"b\": 12, \"c\": \"", 1);
    ck_assert_uint_eq(place.string.first, 7);
    ck_assert_uint_eq(place.string.end, 9);
    ck_assert_uint_eq(place.word.first, 17);
    ck_assert_uint_eq(place.word.end, 19);
}
END_TEST

/* Any bytes, also deeper than levels are told apart. */
START_TEST(any_bytes) {
    static const char alphabet[] = "{}[]\",:\\ 1a\n";
    unsigned random = 5;
    struct place place = {.kind = PLACE_OTHER};
    for (size_t i = 0; i < 200000; i++) {
        char c = i < 1000 ? '[' : alphabet[next_random(&random) % (sizeof alphabet - 1)];
        place_read(&place, &c, 1);
        ck_assert_uint_le(place.start, place.at);
        ck_assert_uint_le(place.string.first, place.string.end);
        ck_assert_uint_le(place.word.first, place.word.end);
    }
}
END_TEST

/* ---- guesses ---- */

static char text[1 << 12];

/* What is guessed behind `answer`, where the user said `asked`. */
static const char *guessed(const char *asked, const char *answer) {
    static char bytes[GUESS_BYTES + 1];
    int n = snprintf(text, sizeof text, "{\"city\": \"Oslo Oslo 77\"}\n%s\n%s", asked, answer);
    size_t first = strlen("{\"city\": \"Oslo Oslo 77\"}\n"), end = first + strlen(asked) + 1;
    struct guess_text seen = {text, (size_t)n, {first, end}, end};
    struct place place = read_all(answer, 1);
    struct guess guess = {.n = 0};
    if (place.kind == PLACE_STRING) guess_string(&guess, &seen, &place);
    else if (place.kind == PLACE_VALUE || place.kind == PLACE_WORD) guess_number(&guess, &seen, &place);
    else guess_copy(&guess, &seen);
    memcpy(bytes, guess.bytes, guess.n);
    bytes[guess.n] = '\0';
    return bytes;
}

START_TEST(guesses) {
    static const char trip[] = "Go from New York City to Los Angeles for 12 days, 3.5 or -4 dollars";
    static const struct {
        const char *asked, *answer, *guess;
    } cases[] = {
        {trip, "{\"a\": \"", "New York City\""},
        {trip, "{\"a\": \"Ne", "w York City\""},
        {trip, "{\"a\": \"New York", " City\""},
        {trip, "{\"a\": \"New York City\", \"b\": \"", "Los Angeles\""},
        {trip, "{\"a\": \"Os", "lo 77\""}, /* also from elsewhere, the last one */
        {trip, "{\"a\": \"xyz", "\""},
        {trip, "{\"a\": \"from", "\""},
        {trip, "{\"a\": ", "12"},
        {trip, "{\"a\": 1", "2"},
        {trip, "{\"a\": 12, \"b\": ", "3.5"},
        {trip, "{\"a\": 3.5, \"b\": ", "-4"},
        {trip, "{\"a\": 9", ""},
        {"open 'the file' now", "{\"a\": \"", "the file\""},
        {"nothing here", "{\"a\": \"", ""},
        {"nothing here", "{\"a\": ", ""},
        {"", "{\"a\": \"", ""},
        {"say go for a walk at noon.", "{\"a\": \"go for", " a walk at noon\""},
        {"one two three four five six seven", "One, then two three four five", " six seven\n"},
        {"one two three four five six seven", "One, then three four five", ""}, /* too little */
        {"one two three four five six", "quite another text", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *guess = guessed(cases[i].asked, cases[i].answer);
        ck_assert_msg(strcmp(guess, cases[i].guess) == 0, "%s: '%s', not '%s'", cases[i].answer, guess,
                      cases[i].guess);
    }
}
END_TEST

/* No text leads out of it: each run of bytes lies in memory of its own size. */
START_TEST(any_text) {
    static const char alphabet[] = "aB1 .'\"-\n,\\\xc3\xa9[{:";
    unsigned random = 9;
    for (unsigned round = 0; round < 20000; round++) {
        size_t n = next_random(&random) % 200, asked = n ? next_random(&random) % n : 0, answer;
        char *bytes = malloc(n + 1);
        ck_assert_ptr_nonnull(bytes);
        for (size_t i = 0; i < n; i++) bytes[i] = alphabet[next_random(&random) % (sizeof alphabet - 1)];
        answer = asked + (n > asked ? next_random(&random) % (n - asked) : 0);
        bytes = realloc(bytes, n ? n : 1);
        struct guess_text seen = {bytes, n, {asked / 2, asked}, answer};
        struct place place = {.kind = PLACE_OTHER};
        place_read(&place, bytes + answer, n - answer);
        struct guess made[3] = {{.n = 0}, {.n = 0}, {.n = 0}};
        if (place.kind == PLACE_STRING) guess_string(&made[0], &seen, &place);
        if (place.kind == PLACE_VALUE || place.kind == PLACE_WORD) guess_number(&made[1], &seen, &place);
        guess_copy(&made[2], &seen);
        guess_more(&seen, &place);
        for (int i = 0; i < 3; i++) {
            ck_assert_uint_le(made[i].n, GUESS_BYTES);
            for (size_t k = 0; k < made[i].n; k++) ck_assert_uint_lt(made[i].kind[k], GUESS_KINDS);
        }
        free(bytes);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("guess");
    TCase *tcase = tcase_create("guess");
    tcase_add_test(tcase, places);
    tcase_add_test(tcase, spans);
    tcase_add_test(tcase, any_bytes);
    tcase_add_test(tcase, guesses);
    tcase_add_test(tcase, any_text);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
