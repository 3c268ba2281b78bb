/* Repetition is found as soon as it is beyond doubt, and not before. */
#include "engine/loop.h"
#include "tests/support.h"

enum { MOST = 512, LEAST = 32 };

/* `head` tokens all different, then `period` others again and again. */
static void fill(uint32_t *tokens, size_t n, size_t head, size_t period) {
    for (size_t i = 0; i < n; i++)
        tokens[i] = (uint32_t)(i < head ? 1000 + i : 1 + (i - head) % period);
}

START_TEST(found_after_enough) {
    static const size_t periods[] = {1, 2, 3, 7, 16, 17, 33, LOOP_PERIOD};
    uint32_t tokens[MOST];
    size_t period = periods[_i], head = 5, found;
    size_t beyond = (LOOP_TURNS - 1) * period > LEAST ? (LOOP_TURNS - 1) * period : LEAST;
    fill(tokens, MOST, head, period);
    for (size_t n = 0; n < MOST; n++) {
        bool loop = loop_found(NULL, 0, tokens, n, LEAST, &found);
        ck_assert_msg(loop == (n >= head + period + beyond), "period %zu: %d after %zu", period, loop, n);
        if (loop) ck_assert_uint_eq(found, period);
    }
}
END_TEST

START_TEST(long_periods_are_no_loop) {
    uint32_t tokens[MOST];
    size_t found;
    fill(tokens, MOST, 0, LOOP_PERIOD + 1);
    for (size_t n = 0; n < MOST; n++) ck_assert(!loop_found(NULL, 0, tokens, n, LEAST, &found));
}
END_TEST

START_TEST(a_copy_is_no_loop) {
    uint32_t prompt[MOST], tokens[MOST];
    size_t found, held = LEAST + 8;
    fill(prompt, MOST, MOST - held, 2); /* ends with the repetition itself */
    fill(tokens, MOST, 3, 2);
    ck_assert(loop_found(prompt, MOST - held + LEAST - 1, tokens, MOST, LEAST, &found));
    ck_assert(!loop_found(prompt, MOST - held + LEAST + 1, tokens, MOST, LEAST, &found));
    ck_assert(!loop_found(prompt, MOST, tokens, MOST, LEAST, &found));
}
END_TEST

START_TEST(only_the_end_counts) {
    uint32_t tokens[MOST];
    size_t found;
    fill(tokens, MOST, 0, 1);
    ck_assert(loop_found(NULL, 0, tokens, MOST, LEAST, &found));
    tokens[MOST - 1] = 9;
    ck_assert(!loop_found(NULL, 0, tokens, MOST, LEAST, &found));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("loop");
    TCase *tcase = tcase_create("loop");
    tcase_add_loop_test(tcase, found_after_enough, 0, 8);
    tcase_add_test(tcase, long_periods_are_no_loop);
    tcase_add_test(tcase, a_copy_is_no_loop);
    tcase_add_test(tcase, only_the_end_counts);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
