/* bench_text: compile and mask times of grammars of text (regex, gbnf), cold and walked at random.
 *
 *     bench_text [VOCAB.gguf]
 *
 * For each grammar and seed: compile, then draw allowed tokens at random, with the whole mask before
 * each, until the text must end or 60 tokens. A grammar is used by all its walks, as by the requests
 * that share one. Percentiles in microseconds of thread time. Slow ones (a mask above a millisecond)
 * are named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/grammar.h"
#include "engine/matcher.h"
#include "engine/vocab.h"

enum { WALKS = 20, TOKENS = 60 };

static const struct {
    const char *name, *text;
    bool regex;
} grammars[] = {
    {"json",
     "root ::= object\n"
     "value ::= object | array | string | number | (\"true\" | \"false\" | \"null\") ws\n"
     "object ::= \"{\" ws (string \":\" ws value (\",\" ws string \":\" ws value)*)? \"}\" ws\n"
     "array ::= \"[\" ws (value (\",\" ws value)*)? \"]\" ws\n"
     "string ::= \"\\\"\" ([^\"\\\\\\x7F\\x00-\\x1F] | \"\\\\\" ([\"\\\\bfnrt] | \"u\" [0-9a-fA-F]{4}))* "
     "\"\\\"\" ws\n"
     "number ::= (\"-\"? ([0-9] | [1-9] [0-9]{0,15})) (\".\" [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws\n"
     "ws ::= | \" \" | \"\\n\" [ \\t]{0,20}\n",
     false},
    {"arithmetic",
     "root ::= (expr \"=\" term \"\\n\")+\nexpr ::= term ([-+*/] term)*\n"
     "term ::= ident | num | \"(\" expr \")\"\nident ::= [a-z] [a-z0-9_]*\nnum ::= [0-9]+\n",
     false},
    {"list", "root ::= (\"- \" [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ \"\\n\")+", false},
    {"counted", "root ::= [a-zA-Z ]{0,5000}", false},
    {"date", "\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}:\\d{2}Z)?", true},
    {"email", "[\\w.+-]+@[a-z0-9-]+(\\.[a-z0-9-]+)+", true},
    {"sentence", "(yes|no), because [^.\\n]{5,120}\\.", true},
    {"any", ".*", true},
};

struct samples {
    float list[sizeof grammars / sizeof *grammars * WALKS * TOKENS];
    size_t n;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void report(const char *name, double compile, struct samples *s) {
    size_t n = s->n;
    if (n == 0) return;
    qsort(s->list, n, sizeof *s->list, ascending);
    printf("%-12s compile %8.1f us; %5zu masks: p50 %.1f p90 %.1f p99 %.1f max %.1f us\n", name, compile,
           n, s->list[n / 2], s->list[n * 9 / 10], s->list[n * 99 / 100], s->list[n - 1]);
}

/* A random token of the mask. */
static uint32_t draw(const uint64_t *bits, uint32_t n_words, uint32_t count, uint64_t *seed) {
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t wanted = (uint32_t)((*seed >> 33) % count);
    for (uint32_t word = 0; word < n_words; word++)
        for (uint64_t rest = bits[word]; rest; rest &= rest - 1)
            if (wanted-- == 0) return word * 64 + (uint32_t)__builtin_ctzll(rest);
    return 0;
}

static void walk(struct grammar *grammar, const struct vocab *vocab, const struct trie *trie, uint64_t *bits,
                 uint64_t seed, struct samples *samples) {
    struct error error = {0};
    struct matcher *matcher = matcher_new(grammar, trie, &error);
    for (int i = 0; i < TOKENS && matcher && !matcher_must_end(matcher); i++) {
        uint32_t len;
        double begin = now();
        uint32_t count = matcher_mask(matcher, bits);
        samples->list[samples->n++] = (float)(now() - begin);
        if (count == 0) break;
        const char *bytes = vocab_bytes(vocab, draw(bits, (vocab_size(vocab) + 63) / 64, count, &seed), &len);
        if (!matcher_accept(matcher, bytes, len)) exit(1);
    }
    matcher_free(matcher);
}

int main(int argc, char **argv) {
    const char *model = getenv("PLM_TEST_MODEL");
    const char *path = argc > 1 ? argv[1] : model ? model : "models/SmolLM2-135M-Instruct.Q4_1.gguf";
    struct error error = {0};
    struct gguf *gguf = gguf_open(path, &error);
    struct vocab *vocab = gguf ? vocab_new(gguf, &error) : NULL;
    struct trie *trie = vocab ? trie_new(vocab, &error) : NULL;
    static struct samples all, one;
    if (!trie) return fprintf(stderr, "%s: %s\n", path, error.message), 1;
    uint64_t *bits = calloc(vocab_size(vocab) / 64 + 1, sizeof *bits);
    printf("%s: %u tokens\n", path, vocab_size(vocab));
    for (size_t i = 0; bits && i < sizeof grammars / sizeof *grammars; i++) {
        const char *text = grammars[i].text;
        double begin = now();
        struct grammar *grammar = grammars[i].regex ? grammar_from_regex(text, strlen(text), "", &error)
                                                    : grammar_from_gbnf(text, strlen(text), "", &error);
        double compile = now() - begin;
        if (!grammar) return fprintf(stderr, "%s: %s\n", grammars[i].name, error.message), 1;
        one.n = 0;
        for (uint64_t seed = 1; seed <= WALKS; seed++) walk(grammar, vocab, trie, bits, seed, &one);
        memcpy(all.list + all.n, one.list, one.n * sizeof *one.list);
        all.n += one.n;
        report(grammars[i].name, compile, &one);
        grammar_unref(grammar);
    }
    report("all", 0, &all);
    free(bits);
    trie_free(trie);
    vocab_free(vocab);
    gguf_close(gguf);
    return 0;
}
