#include "engine/draft.h"

#include <stdlib.h>
#include <string.h>

#include "engine/generation.h"
#include "engine/guess.h"

enum {
    TEXT_BYTES = 1 << 15, /* of the request are kept to guess from, or a little more */
    FORCED_BYTES = 256,
    AHEAD_BYTES = 1,
    FAILED_MOST = 6,
};

void draft_free(struct draft *draft) {
    buf_free(&draft->text);
}

/* ---- what guesses are made from ------------------------------------------------------------- */

static void add_text(struct draft *draft, struct text text) {
    size_t skip = text.len > TEXT_BYTES ? text.len - TEXT_BYTES : 0;
    if (text.len) buf_add(&draft->text, text.bytes + skip, text.len - skip);
    buf_add_char(&draft->text, '\n');
}

static size_t message_length(const struct message *message) {
    size_t len = 0;
    for (size_t i = 0; i < message->n_parts; i++) len += message->parts[i].text.len;
    for (size_t i = 0; i < message->n_calls; i++) len += message->calls[i].arguments.len;
    return len;
}

static void add_message(struct draft *draft, const struct message *message) {
    size_t first = draft->text.len;
    for (size_t i = 0; i < message->n_parts; i++) add_text(draft, message->parts[i].text);
    if (message->role == ROLE_USER) draft->asked = (struct place_span){first, draft->text.len};
    for (size_t i = 0; i < message->n_calls; i++) add_text(draft, message->calls[i].arguments);
}

static void add_messages(struct draft *draft, const struct generation_spec *spec) {
    size_t from = spec->n_messages, len = 0;
    while (from && len < TEXT_BYTES) len += message_length(&spec->messages[--from]);
    for (size_t i = 0; i < spec->n_tools && len < TEXT_BYTES; i++) {
        add_text(draft, spec->tools[i].description);
        add_text(draft, spec->tools[i].schema);
        len += spec->tools[i].description.len + spec->tools[i].schema.len;
    }
    for (size_t i = from; i < spec->n_messages; i++) add_message(draft, &spec->messages[i]);
}

static void add_prompt(struct generation *g) {
    struct draft *draft = &g->draft;
    uint32_t n = g->n_prompt < TEXT_BYTES / 4 ? g->n_prompt : TEXT_BYTES / 4, len;
    for (uint32_t i = g->n_prompt - n; i < g->n_prompt; i++) {
        const char *bytes = vocab_bytes(g->engine->vocab, g->tokens.ids[i], &len);
        buf_add(&draft->text, bytes, len);
    }
    draft->asked = (struct place_span){0, draft->text.len};
}

/* Brings the text up to the answer's end. False without memory. */
static bool prepare(struct generation *g) {
    struct draft *draft = &g->draft;
    const struct buf *raw = &g->output.raw;
    if (!draft->ready) {
        if (g->spec->source == PROMPT_MESSAGES)
            add_messages(draft, g->spec);
        else
            add_prompt(g);
        draft->answer = draft->text.len;
        draft->ready = true;
    }
    if (draft->answer + raw->len < draft->text.len) { /* some of it was taken back */
        draft->text.len = draft->answer;
        draft->place = (struct place){0};
    }
    size_t known = draft->text.len - draft->answer;
    if (raw->len == known) return !draft->text.failed;
    place_read(&draft->place, raw->bytes + known, raw->len - known);
    return buf_add(&draft->text, raw->bytes + known, raw->len - known);
}

/* How often guesses come true, in percent: about what SmolLM2 did on function-calling cases. */
static const unsigned char chances[GUESS_KINDS] = {
    [GUESS_SURE] = 97,     [GUESS_LETTER] = 88, [GUESS_SPACE] = 90,  [GUESS_CLOSE] = 50,
    [GUESS_INVENTED] = 18, [GUESS_NAME] = 42,   [GUESS_NUMBER] = 80, [GUESS_DIGIT] = 97,
    [GUESS_WHOLE] = 80,    [GUESS_COMMA] = 60,  [GUESS_END] = 45,    [GUESS_BEGIN] = 50,
    [GUESS_COPY] = 75,
};

/* ---- drafting ------------------------------------------------------------------------------- */

struct pen { /* writes a draft */
    struct generation *g;
    struct engine *engine;
    struct draft *draft;
    struct matcher *matcher; /* after what was drafted; NULL in free text */
    struct place place;
    uint32_t most, waiting; /* rows of the pass before the draft */
    float chance;           /* that all of it is chosen */
    float gain,
        best_gain; /* of all of it, and of its first best_n tokens: passes that it may save */
    uint32_t best_n, best_full, best_few;
};

/* A choice follows: its logits are wanted. Is the draft worth most if it ends here? */
static void want_after(struct pen *pen) {
    struct draft *draft = pen->draft;
    if (!draft->n) return;
    generation_want(pen->g, pen->engine, pen->matcher, &draft->after[draft->n - 1]);
    pen->gain += pen->chance;
    if (pen->gain <= pen->best_gain) return;
    pen->best_gain = pen->gain;
    pen->best_n = draft->n;
    pen->best_full = pen->engine->n_full;
    pen->best_few = pen->engine->n_few;
}

/* Adds a token that will be chosen with this chance; 1: that the grammar determines. False if that
 * was the last. */
static bool write_token(struct pen *pen, uint32_t token, float chance) {
    struct draft *draft = pen->draft;
    uint32_t len;
    const char *bytes = vocab_bytes(pen->engine->vocab, token, &len);
    if (draft->n == pen->most || !len) return false;
    if (chance < 1) want_after(pen);
    if (pen->matcher && !matcher_accept(pen->matcher, bytes, len)) return false;
    place_read(&pen->place, bytes, len);
    buf_add(&draft->text, bytes, len);
    pen->chance *= chance;
    const struct kernels *kernels = pen->engine->kernels;
    float cost = pen->waiting + draft->n == 1 ? kernels->second_row : kernels->further_row;
    pen->gain -= (1 - pen->chance) * cost; /* if it is chosen its row would have been computed anyway */
    draft->after[draft->n] = (struct wanted){0};
    draft->tokens[draft->n++] = token;
    return true;
}

static bool allows(struct matcher *matcher, char c) {
    return matcher_allows(matcher, &c, 1);
}

static void guess_value(struct guess *guess, struct matcher *matcher, const struct guess_text *text,
                        const struct place *place) {
    static const char begins[] = "\"[{tn";
    if (allows(matcher, '1')) guess_number(guess, text, place);
    for (const char *c = begins; *c && !guess->n; c++)
        if (allows(matcher, *c)) guess_add(guess, *c, GUESS_BEGIN);
}

/* What comes behind a value. */
static void guess_after(struct guess *guess, struct matcher *matcher, const struct guess_text *text,
                        const struct place *place) {
    bool comma = allows(matcher, ','), whole = place->kind == PLACE_WORD,
         object = !place_in_array(place);
    char end = object ? '}' : ']';
    if (!allows(matcher, end)) {
        if (comma) guess_add(guess, ',', whole ? GUESS_WHOLE : GUESS_SURE);
    } else if (comma && (object || guess_more(text, place))) {
        guess_add(guess, ',', GUESS_COMMA);
    } else {
        guess_add(guess, end, comma || !whole ? GUESS_END : GUESS_WHOLE);
    }
}

static void guess_next(struct guess *guess, struct matcher *matcher, const struct guess_text *text,
                       const struct place *place) {
    switch (place->kind) {
    case PLACE_STRING: guess_string(guess, text, place); break;
    case PLACE_VALUE: guess_value(guess, matcher, text, place); break;
    case PLACE_WORD: guess_number(guess, text, place); break;
    default: break;
    }
    if ((place->kind == PLACE_WORD || place->kind == PLACE_AFTER) && !guess->n)
        guess_after(guess, matcher, text, place);
}

/* Keeps as much of a guess as the grammar allows. */
static void guess_limit(struct guess *guess, struct matcher *matcher) {
    size_t n = 0;
    while (n < guess->n && matcher_accept(matcher, guess->bytes + n, 1)) n++;
    guess->n = n;
}

/* A guess in one go: a value, and what comes behind it. `matcher` stands where it begins and then
 * where it ends, and so does `place`; the draft's text ends where it begins. */
static struct guess guess_on(struct pen *pen, struct matcher *matcher, struct place place) {
    struct buf *seen = &pen->draft->text;
    struct guess all = {.n = 0};
    size_t base = seen->len;
    char forced;
    for (int part = 0; part < 3; part++) {
        struct guess guess = {.n = 0};
        struct guess_text text = {seen->bytes, seen->len, pen->draft->asked, pen->draft->answer};
        guess_next(&guess, matcher, &text, &place);
        if (guess.n > GUESS_BYTES - all.n) break;
        guess_limit(&guess, matcher);
        if (!guess.n || !buf_add(seen, guess.bytes, guess.n)) break;
        place_read(&place, guess.bytes, guess.n);
        memcpy(all.bytes + all.n, guess.bytes, guess.n);
        memcpy(all.kind + all.n, guess.kind, guess.n);
        all.n += guess.n;
        if (place.kind != PLACE_AFTER && place.kind != PLACE_WORD) break;
        if (matcher_must_end(matcher) || matcher_forced(matcher, &forced, 1)) break;
    }
    seen->len = base;
    return all;
}

struct cut { /* tokens of some bytes */
    struct tokens tokens;
    size_t last; /* where the last one begins */
};

static bool cut(struct pen *pen, struct cut *cut, const char *bytes, size_t n) {
    struct error error = {0};
    uint32_t len;
    *cut = (struct cut){.last = n};
    if (!tokenize(pen->engine->vocab, &cut->tokens, bytes, n, TOKENIZE_CONTINUE, &error))
        return false;
    if (cut->tokens.len)
        vocab_bytes(pen->engine->vocab, cut->tokens.ids[cut->tokens.len - 1], &len),
            cut->last -= len;
    return true;
}

/* Writes the tokens of bytes[0..len) that begin before n; kinds[n]: what each byte rests on. */
static bool write_guess(struct pen *pen, const char *bytes, size_t len, const unsigned char *kinds,
                        size_t n) {
    struct cut whole;
    uint32_t size;
    size_t at = 0;
    bool ok = cut(pen, &whole, bytes, len);
    for (size_t i = 0; ok && i < whole.tokens.len && at < n; i++, at += size) {
        float chance = 0.97f;
        vocab_bytes(pen->engine->vocab, whole.tokens.ids[i], &size);
        for (size_t k = at; k < n && k < at + size; k++)
            if (k == at || kinds[k] != kinds[k - 1]) chance *= (float)chances[kinds[k]] / 100;
        ok = write_token(pen, whole.tokens.ids[i], chance);
    }
    tokens_free(&whole.tokens);
    return ok;
}

/* The forced bytes but for the last token; where that begins. */
static bool write_forced(struct pen *pen, const char *bytes, size_t n, size_t *last) {
    struct cut forced;
    bool ok = cut(pen, &forced, bytes, n);
    for (size_t i = 0; ok && i + 1 < forced.tokens.len; i++)
        ok = write_token(pen, forced.tokens.ids[i], 1);
    *last = forced.last;
    tokens_free(&forced.tokens);
    return ok;
}

/* What is forced, then a guess; both in one, so that tokens are cut as they would be in the whole.
 * False if the draft goes no further. */
static bool write_more(struct pen *pen, bool guessing) {
    char bytes[FORCED_BYTES + GUESS_BYTES + AHEAD_BYTES];
    unsigned char kinds[FORCED_BYTES + GUESS_BYTES] = {0};
    struct error error = {0};
    struct guess guess = {.n = 0};
    size_t last = 0, forced = matcher_forced(pen->matcher, bytes, FORCED_BYTES), ahead = 0;
    if (forced && !write_forced(pen, bytes, forced, &last)) return false;
    struct matcher *probe = guessing ? matcher_copy(pen->matcher, &error) : NULL;
    if (probe && matcher_accept(probe, bytes + last, forced - last) && !matcher_must_end(probe)) {
        struct place place = pen->place;
        size_t base = pen->draft->text.len;
        buf_add(&pen->draft->text, bytes + last, forced - last);
        place_read(&place, bytes + last, forced - last);
        guess = guess_on(pen, probe, place);
        pen->draft->text.len = base;
        memcpy(bytes + forced, guess.bytes, guess.n);
        memcpy(kinds + forced, guess.kind, guess.n);
        bool ends = guess.n > 1 && guess.bytes[guess.n - 2] == '"';
        ahead = guess.n && !ends ? matcher_forced(probe, bytes + forced + guess.n, AHEAD_BYTES) : 0;
    }
    matcher_free(probe);
    if (!pen->draft->n) pen->draft->sure = forced > last;
    size_t n = forced - last + guess.n;
    return n && write_guess(pen, bytes + last, n + ahead, kinds + last, n) && guess.n;
}

/* May a guess be tried now? After some that failed, chances pass; a new value is another matter. */
static bool trusts(struct draft *draft) {
    bool trusted = !draft->wait;
    draft->wait -= !trusted;
    return trusted;
}

/* In free text. */
static void write_copy(struct pen *pen) {
    struct draft *draft = pen->draft;
    struct guess_text text = {draft->text.bytes, draft->text.len, draft->asked, draft->answer};
    struct guess guess = {.n = 0};
    guess_copy(&guess, &text);
    draft->copied = true;
    if (guess.n && trusts(draft)) write_guess(pen, guess.bytes, guess.n, guess.kind, guess.n);
}

/* In what a grammar holds. */
static void write_values(struct pen *pen) {
    struct draft *draft = pen->draft;
    size_t value = draft->place.kind == PLACE_STRING ? draft->place.start : draft->place.at;
    if (value != draft->value) draft->wait = 0;
    draft->value = value;
    bool guessing = trusts(draft);
    while (write_more(pen, guessing)) {
    }
}

/* Writes on as long as there is an idea, then keeps as much as is likely to pay. */
static void write_draft(struct pen *pen) {
    struct draft *draft = pen->draft;
    pen->best_full = pen->engine->n_full;
    pen->best_few = pen->engine->n_few;
    if (pen->matcher && !matcher_is_free(pen->matcher))
        write_values(pen);
    else
        write_copy(pen);
    if (!pen->matcher || !matcher_must_end(pen->matcher)) want_after(pen);
    draft->n = pen->best_n;
    pen->engine->n_full = pen->best_full;
    pen->engine->n_few = pen->best_few;
}

void draft_make(struct generation *g, struct engine *engine, uint32_t waiting, uint32_t most) {
    struct draft *draft = &g->draft;
    struct error error = {0};
    uint32_t left = g->max_tokens - generation_length(g);
    draft->n = draft->sure = 0;
    draft->copied = false;
    if (most > left) most = left;
    if (most > DRAFT_MOST) most = DRAFT_MOST;
    if (!most || !prepare(g)) return;
    struct pen pen = {.g = g,
                      .engine = engine,
                      .draft = draft,
                      .place = draft->place,
                      .most = most,
                      .waiting = waiting,
                      .chance = 1};
    if (g->matcher && !(pen.matcher = matcher_copy(g->matcher, &error))) return;
    size_t len = draft->text.len;
    write_draft(&pen);
    draft->text.len = len;
    matcher_free(pen.matcher);
}

void draft_learn(struct draft *draft, uint32_t accepted) {
    if (draft->n <= draft->sure) return;
    uint32_t guessed = draft->n - draft->sure;
    uint32_t right = accepted > draft->sure ? accepted - draft->sure : 0;
    if (draft->copied ? 2 * right > guessed : right > 0) {
        draft->failed /= 2;
        return;
    }
    if (draft->failed < FAILED_MOST) draft->failed++;
    draft->wait = (1u << draft->failed) / 2 - 1;
}
