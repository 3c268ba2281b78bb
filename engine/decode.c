/* Decoding: from logits to tokens, one generation at a time (engine thread). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/answer.h"
#include "engine/generation.h"
#include "engine/loop.h"

enum { FORCED_BYTES = 4096 };

/* ---- putting tokens out ----------------------------------------------------------------- */

static bool out_of_memory(struct generation *g) {
    struct error error = {0};
    error_set(&error, ERROR_OUT_OF_MEMORY, "no memory for the answer");
    generation_fail(g, &error);
    return false;
}

/* One entry of the answer's logprobs; a forced token has probability one. */
static bool note_logprobs(struct generation *g, uint32_t token, bool forced) {
    struct logprob_list *list = &g->logprobs;
    struct result_logprob certain = {token, 0};
    const struct result_logprob *top = &certain;
    size_t n_top = 1;
    if (!g->spec->sampling.want_logprobs) return true;
    if (!forced) top = sampler_top(g->sampler, &n_top);
    else if (!g->spec->sampling.logprobs) n_top = 0;
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        struct token_logprobs *of = realloc(list->of, cap * sizeof *of);
        if (!of) return false;
        list->of = of;
        list->cap = cap;
    }
    struct result_logprob *copy = malloc((n_top + 1) * sizeof *copy);
    if (!copy) return false;
    memcpy(copy, top, n_top * sizeof *copy);
    list->of[list->n++] = (struct token_logprobs){
        token, forced ? 0 : sampler_logprob(g->sampler, token), copy, n_top};
    return true;
}

/* Appends a token that the matcher has accepted already. */
static bool put(struct generation *g, uint32_t token, bool forced) {
    uint32_t len;
    const char *bytes = vocab_bytes(g->engine->vocab, token, &len);
    if (g->matcher && !matcher_is_free(g->matcher)) g->output.n_stop = 0; /* stop strings end free text only */
    if (!tokens_add(&g->tokens, token) || !output_add(&g->output, bytes, len) ||
        !sampler_note(g->sampler, token) || !note_logprobs(g, token, forced))
        return out_of_memory(g);
    g->result.forced_tokens += forced || token == g->held; /* the model was asked for its length only */
    return true;
}

void generation_stream(struct generation *g, bool finished) {
    if (!g->spec->stream || !g->events.chunk) return;
    size_t n_tokens = g->tokens.len, n_text = SIZE_MAX;
    if (!finished) trail_settled(g, &n_tokens, &n_text);
    struct text text = output_take(&g->output, finished, n_text);
    size_t n = n_tokens - g->n_prompt - g->chunk_first;
    if (!text.len && !(finished && n)) return;
    if (n_tokens < g->n_prompt + g->chunk_first) n = 0;
    struct generation_chunk chunk = {
        .seq = g->chunk_seq++, .text = text, .tokens = g->tokens.ids + g->n_prompt + g->chunk_first, .n_tokens = n,
        .logprobs = g->logprobs.n ? g->logprobs.of + g->chunk_first : NULL};
    g->chunk_first += n;
    g->events.chunk(g->user, &chunk);
}

/* ---- the budget -------------------------------------------------------------------------- */

enum fit { FIT_NO, FIT_YES, FIT_UNKNOWN };

/* The same where guards have a say: only a completion that was found is one. It is not looked for at
 * every token if that is dear or in vain. */
static enum fit fits_guarded(struct generation *g, size_t left) {
    struct trail *trail = &g->trail;
    struct tokens tokens = {0};
    if (matcher_may_end(g->matcher)) return FIT_YES;
    if (trail->wait && trail->wait--) return FIT_UNKNOWN;
    size_t n = closing_tokens(g->engine->vocab, g->matcher, &tokens);
    tokens_free(&tokens);
    trail_wait(trail, n != SIZE_MAX, matcher_closing_steps(g->matcher), left);
    if (n == SIZE_MAX) return FIT_UNKNOWN;
    return n <= left ? FIT_YES : FIT_NO;
}

/* Can the match still be completed within `left` more tokens? */
static enum fit fits(struct generation *g, size_t left) {
    if (matcher_may_fail(g->matcher)) return fits_guarded(g, left);
    if (matcher_shortest(g->matcher) <= left) return FIT_YES; /* a token is at least a byte */
    return closing_fits(&g->closing, g->engine->vocab, g->matcher, left) ? FIT_YES : FIT_NO;
}

/* The answer ends here: appends the shortest completion, which fits as every step has made sure. With
 * guards it does from the last point from which one is known, if there is one. */
static void close_now(struct generation *g) {
    struct tokens tokens = {0};
    if (matcher_may_fail(g->matcher)) trail_to_safe(g);
    size_t left = g->max_tokens - generation_length(g);
    size_t n = closing_within(&g->closing, g->engine->vocab, g->matcher, left, &tokens);
    for (size_t i = 0; i < n; i++) {
        uint32_t len;
        const char *bytes = vocab_bytes(g->engine->vocab, tokens.ids[i], &len);
        if (!matcher_accept(g->matcher, bytes, len)) break;
        if (!put(g, tokens.ids[i], true)) break;
    }
    tokens_free(&tokens);
    if (!g->done) generation_finish(g, FINISH_LENGTH);
}

/* ---- choosing a token --------------------------------------------------------------------- */

static void add_end_tokens(const struct generation *g, uint64_t *mask) {
    for (size_t i = 0; i < g->engine->n_end_tokens; i++) {
        uint32_t token = g->engine->end_tokens[i];
        mask[token / 64] |= 1ull << token % 64;
    }
}

static bool token_allowed(const struct generation *g, uint32_t token) {
    const struct engine *engine = g->engine;
    bool end = vocab_is_end(engine->vocab, token);
    if (!(engine->free_mask[token / 64] >> token % 64 & 1)) return false;
    if (!g->matcher) return true;
    if (end) return matcher_may_end(g->matcher);
    uint32_t len;
    const char *bytes = vocab_bytes(engine->vocab, token, &len);
    return len && matcher_allows(g->matcher, bytes, len);
}

/* The tokens that the grammar leaves at `matcher`, if they are few: fills ids (room for `most`) and
 * returns how many; 0: any token may have to be looked at. */
static uint32_t narrow(const struct generation *g, struct engine *engine, struct matcher *matcher, uint32_t *ids,
                       uint32_t most) {
    uint32_t n = 0, n_words = (engine->info.n_vocab + 63) / 64;
    if (!matcher || matcher_is_free(matcher)) return 0;
    if (matcher_mask(matcher, engine->mask) + engine->n_end_tokens > most) return 0;
    if (matcher_mask_was_cut(matcher)) return 0; /* the best of all logits may be allowed, too: see choose */
    if (matcher_may_end(matcher)) add_end_tokens(g, engine->mask);
    if (matcher == g->matcher) trail_clear(g, engine->mask);
    for (uint32_t word = 0; word < n_words; word++)
        for (uint64_t rest = engine->mask[word]; rest; rest &= rest - 1)
            ids[n++] = word * 64 + (uint32_t)__builtin_ctzll(rest);
    return n;
}

void generation_want(struct generation *g, struct engine *engine, struct matcher *matcher,
                     struct wanted *wanted) {
    uint32_t n_vocab = engine->info.n_vocab, most = n_vocab / CHOSEN_SHARE, row = engine->n_full;
    *wanted = (struct wanted){0};
    if (engine->n_full + engine->n_few == engine->max_logits) return;
    uint32_t *chosen = engine->chosen + (size_t)engine->n_few * most;
    wanted->n_chosen = narrow(g, engine, matcher, chosen, most);
    wanted->chosen = chosen;
    if (wanted->n_chosen) row = engine->max_logits - ++engine->n_few;
    else engine->n_full++;
    wanted->logits = engine->logits + (size_t)row * n_vocab;
}

/* As choose, where the grammar leaves few tokens. */
static uint32_t choose_among(const struct generation *g, struct engine *engine, const struct wanted *wanted) {
    uint32_t best = wanted->chosen[0];
    float *logits = wanted->logits;
    if (sampler_is_argmax(g->sampler)) {
        for (uint32_t i = 1; i < wanted->n_chosen; i++) /* NaN never wins */
            if (logits[wanted->chosen[i]] > logits[best] || isnan(logits[best])) best = wanted->chosen[i];
        return logits[best] > -INFINITY ? best : wanted->chosen[0];
    }
    memset(engine->mask, 0, (engine->info.n_vocab + 63) / 64 * sizeof *engine->mask);
    for (uint32_t i = 0; i < wanted->n_chosen; i++)
        engine->mask[wanted->chosen[i] / 64] |= 1ull << wanted->chosen[i] % 64;
    return sampler_draw(g->sampler, engine->kernels, logits, engine->mask, generation_length(g));
}

/* The token at this position, or TOKEN_NONE when the grammar leaves none. */
static uint32_t choose(struct generation *g, struct engine *engine, const struct wanted *wanted) {
    uint32_t n_vocab = engine->info.n_vocab;
    float *logits = wanted->logits;
    if (wanted->n_chosen) return choose_among(g, engine, wanted);
    if (sampler_is_argmax(g->sampler)) {
        uint32_t best = (uint32_t)engine->kernels->argmax(logits, n_vocab);
        if (token_allowed(g, best) && !trail_was_taken(g, best)) return best;
    }
    if (!g->matcher) return sampler_draw(g->sampler, engine->kernels, logits, engine->free_mask, generation_length(g));
    uint32_t count = matcher_mask(g->matcher, engine->mask);
    bool end = matcher_may_end(g->matcher);
    if (end) add_end_tokens(g, engine->mask);
    count -= trail_clear(g, engine->mask);
    if (!end && !count) return TOKEN_NONE;
    return sampler_draw(g->sampler, engine->kernels, logits, engine->mask, generation_length(g));
}

/* ---- forced tokens ------------------------------------------------------------------------ */

static bool has_prefix(const struct vocab *vocab, uint32_t token, const char *prefix, uint32_t prefix_len) {
    uint32_t len;
    const char *bytes = vocab_bytes(vocab, token, &len);
    return len > prefix_len && memcmp(bytes, prefix, prefix_len) == 0;
}

/* Could a longer token cover `last` and go on? Then choosing is the model's. */
static bool extends(const struct generation *g, struct matcher *before_last, uint32_t last, uint64_t *mask) {
    const struct vocab *vocab = g->engine->vocab;
    uint32_t len, n = vocab_size(vocab);
    const char *bytes = vocab_bytes(vocab, last, &len);
    matcher_mask(before_last, mask);
    for (uint32_t w = 0; w < (n + 63) / 64; w++)
        for (uint64_t bits = mask[w]; bits; bits &= bits - 1)
            if (has_prefix(vocab, w * 64 + (uint32_t)__builtin_ctzll(bits), bytes, len)) return true;
    return false;
}

/* How many of the tokens of the forced bytes can go out now. */
static size_t settle(struct generation *g, struct engine *engine, const struct tokens *tokens) {
    struct error error = {0};
    if (!tokens->len) return 0;
    struct matcher *probe = matcher_copy(g->matcher, &error);
    if (!probe) return 0;
    uint32_t len;
    const char *bytes;
    for (size_t i = 0; i + 1 < tokens->len; i++) {
        bytes = vocab_bytes(engine->vocab, tokens->ids[i], &len);
        matcher_accept(probe, bytes, len);
    }
    uint32_t last = tokens->ids[tokens->len - 1];
    bool hold = extends(g, probe, last, engine->mask);
    matcher_free(probe);
    return tokens->len - hold;
}

/* Notes from where the answer can be completed, where that is not sure everywhere. */
static bool note_fit(struct generation *g, enum fit fit) {
    if (!matcher_may_fail(g->matcher)) return true;
    if (fit == FIT_YES) return trail_note_safe(g) || out_of_memory(g);
    trail_note_unsafe(g);
    return true;
}

/* Consumes a token as long as the budget holds; else a shorter way to the end exists, which is taken.
 * False if the token was not put out. */
static bool consume(struct generation *g, uint32_t token, bool forced) {
    struct error error = {0};
    uint32_t len, left = g->max_tokens - generation_length(g);
    const char *bytes = vocab_bytes(g->engine->vocab, token, &len);
    struct matcher *before = left ? matcher_copy(g->matcher, &error) : NULL;
    if (!before) return left && out_of_memory(g);
    bool accepted = matcher_accept(g->matcher, bytes, len);
    enum fit fit = accepted ? fits(g, left - 1) : FIT_NO;
    if (fit == FIT_NO) {
        matcher_free(g->matcher);
        g->matcher = before;
        if (accepted || !forced) close_now(g);
        return false;
    }
    matcher_free(before);
    return put(g, token, forced) && note_fit(g, fit);
}

/* Appends tokens that the matcher must accept, as long as the budget holds. */
static void append(struct generation *g, const uint32_t *ids, size_t n) {
    for (size_t i = 0; i < n && !g->done; i++)
        if (!consume(g, ids[i], true)) return;
}

/* Appends what the grammar alone determines; a last token that must wait is noted as held. */
static void force(struct generation *g, struct engine *engine) {
    char bytes[FORCED_BYTES];
    struct tokens tokens = {0};
    struct error error = {0};
    size_t len = g->matcher ? matcher_forced(g->matcher, bytes, sizeof bytes) : 0, before = g->tokens.len;
    if (len && tokenize(engine->vocab, &tokens, bytes, len, TOKENIZE_CONTINUE, &error)) {
        size_t n = settle(g, engine, &tokens);
        append(g, tokens.ids, n);
        if (n < tokens.len && g->tokens.len == before + n && !g->done) g->held = tokens.ids[n];
    }
    tokens_free(&tokens);
}

/* ---- going round in circles ----------------------------------------------------------------- */

/* Do these tokens hold a quote, so that what they repeat is more than the inside of a string? */
static bool hold_quote(const struct vocab *vocab, const uint32_t *ids, size_t n) {
    bool escaped = false;
    for (size_t i = 0; i < n; i++) {
        uint32_t len;
        const char *bytes = vocab_bytes(vocab, ids[i], &len);
        for (uint32_t at = 0; at < len; at++) {
            if (bytes[at] == '"' && !escaped) return true;
            escaped = bytes[at] == '\\' && !escaped;
        }
    }
    return false;
}

/* Do they hold a comma and no letter, as the rows of a matrix do? */
static bool are_list(const struct vocab *vocab, const uint32_t *ids, size_t n) {
    bool comma = false;
    for (size_t i = 0; i < n; i++) {
        uint32_t len;
        const unsigned char *bytes = (const unsigned char *)vocab_bytes(vocab, ids[i], &len);
        for (uint32_t at = 0; at < len; at++) {
            if (bytes[at] >= 0x80 || (bytes[at] | 32u) - 'a' < 26u) return false;
            comma |= bytes[at] == ',';
        }
    }
    return comma;
}

static char last_byte(const struct generation *g) {
    const struct buf *text = &g->output.text;
    return text->len ? text->bytes[text->len - 1] : '\0';
}

static const char LEAVING[] = "\"]},"; /* what ends values, and comes between them */

/* How many tokens of the shortest completion end the string or number, or, if `array`, the array around
 * it. 0: none does from here. */
static size_t leaving_tokens(const struct vocab *vocab, const struct tokens *closing, bool array) {
    size_t first = 0;
    for (size_t i = 0; i < closing->len; i++) {
        uint32_t len;
        const char *bytes = vocab_bytes(vocab, closing->ids[i], &len);
        for (uint32_t at = 0; at < len; at++) {
            if (!memchr(LEAVING, bytes[at], sizeof LEAVING - 1)) return first;
            if (!first) first = i + 1;
            if (!array || bytes[at] == ']') return i + 1;
        }
    }
    return first;
}

/* A greedy model that repeats itself does so to the end of its budget: its value ends here instead,
 * as soon as the grammar allows. */
static void leave_loop(struct generation *g) {
    size_t period, n = generation_length(g);
    const uint32_t *output = g->tokens.ids + g->n_prompt;
    struct tokens closing = {0};
    if (!g->matcher || matcher_is_free(g->matcher) || g->form->text_check) return;
    if (!loop_found(g->tokens.ids, g->n_prompt, output, n, LOOP_WORDS, &period)) return;
    if (are_list(g->engine->vocab, output + n - period, period) &&
        !loop_found(g->tokens.ids, g->n_prompt, output, n, LOOP_LIST, &period))
        return;
    bool array = hold_quote(g->engine->vocab, output + n - period, period);
    if (array && last_byte(g) == '"') return; /* a string begins or ended: there will be a better place */
    char first = closing_first(g->matcher); /* most often the value can't end here: nothing need be cut then */
    if (!first || !memchr(LEAVING, first, sizeof LEAVING - 1)) return;
    if (closing_tokens(g->engine->vocab, g->matcher, &closing) != SIZE_MAX)
        append(g, closing.ids, leaving_tokens(g->engine->vocab, &closing, array));
    tokens_free(&closing);
}

/* ---- a step --------------------------------------------------------------------------------- */

/* Ends where nothing can follow, or where the budget is spent. */
static void check_end(struct generation *g) {
    if (g->done) return;
    if (g->output.stopped || (g->matcher && matcher_must_end(g->matcher))) generation_finish(g, FINISH_STOP);
    else if (generation_length(g) < g->max_tokens) return;
    else if (g->matcher && matcher_may_fail(g->matcher)) close_now(g);
    else generation_finish(g, FINISH_LENGTH);
}

/* No token is left to choose: back to another choice, or to where the answer can be ended. */
static void turn_back(struct generation *g, struct engine *engine) {
    struct error error = {0};
    if (!g->matcher || !matcher_may_fail(g->matcher)) {
        error_set(&error, ERROR_OUTPUT_INVALID, "the grammar left no token to choose");
        generation_fail(g, &error);
    } else if (trail_back(g, engine)) {
        g->held = TOKEN_NONE;
        return;
    } else if (g->trail.safe.matcher) {
        close_now(g);
    } else {
        generation_finish(g, FINISH_INVALID);
    }
    generation_stream(g, true);
}

/* A token was chosen. */
static void take(struct generation *g, uint32_t token) {
    if (vocab_is_end(g->engine->vocab, token)) generation_finish(g, FINISH_STOP);
    else if (!g->matcher) put(g, token, false);
    else if (matcher_may_fail(g->matcher) && !trail_add(g, token)) out_of_memory(g);
    else consume(g, token, false);
}

/* Is a call complete here, and another could follow? */
static bool ends_call(const struct generation *g) {
    return g->form && g->spec->n_tools && g->spec->choice != CHOICE_NONE &&
           !matcher_is_free(g->matcher) && matcher_may_end(g->matcher);
}

void generation_step(struct generation *g, struct engine *engine, const struct wanted *wanted) {
    uint32_t token = choose(g, engine, wanted);
    if (token == TOKEN_NONE) {
        turn_back(g, engine);
        return;
    }
    take(g, token);
    g->held = TOKEN_NONE;
    check_end(g);
    if (!g->done) leave_loop(g);
    check_end(g);
    if (!g->done) {
        force(g, engine);
        check_end(g);
    }
    if (!g->done && g->spec->max_calls > 1 && ends_call(g) && answer_repeats(g))
        generation_finish(g, FINISH_STOP);
    generation_stream(g, g->done);
}

bool generation_start(struct generation *g, struct engine *engine, struct error *error) {
    const struct generation_spec *spec = g->spec;
    output_init(&g->output, spec->stop, g->form && spec->choice != CHOICE_AUTO ? 0 : spec->n_stop);
    g->sampler = sampler_new(&spec->sampling, g->engine->info.n_vocab);
    if (!g->sampler) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for sampling");
    if (g->form) g->matcher = matcher_new(g->form->grammar, g->engine->trie, error);
    if (g->form && !g->matcher) return false;
    g->held = TOKEN_NONE;
    if (g->matcher && matcher_may_fail(g->matcher)) note_fit(g, fits(g, g->max_tokens));
    force(g, engine);
    check_end(g);
    if (g->done) generation_stream(g, true); /* the grammar left nothing to compute */
    return true;
}
