/* Golden results: logits of every small model and of the real one against exact ones (../shared/models,
 * ../shared/golden), as their READMEs define the measures. */
#include <math.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/json.h"
#include "tests/support.h"

static const char *const tables[] = {"scalar", "avx2", "avx512"};

/* ---- small models ---------------------------------------------------------------------- */

enum { N_TOKENS = 48, N_VOCAB = 512, N_GREEDY = 16 };

static void read_ids(const char *path, uint32_t *ids, size_t n) {
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < n; i++) ck_assert_int_eq(fscanf(file, "%u", &ids[i]), 1);
    fclose(file);
}

static float *read_floats(const char *path, size_t n) {
    size_t len = 0;
    float *values = (float *)(void *)read_whole(path, &len);
    ck_assert_ptr_nonnull(values);
    ck_assert_uint_eq(len, n * sizeof *values);
    return values;
}

static struct engine *open_engine(const char *path, const char *isa) {
    struct error error = {0};
    struct engine_settings settings = {.model_path = path, .isa_name = isa, .threads = 2};
    struct engine *engine = engine_new(&settings, &error);
    if (!engine && strstr(error.message, "processor does not run")) return NULL;
    ck_assert_msg(engine != NULL, "%s: %s", path, error.message);
    return engine;
}

static uint32_t best(const float *logits, size_t n) {
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[at]) at = i;
    return (uint32_t)at;
}

/* Normalised mean squared error of a model's logits; greedy (may be NULL) receives the continuation. */
static double measure(struct engine *engine, const char *exact_path, uint32_t *greedy) {
    static float logits[N_TOKENS * N_VOCAB];
    uint32_t tokens[N_TOKENS];
    struct error error = {0};
    float *exact = read_floats(exact_path, N_TOKENS * N_VOCAB);
    double wrong = 0, all = 0;
    read_ids(shared_file("models/tokens.txt"), tokens, N_TOKENS);
    struct sequence *sequence = engine_sequence_new(engine, &error);
    ck_assert(engine_sequence_extend(engine, sequence, tokens, N_TOKENS, logits, N_TOKENS, &error));
    for (size_t i = 0; i < N_TOKENS * N_VOCAB; i++) {
        wrong += ((double)exact[i] - logits[i]) * ((double)exact[i] - logits[i]);
        all += (double)exact[i] * exact[i];
    }
    float *last = logits + (N_TOKENS - 1) * N_VOCAB;
    for (size_t i = 0; greedy && i < N_GREEDY; i++) {
        greedy[i] = best(last, N_VOCAB);
        ck_assert(engine_sequence_extend(engine, sequence, &greedy[i], 1, last, 1, &error));
    }
    engine_sequence_free(engine, sequence);
    free(exact);
    return wrong / all;
}

START_TEST(architectures) {
    static const char *const names[] = {"llama", "llama-tied", "llama-ropefreqs", "llama-ropelinear"};
    if (!present(shared_file("models/arch/llama.gguf"))) return;
    char path[64];
    snprintf(path, sizeof path, "models/arch/%s.gguf", names[_i]);
    struct engine *engine = open_engine(shared_file(path), NULL);
    uint32_t greedy[N_GREEDY], expected[N_GREEDY];
    snprintf(path, sizeof path, "models/arch/%s.logits.f32", names[_i]);
    double nmse = measure(engine, shared_file(path), greedy);
    snprintf(path, sizeof path, "models/arch/%s.greedy.txt", names[_i]);
    read_ids(shared_file(path), expected, N_GREEDY);
    engine_free(engine);
    printf("%-18s NMSE %.3g\n", names[_i], nmse);
    ck_assert_msg(nmse <= 1e-5, "%s: %g", names[_i], nmse);
    ck_assert_msg(memcmp(greedy, expected, sizeof greedy) == 0, "%s: greedy continuation differs", names[_i]);
}
END_TEST

/* llama.cpp's own error on the same files: models/README.md. */
static const struct {
    const char *name;
    double peer;
} formats[] = {{"F16", 7.5e-6},   {"Q8_0", 4.3e-3},   {"Q4_0", 3.4e-3},  {"Q4_1", 5.4e-3},
               {"Q4_K_S", 7.9e-3}, {"Q5_K_S", 7.2e-3}, {"Q6_K", 1.1e-2}};

START_TEST(block_formats) {
    enum { N = sizeof formats / sizeof *formats };
    double logs = 0;
    if (!present(shared_file("models/quant/F16.gguf"))) return;
    for (size_t i = 0; i < N; i++) {
        char path[64];
        snprintf(path, sizeof path, "models/quant/%s.gguf", formats[i].name);
        struct engine *engine = open_engine(shared_file(path), tables[_i]);
        if (!engine) {
            printf("SKIP: this processor does not run %s\n", tables[_i]);
            return;
        }
        snprintf(path, sizeof path, "models/quant/%s.logits.f32", formats[i].name);
        double ratio = measure(engine, shared_file(path), NULL) / formats[i].peer;
        engine_free(engine);
        printf("%-7s %-7s %.2f of llama.cpp's NMSE\n", tables[_i], formats[i].name, ratio);
        ck_assert_msg(ratio <= 1.6, "%s: %.2f", formats[i].name, ratio);
        logs += log(ratio);
    }
    printf("%-7s geometric mean %.2f\n", tables[_i], exp(logs / N));
    ck_assert(exp(logs / N) <= 1.15);
}
END_TEST

START_TEST(unsupported_formats_are_named) {
    static const char *const names[] = {"BF16", "Q5_0", "Q2_K", "IQ4_XS", "TQ1_0"};
    if (!present(shared_file("models/quant/F16.gguf"))) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        struct error error = {0};
        snprintf(path, sizeof path, "models/quant/%s.gguf", names[i]);
        struct engine_settings settings = {.model_path = shared_file(path), .threads = 1};
        ck_assert_ptr_null(engine_new(&settings, &error));
        ck_assert_int_eq(error.code, ERROR_MODEL_NOT_READY);
        ck_assert_msg(strstr(error.message, names[i]) != NULL, "%s: %s", names[i], error.message);
    }
}
END_TEST

START_TEST(unsupported_architectures_are_named) {
    static const char *const names[] = {"qwen3", "gemma2", "phi3", "llama-moe", "llama-yarn"};
    static const char *const says[] = {"qwen3", "gemma2", "phi3", "expert_count", "yarn"};
    if (!present(shared_file("models/arch/llama.gguf"))) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        struct error error = {0};
        snprintf(path, sizeof path, "models/arch/%s.gguf", names[i]);
        struct engine_settings settings = {.model_path = shared_file(path), .threads = 1};
        ck_assert_ptr_null(engine_new(&settings, &error));
        ck_assert_msg(strstr(error.message, says[i]) != NULL, "%s: %s", names[i], error.message);
    }
}
END_TEST

/* ---- the real model ---------------------------------------------------------------------- */

static double number(const struct json *value) {
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(value->len < 63 ? value->len : 63), value->text);
    return strtod(text, NULL);
}

/* KL64 of one position: the 64 most likely tokens plus the rest as one. */
static double kl64(const struct json *top, const float *logits, size_t n) {
    double max = -INFINITY, sum = 0, kl = 0, p_rest = 1, q_rest = 1;
    for (size_t i = 0; i < n; i++) max = fmax(max, logits[i]);
    for (size_t i = 0; i < n; i++) sum += exp(logits[i] - max);
    for (uint32_t i = 0; i < top->len; i++) {
        size_t token = (size_t)number(top->items[i]->items[0]);
        double lp = number(top->items[i]->items[1]), lq = logits[token] - max - log(sum);
        kl += exp(lp) * (lp - lq);
        p_rest -= exp(lp);
        q_rest -= exp(lq);
    }
    p_rest = fmax(p_rest, 1e-12);
    return kl + p_rest * (log(p_rest) - log(fmax(q_rest, 1e-12)));
}

static uint32_t *ids_of(const struct json *prompt, size_t *n) {
    const struct json *ids = json_get(prompt, "ids");
    uint32_t *tokens = malloc(ids->len * sizeof *tokens);
    *n = ids->len;
    for (size_t i = 0; i < *n; i++) tokens[i] = (uint32_t)number(ids->items[i]);
    return tokens;
}

static void check_ids(struct engine *engine, const struct json *prompt, const uint32_t *ids, size_t n) {
    const struct json *text = json_get(prompt, "text");
    struct error error = {0};
    uint32_t *tokens;
    size_t found;
    ck_assert(engine_tokenize(engine, (struct text){text->text, text->len}, false, true, &tokens, &found, &error));
    ck_assert_uint_eq(found, n);
    ck_assert_mem_eq(tokens, ids, n * sizeof *ids);
    free(tokens);
}

static double prompt_kl(struct engine *engine, const struct json *prompt) {
    const struct json *top = json_get(prompt, "exact_top64");
    struct error error = {0};
    size_t n, vocab = engine_info(engine)->n_vocab;
    uint32_t *ids = ids_of(prompt, &n);
    float *logits = malloc(n * vocab * sizeof *logits);
    double sum = 0;
    check_ids(engine, prompt, ids, n);
    struct sequence *sequence = engine_sequence_new(engine, &error);
    ck_assert(engine_sequence_extend(engine, sequence, ids, n, logits, n, &error));
    for (uint32_t i = 0; i < top->len; i++) sum += kl64(top->items[i], logits + i * vocab, vocab);
    engine_sequence_free(engine, sequence);
    free(logits);
    free(ids);
    return sum / top->len;
}

START_TEST(real_model) {
    if (!present(shared_file("golden/smollm2-q4_1.json")) || !present(model_file())) return;
    size_t len = 0;
    struct error error = {0};
    char *text = read_whole(shared_file("golden/smollm2-q4_1.json"), &len);
    struct json_doc *doc = json_parse(text, len, 64, &error);
    ck_assert_msg(doc != NULL, "%s", error.message);
    const struct json *prompts = json_root(doc);
    struct engine *engine = open_engine(model_file(), NULL);
    double ours = 0, peers = 0;
    for (uint32_t i = 0; i < prompts->len; i++) {
        double kl = prompt_kl(engine, prompts->items[i]);
        double peer = number(json_get(prompts->items[i], "kl64_llamacpp"));
        printf("%-13.*s KL64 %.5f, llama.cpp %.5f\n", (int)prompts->keys[i].len, prompts->keys[i].text, kl, peer);
        ours += kl;
        peers += peer;
    }
    printf("mean KL64 is %.2f of llama.cpp's\n", ours / peers);
    ck_assert(ours <= 1.15 * peers);
    engine_free(engine);
    json_free(doc);
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("golden");
    TCase *tcase = tcase_create("golden");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, architectures, 0, 4);
    tcase_add_loop_test(tcase, block_formats, 0, 3);
    tcase_add_test(tcase, unsupported_formats_are_named);
    tcase_add_test(tcase, unsupported_architectures_are_named);
    tcase_add_test(tcase, real_model);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
