#include "engine/draft.h"

#include <stdlib.h>
#include <string.h>

#include "engine/generation.h"
#include "engine/guess.h"

enum {
    TEXT_BYTES = 1 << 15, /* of the request are kept to guess from, or a little more */
    FORCED_BYTES = 256,
    AHEAD_BYTES = 32,
    FAILED_MOST = 5,
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
        if (g->spec->source == PROMPT_MESSAGES) add_messages(draft, g->spec);
        else add_prompt(g);
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

/* ---- drafting ------------------------------------------------------------------------------- */

struct pen { /* writes a draft */
    struct generation *g;
    struct engine *engine;
    struct draft *draft;
    struct matcher *matcher; /* after what was drafted; NULL in free text */
    struct place place;
    uint32_t most;
    bool choice; /* the next token is one: its logits are wanted */
};

/* Adds a token. False if that was the last. */
static bool write_token(struct pen *pen, uint32_t token, bool choice) {
    struct draft *draft = pen->draft;
    uint32_t len;
    const char *bytes = vocab_bytes(pen->engine->vocab, token, &len);
    if (draft->n == pen->most || !len) return false;
    if (choice && draft->n)
        generation_want(pen->g, pen->engine, pen->matcher, &draft->after[draft->n - 1]);
    if (pen->matcher && !matcher_accept(pen->matcher, bytes, len)) return false;
    place_read(&pen->place, bytes, len);
    buf_add(&draft->text, bytes, len);
    draft->after[draft->n] = (struct wanted){0};
    draft->tokens[draft->n++] = token;
    return true;
}

/* As many of the bytes as the grammar allows. */
static size_t allowed(struct matcher *matcher, const char *bytes, size_t n) {
    size_t len = 0;
    while (len < n && matcher_accept(matcher, bytes + len, 1)) len++;
    return len;
}

static bool allows(struct matcher *matcher, char c) {
    return matcher_allows(matcher, &c, 1);
}

static size_t guess_value(struct matcher *matcher, const struct guess_text *text, const struct place *place,
                          char *out) {
    char digit = '1';
    if (allows(matcher, digit)) return guess_number(out, text, place);
    *out = allows(matcher, '"') ? '"' : allows(matcher, '[') ? '[' : allows(matcher, 't') ? 't' : '\0';
    return *out != '\0';
}

/* What comes behind a value. */
static size_t guess_after(struct matcher *matcher, const struct guess_text *text, const struct place *place,
                          char *out) {
    bool comma = allows(matcher, ','), array = place_in_array(place);
    *out = comma && guess_more(text, place) ? ',' : array ? ']' : '}';
    if (!allows(matcher, *out)) *out = comma ? ',' : '\0';
    return *out != '\0';
}

static size_t guess_next(struct matcher *matcher, const struct guess_text *text, const struct place *place,
                         char *out) {
    size_t n;
    switch (place->kind) {
    case PLACE_STRING: return guess_string(out, text, place);
    case PLACE_VALUE: return guess_value(matcher, text, place, out);
    case PLACE_WORD:
        n = guess_number(out, text, place);
        return n ? n : guess_after(matcher, text, place, out);
    case PLACE_AFTER: return guess_after(matcher, text, place, out);
    default: return 0;
    }
}

/* The bytes of a guess in one go: a value, and what comes behind it. `probe` stands where it begins and
 * then where it ends; `base` is where text ends already beyond the draft's. */
static size_t guess(struct pen *pen, struct matcher *probe, struct place place, char *out, size_t cap) {
    struct draft *draft = pen->draft;
    size_t base = draft->text.len, len = 0;
    for (int part = 0; part < 3 && len + GUESS_BYTES <= cap; part++) {
        char forced;
        struct guess_text text = {draft->text.bytes, draft->text.len, draft->asked, draft->answer};
        if (part && (matcher_must_end(probe) || matcher_forced(probe, &forced, 1))) break;
        if (part && place.kind == PLACE_STRING) break;
        size_t n = allowed(probe, out + len, guess_next(probe, &text, &place, out + len));
        if (!n || !buf_add(&draft->text, out + len, n)) break;
        place_read(&place, out + len, n);
        len += n;
        if (place.kind != PLACE_AFTER && place.kind != PLACE_WORD) break;
    }
    draft->text.len = base;
    return len;
}

/* Writes the tokens of these bytes that begin among the first n. All but the last `choices` bytes' are
 * no choice. */
static bool write_bytes(struct pen *pen, const char *bytes, size_t len, size_t n, bool choice) {
    struct tokens tokens = {0};
    struct error error = {0};
    size_t at = 0;
    bool ok = tokenize(pen->engine->vocab, &tokens, bytes, len, TOKENIZE_CONTINUE, &error);
    for (size_t i = 0; ok && i < tokens.len && at < n; i++) {
        uint32_t size;
        vocab_bytes(pen->engine->vocab, tokens.ids[i], &size);
        ok = write_token(pen, tokens.ids[i], choice);
        at += size;
    }
    tokens_free(&tokens);
    return ok;
}

/* The forced bytes but for the last token; where that begins. */
static bool write_forced(struct pen *pen, const char *bytes, size_t n, size_t *last) {
    struct tokens tokens = {0};
    struct error error = {0};
    *last = 0;
    bool ok = tokenize(pen->engine->vocab, &tokens, bytes, n, TOKENIZE_CONTINUE, &error);
    for (size_t i = 0; ok && i + 1 < tokens.len; i++) {
        uint32_t size;
        vocab_bytes(pen->engine->vocab, tokens.ids[i], &size);
        ok = write_token(pen, tokens.ids[i], false);
        *last += size;
    }
    tokens_free(&tokens);
    return ok;
}

/* What is forced, then a guess; both in one, so that tokens are cut as they would be in the whole. False
 * if the draft goes no further. */
static bool write_more(struct pen *pen, bool guessing) {
    char bytes[FORCED_BYTES + 4 * GUESS_BYTES];
    struct error error = {0};
    size_t last = 0, forced = matcher_forced(pen->matcher, bytes, FORCED_BYTES), guessed = 0, ahead = 0;
    if (forced && !write_forced(pen, bytes, forced, &last)) return false;
    struct matcher *probe = guessing ? matcher_copy(pen->matcher, &error) : NULL;
    if (probe && matcher_accept(probe, bytes + last, forced - last) && !matcher_must_end(probe)) {
        struct place place = pen->place;
        size_t base = pen->draft->text.len;
        buf_add(&pen->draft->text, bytes + last, forced - last);
        place_read(&place, bytes + last, forced - last);
        guessed = guess(pen, probe, place, bytes + forced, 3 * GUESS_BYTES);
        pen->draft->text.len = base;
        ahead = guessed ? matcher_forced(probe, bytes + forced + guessed, AHEAD_BYTES) : 0;
    }
    matcher_free(probe);
    if (!pen->draft->n) pen->draft->sure = forced > last;
    size_t n = forced - last + guessed;
    return n && write_bytes(pen, bytes + last, n + ahead, n, true) && guessed;
}

/* In free text. */
static void write_copy(struct pen *pen) {
    struct draft *draft = pen->draft;
    struct guess_text text = {draft->text.bytes, draft->text.len, draft->asked, draft->answer};
    char bytes[GUESS_BYTES];
    size_t n = guess_copy(bytes, &text);
    draft->sure = 0;
    if (n) write_bytes(pen, bytes, n, n, true);
}

/* Is it worth while to guess? */
static bool trusts(struct draft *draft) {
    size_t value = draft->place.kind == PLACE_STRING ? draft->place.start + 1 : 0;
    if (value != draft->value) draft->wait = 0;
    draft->value = value;
    if (!draft->wait) return true;
    draft->wait--;
    return false;
}

static void write_draft(struct pen *pen) {
    struct draft *draft = pen->draft;
    bool guessing = trusts(draft);
    if (pen->matcher && !matcher_is_free(pen->matcher))
        while (write_more(pen, guessing)) {
        }
    else if (guessing) write_copy(pen);
    if (draft->n && !(pen->matcher && matcher_must_end(pen->matcher)))
        generation_want(pen->g, pen->engine, pen->matcher, &draft->after[draft->n - 1]);
}

void draft_make(struct generation *g, struct engine *engine, uint32_t most) {
    struct draft *draft = &g->draft;
    struct error error = {0};
    uint32_t left = g->max_tokens - generation_length(g);
    draft->n = draft->sure = 0;
    if (most > left) most = left;
    if (most > DRAFT_MOST) most = DRAFT_MOST;
    if (!most || !prepare(g)) return;
    struct pen pen = {.g = g, .engine = engine, .draft = draft, .place = draft->place, .most = most};
    if (g->matcher && !(pen.matcher = matcher_copy(g->matcher, &error))) return;
    size_t len = draft->text.len;
    write_draft(&pen);
    draft->text.len = len;
    matcher_free(pen.matcher);
}

void draft_learn(struct draft *draft, uint32_t accepted) {
    if (draft->n <= draft->sure) return;
    if (accepted > draft->sure) {
        draft->failed = 0;
        return;
    }
    if (draft->failed < FAILED_MOST) draft->failed++;
    draft->wait = (1u << draft->failed) / 2 - 1;
}
