#include "engine/ahead.h"

#include <string.h>

#include "base/utf8.h"
#include "engine/hash.h"
#include "engine/vector.h"

/* Of one attempt to find a completion that guards allow: steps of the machine and of the guards. */
enum { SEARCH_STEPS = 4000, SEARCH_WORK = 1 << 18 };

/* The attempts in turn. After the first some take at times another byte than the best: what a guard
 * rejects may have been decided long before; one in so many places, differently each time, and
 * nothing of it is random. Others look at all completions that are no longer than the shortest one
 * by so much: where a value is rejected, the next one is as short, mostly, and not its own
 * continuation. */
static const struct {
    uint32_t stray; /* 0: never */
    uint32_t spare; /* RULES_INFINITE: of any length */
} attempts[] = {{0, RULES_INFINITE},
                {0, 0},
                {2, RULES_INFINITE},
                {0, 2},
                {8, RULES_INFINITE},
                {3, RULES_INFINITE},
                {0, 6},
                {4, RULES_INFINITE},
                {2, RULES_INFINITE},
                {0, 20}};
enum { SEARCH_ATTEMPTS = sizeof attempts / sizeof *attempts };

bool ahead_may_end(const struct machine *machine, const struct thread *threads, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (machine_may_end(machine, &threads[i])) return true;
    return false;
}

uint32_t ahead_shortest(const struct machine *machine, const struct thread *threads, uint32_t n) {
    uint32_t shortest = RULES_INFINITE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = machine_shortest(machine, &threads[i]);
        if (length < shortest) shortest = length;
    }
    return shortest;
}

static void first_bytes(const struct machine *machine, const struct thread *threads, uint32_t n,
                        uint64_t set[4]) {
    memset(set, 0, 4 * sizeof *set);
    for (uint32_t i = 0; i < n; i++) machine_first(machine, &threads[i], set);
}

uint32_t ahead_bytes(const struct machine *machine, const struct thread *threads, uint32_t n,
                     unsigned char *bytes, uint32_t enough) {
    struct machine *scratch = (struct machine *)machine; /* frames grow and shrink back */
    struct thread out[MACHINE_THREADS];
    uint64_t set[4];
    uint32_t found = 0, frames = machine->n;
    first_bytes(machine, threads, n, set);
    for (int word = 0; word < 4; word++)
        for (uint64_t rest = set[word]; rest && found < enough; rest &= rest - 1) {
            unsigned char byte = (unsigned char)(word * 64 + __builtin_ctzll(rest));
            if (machine_step_all(scratch, threads, n, byte, out)) bytes[found++] = byte;
            scratch->n = frames;
        }
    return found;
}

/* ---- walking on ---- */

struct ahead {
    struct machine *machine;
    uint32_t frames, n;
    struct thread threads[MACHINE_THREADS];
};

static void start(struct ahead *ahead, struct machine *machine, const struct thread *threads,
                  uint32_t n) {
    ahead->machine = machine;
    ahead->frames = machine->n;
    ahead->n = n;
    memcpy(ahead->threads, threads, n * sizeof *threads);
}

static bool walk(struct ahead *ahead, unsigned char byte) {
    struct thread out[MACHINE_THREADS];
    uint32_t n = machine_step_all(ahead->machine, ahead->threads, ahead->n, byte, out);
    if (n == 0) return false;
    memcpy(ahead->threads, out, n * sizeof *out);
    ahead->n = n;
    return true;
}

size_t ahead_forced(struct machine *machine, const struct thread *threads, uint32_t count, char *bytes,
                    size_t cap) {
    struct ahead ahead;
    unsigned char next[2];
    size_t n = 0;
    start(&ahead, machine, threads, count);
    while (n < cap && !ahead_may_end(machine, ahead.threads, ahead.n) &&
           ahead_bytes(machine, ahead.threads, ahead.n, next, 2) == 1 && walk(&ahead, next[0]))
        bytes[n++] = (char)next[0];
    machine->n = ahead.frames;
    return n;
}

/* ---- the shortest completion ---- */

/* A place on the way: its threads, and the bytes that were not taken there yet. */
struct place {
    uint32_t threads, n, frames; /* search.threads[threads..threads + n] */
    uint32_t len;                /* bytes up to here */
    uint32_t shortest;
    uint64_t untried[4];
};

struct search {
    struct machine *machine;
    struct thread *threads;
    struct place *places;
    uint32_t n_threads, cap_threads, n_places, cap_places, steps, attempt;
    uint32_t most; /* bytes that the completion may have */
};

static bool push(struct search *search, const struct thread *threads, uint32_t n, uint32_t len) {
    if (!vector_reserve((void **)&search->threads, &search->cap_threads, search->n_threads + n,
                        sizeof *threads) ||
        !vector_reserve((void **)&search->places, &search->cap_places, search->n_places + 1,
                        sizeof *search->places))
        return false;
    struct place *place = &search->places[search->n_places++];
    place->threads = search->n_threads;
    place->n = n;
    place->frames = search->machine->n;
    place->len = len;
    place->shortest = ahead_shortest(search->machine, threads, n);
    memcpy(search->threads + search->n_threads, threads, n * sizeof *threads);
    search->n_threads += n;
    first_bytes(search->machine, threads, n, place->untried);
    return true;
}

/* Does this place take another byte than the best? */
static bool strays(const struct search *search, const struct place *place, uint32_t *by) {
    uint32_t one_in = attempts[search->attempt].stray;
    if (one_in == 0) return false;
    uint64_t hash = hash_mix(search->attempt, place->len);
    *by = (uint32_t)(hash >> 40) % 16;
    return (uint32_t)hash % one_in == 0;
}

static void pop(struct search *search) {
    search->n_threads = search->places[--search->n_places].threads;
    if (search->n_places) search->machine->n = search->places[search->n_places - 1].frames;
}

/* The byte, of those not tried yet, after which the least is left. */
static bool best_byte(struct search *search, struct place *place, unsigned char *byte) {
    struct thread out[MACHINE_THREADS];
    uint32_t best = RULES_INFINITE, skip = 0;
    bool stray = strays(search, place, &skip);
    for (unsigned at = 0; at < 256 && (stray || best + 1 != place->shortest); at++) {
        if (!(place->untried[at >> 6] >> (at & 63) & 1)) continue;
        search->machine->n = place->frames;
        uint32_t n = machine_step_all(search->machine, search->threads + place->threads, place->n,
                                      (unsigned char)at, out);
        uint32_t left = ahead_shortest(search->machine, out, n);
        search->steps += place->n;
        if (n == 0) place->untried[at >> 6] &= ~(1ull << (at & 63)); /* nor will it ever be allowed */
        if (rules_sum(place->len + 1, left) > search->most) continue;
        bool other = stray && left != RULES_INFINITE && left < best + 4 && skip-- > 0;
        if (left >= best && !other) continue;
        best = left;
        *byte = (unsigned char)at;
    }
    search->machine->n = place->frames;
    return best != RULES_INFINITE;
}

/* The characters that a string still lacks, all at once: spaces, which best_byte would choose one by
 * one. Some are left for it where what they are may matter. False if there are none. */
static bool fill_string(struct search *search, char *bytes, size_t cap) {
    struct machine *machine = search->machine;
    struct place *place = &search->places[search->n_places - 1];
    struct thread thread = search->threads[place->threads];
    uint32_t spare = machine->rules->guarded ? 3 : 0, len = place->len;
    if (place->n != 1 || thread.mode != MODE_STRING || thread.scan != QUOTED_NORMAL) return false;
    const struct cell_string *string = &machine->rules->cells[thread.cell].string;
    if (string->language != RULES_NONE || thread.count >= string->min ||
        string->min - thread.count <= spare || machine_unique(machine, thread.frame))
        return false;
    uint32_t n = string->min - thread.count - spare;
    if (n > cap - len) n = (uint32_t)(cap - len);
    if (n == 0) return false;
    memset(bytes + len, ' ', n);
    for (uint32_t i = 0; i < n && machine->rules->guarded; i++)
        if (!machine_write(machine, thread.at++, ' ')) return false;
    thread.count += n;
    memset(place->untried, 0, sizeof place->untried); /* the other ways are the same to guards */
    return push(search, &thread, 1, len + n);
}

/* The same in a string of a language, where best_byte would try each byte of each character. What is
 * escaped is left to it. */
static bool fill_language(struct search *search, char *bytes, size_t cap) {
    struct place *place = &search->places[search->n_places - 1];
    struct thread thread = search->threads[place->threads];
    uint32_t len = place->len;
    if (place->n != 1 || search->machine->rules->guarded) return false;
    while (cap - len >= 4) {
        uint32_t character = machine_string_character(search->machine, &thread);
        if (character < 0x20 || character == '"' || character == '\\') break;
        size_t n = utf8_encode(character, bytes + len);
        for (size_t i = 0; i < n; i++) {
            struct thread next;
            if (!machine_step(search->machine, &thread, (unsigned char)bytes[len + i], &next, 1))
                return false;
            thread = next;
        }
        len += (uint32_t)n;
    }
    return len > place->len && push(search, &thread, 1, len);
}

/* Goes on with the best byte, or back where there is none. False when the search is over. */
static bool advance(struct search *search, char *bytes, size_t cap) {
    struct place *place = &search->places[search->n_places - 1];
    struct thread out[MACHINE_THREADS];
    unsigned char byte;
    if (fill_string(search, bytes, cap) || fill_language(search, bytes, cap)) return true;
    if (place->len >= cap || !best_byte(search, place, &byte)) {
        /* Without guards every way leads to an end: there is nothing to go back for. */
        if (!search->machine->rules->guarded) return false;
        pop(search);
        return search->n_places > 0;
    }
    place->untried[byte >> 6] &= ~(1ull << (byte & 63));
    bytes[place->len] = (char)byte;
    uint32_t len = place->len + 1;
    uint32_t n = machine_step_all(search->machine, search->threads + place->threads, place->n, byte,
                                  out);
    return n && push(search, out, n, len);
}

static bool at_end(const struct search *search) {
    const struct place *place = &search->places[search->n_places - 1];
    return ahead_may_end(search->machine, search->threads + place->threads, place->n);
}

/* One attempt. The length of what it found, 0 also if that is nothing. */
static size_t attempt(struct search *search, const struct thread *threads, uint32_t n, char *bytes,
                      size_t cap) {
    struct machine *machine = search->machine;
    bool going = push(search, threads, n, 0);
    uint32_t spare = attempts[search->attempt].spare;
    search->steps = 0;
    search->most = spare == RULES_INFINITE || !going
                       ? RULES_INFINITE
                       : rules_sum(search->places[0].shortest, spare);
    machine->work = SEARCH_WORK;
    machine->closing = search->attempt == 0 ? CLOSING_SURELY : CLOSING;
    while (going && !at_end(search))
        going = (!machine->rules->guarded || search->steps < SEARCH_STEPS) &&
                advance(search, bytes, cap);
    size_t len = going ? search->places[search->n_places - 1].len : 0;
    search->n_threads = search->n_places = 0;
    return len;
}

size_t ahead_closing(struct machine *machine, const struct thread *threads, uint32_t n, char *bytes,
                     size_t cap) {
    struct search search = {.machine = machine};
    uint32_t frames = machine->n, most = machine->rules->guarded ? SEARCH_ATTEMPTS : 1;
    uint64_t work = machine->work;
    uint32_t total = 0;
    size_t len = 0;
    if (ahead_may_end(machine, threads, n)) return 0;
    for (; search.attempt < most && len == 0; search.attempt++) {
        len = attempt(&search, threads, n, bytes, cap);
        machine->n = frames;
        total += search.steps;
    }
    machine->searched = total;
    machine->closing = CLOSING_NOT;
    machine->work = work; /* looking ahead is free, and bounded */
    free(search.threads);
    free(search.places);
    return len;
}
