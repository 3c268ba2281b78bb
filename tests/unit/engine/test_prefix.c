/* The prefix cache against a plain model of it: what was stored is found up to the longest common prefix, for its
 * owner alone; under pressure entries go, but never a block that a sequence holds. */
#include <string.h>

#include "engine/prefix.h"
#include "tests/support.h"

enum { LENGTH = 130, KINDS = 40 };

static struct model tiny(void) {
    return (struct model){.n_layer = 1, .n_head_kv = 1, .head_dim = 8};
}

/* Token streams that share prefixes of many lengths: stream s differs from stream 0 at position s * 3. */
static void stream(uint32_t *tokens, uint32_t s) {
    for (uint32_t i = 0; i < LENGTH; i++) tokens[i] = i < s * 3 ? i : i + 1000 * (s + 1);
}

static struct kv_block *take(void *user) {
    return prefix_take(user);
}

static void store(struct prefix *prefix, struct kv *kv, uint32_t owner, uint32_t s, uint32_t n) {
    uint32_t tokens[LENGTH];
    struct sequence sequence = {0};
    stream(tokens, s);
    if (sequence_reserve(&sequence, n, take, prefix)) {
        sequence.n_tokens = n;
        for (uint32_t b = 0; b < sequence.n_blocks; b++) /* mark the block with its tokens' last one */
            sequence.blocks[b]->data[0] = (uint16_t)tokens[b * KV_TILE];
        prefix_store(prefix, &sequence, owner, tokens, n, 0);
    }
    sequence_clear(kv, &sequence);
}

static uint32_t look_up(struct prefix *prefix, struct kv *kv, uint32_t owner, uint32_t s, uint32_t limit) {
    uint32_t tokens[LENGTH], n;
    struct sequence sequence = {0};
    stream(tokens, s);
    prefix_lookup(prefix, &sequence, owner, tokens, limit);
    n = sequence.n_tokens;
    for (uint32_t b = 0; b < sequence.n_blocks; b++)
        ck_assert_uint_eq(sequence.blocks[b]->data[0], (uint16_t)tokens[b * KV_TILE]);
    sequence_clear(kv, &sequence);
    return n;
}

static uint32_t common(uint32_t a, uint32_t b) {
    uint32_t x[LENGTH], y[LENGTH], i = 0;
    stream(x, a), stream(y, b);
    while (i < LENGTH && x[i] == y[i]) i++;
    return i;
}

START_TEST(longest_common_prefix) {
    struct model model = tiny();
    struct kv kv;
    kv_init(&kv, &model, 1 << 22);
    struct prefix *prefix = prefix_new(&kv, 1);
    uint32_t stored[KINDS] = {0};
    for (uint32_t s = 0; s < KINDS; s++) {
        uint32_t n = 20 + s * 37 % 100;
        for (uint32_t q = 0; q < KINDS; q++) {
            uint32_t expected = 0;
            for (uint32_t k = 0; k < s; k++) {
                uint32_t c = common(k, q) < stored[k] ? common(k, q) : stored[k];
                if (c > expected) expected = c;
            }
            ck_assert_uint_eq(look_up(prefix, &kv, 5, q, LENGTH), expected);
            ck_assert_uint_eq(look_up(prefix, &kv, 5, q, 33), expected < 33 ? expected : 33);
            ck_assert_uint_eq(look_up(prefix, &kv, 6, q, LENGTH), 0);
        }
        store(prefix, &kv, 5, s, n);
        stored[s] = n;
    }
    prefix_free(prefix);
    ck_assert_uint_eq(kv.n_used, 0);
    kv_deinit(&kv);
}
END_TEST

START_TEST(under_pressure) {
    struct model model = tiny();
    struct kv kv;
    kv_init(&kv, &model, 12 * kv_block_bytes(&model));
    struct prefix *prefix = prefix_new(&kv, 1);
    uint32_t tokens[LENGTH];
    struct sequence held = {0};
    stream(tokens, 0);
    store(prefix, &kv, 1, 0, 96);
    prefix_lookup(prefix, &held, 1, tokens, 96); /* in use from here on */
    ck_assert_uint_eq(held.n_tokens, 96);
    for (uint32_t round = 0; round < 500; round++) {
        store(prefix, &kv, 1, round % KINDS, 1 + round * 31 % LENGTH);
        ck_assert_uint_le(kv.n_blocks, 12);
        for (uint32_t b = 0; b < held.n_blocks; b++)
            ck_assert_uint_eq(held.blocks[b]->data[0], (uint16_t)tokens[b * KV_TILE]);
    }
    ck_assert_uint_gt(prefix_stats(prefix).evictions, 100);
    sequence_clear(&kv, &held);
    prefix_free(prefix);
    ck_assert_uint_eq(kv.n_used, 0);
    kv_deinit(&kv);
}
END_TEST

/* Two sequences computed the same beginning; the cache keeps the one's, and what the other added on top of it. What
 * nobody holds must still be there for the taking. */
START_TEST(held_end_of_a_chain) {
    struct model model = tiny();
    struct kv kv;
    kv_init(&kv, &model, 12 * kv_block_bytes(&model));
    struct prefix *prefix = prefix_new(&kv, 1);
    uint32_t tokens[LENGTH];
    struct sequence running = {0};
    stream(tokens, 0);
    ck_assert(sequence_reserve(&running, 128, take, prefix));
    store(prefix, &kv, 1, 0, 96);
    running.n_tokens = 128;
    prefix_store(prefix, &running, 1, tokens, 128, 0);
    ck_assert(sequence_reserve(&running, 12 * KV_TILE, take, prefix));
    ck_assert_uint_eq(kv.n_used, 12);
    sequence_clear(&kv, &running);
    prefix_free(prefix);
    ck_assert_uint_eq(kv.n_used, 0);
    kv_deinit(&kv);
}
END_TEST

/* What is used again outlives one-off requests. */
START_TEST(conversations_outlive_one_offs) {
    struct model model = tiny();
    struct kv kv;
    kv_init(&kv, &model, 12 * kv_block_bytes(&model));
    struct prefix *prefix = prefix_new(&kv, 1);
    store(prefix, &kv, 1, 0, 96);
    ck_assert_uint_eq(look_up(prefix, &kv, 1, 0, LENGTH), 96);
    for (uint32_t round = 0; round < 50; round++) store(prefix, &kv, 2, round % KINDS, 128);
    ck_assert_uint_eq(look_up(prefix, &kv, 1, 0, LENGTH), 96);
    prefix_free(prefix);
    kv_deinit(&kv);
}
END_TEST

/* A sequence that is cut writes to blocks of its own: what others hold stays as it was. */
START_TEST(cut_leaves_shared_blocks) {
    struct model model = tiny();
    struct kv kv;
    kv_init(&kv, &model, 8 * kv_block_bytes(&model));
    struct prefix *prefix = prefix_new(&kv, 1);
    struct sequence sequence = {0};
    uint32_t tokens[LENGTH];
    stream(tokens, 0);
    store(prefix, &kv, 1, 0, 96);
    prefix_lookup(prefix, &sequence, 1, tokens, 96);
    ck_assert_uint_eq(sequence.n_tokens, 96);
    struct kv_block *shared = sequence.blocks[1];
    ck_assert(sequence_cut(&kv, &sequence, 96, take, prefix)); /* nothing to cut */
    ck_assert_uint_eq(sequence.n_blocks, 3);
    ck_assert(sequence_cut(&kv, &sequence, 63, take, prefix));
    ck_assert_uint_eq(sequence.n_tokens, 63);
    ck_assert_uint_eq(sequence.n_blocks, 2);
    ck_assert_ptr_ne(sequence.blocks[1], shared);
    ck_assert_uint_eq(sequence.blocks[1]->data[0], (uint16_t)tokens[32]); /* as it was */
    sequence.blocks[1]->data[0] = 7;
    struct kv_block *own = sequence.blocks[1];
    ck_assert(sequence_cut(&kv, &sequence, 40, take, prefix));
    ck_assert_ptr_eq(sequence.blocks[1], own);
    sequence_clear(&kv, &sequence);
    ck_assert_uint_eq(look_up(prefix, &kv, 1, 0, LENGTH), 96);
    prefix_free(prefix);
    ck_assert_uint_eq(kv.n_used, 0);
    kv_deinit(&kv);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("prefix");
    TCase *tcase = tcase_create("prefix");
    tcase_add_test(tcase, longest_common_prefix);
    tcase_add_test(tcase, under_pressure);
    tcase_add_test(tcase, held_end_of_a_chain);
    tcase_add_test(tcase, conversations_outlive_one_offs);
    tcase_add_test(tcase, cut_leaves_shared_blocks);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
