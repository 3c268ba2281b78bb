/* stacks: all ways to read a text by a network at once, determinised while it is read. Internal to
 * constrained decoding.
 *
 * A way is a state and a stack of frames. The ways at one point share the lower part of their
 * stacks, the base; what differs above it, with the states, is a shape. Few shapes occur, whatever
 * the text and however deep it nests, so what a character does to a shape is found once. Only when
 * a way returns to the base are the ways followed one by one (and that is kept by shape and base).
 * Frames are hash-consed: equal stacks have equal numbers. Stacks grow from STACKS_ROOT, those
 * above a base from STACKS_HOLE.
 *
 * Memory: everything but what the moments in use need can be dropped at any step, and is once a
 * budget is used up; what follows from a moment never depends on that. At most STACKS_WAYS ways
 * with STACKS_TOPS different stacks are followed, the first ones: the others are given up, which
 * leaves every text right. Every way can be completed: deeper than NETWORK_DEPTH none goes.
 *
 * The work of a step is counted as it would be were nothing known: `spent` is the same whatever was
 * found before, so that limits which are put on it leave results the same.
 *
 * Not thread-safe: whoever shares one holds its lock around each use.
 */
#ifndef ENGINE_STACKS_H
#define ENGINE_STACKS_H

#include "engine/network.h"

#define STACKS_HOLE    0
#define STACKS_ROOT    1
#define STACKS_WAYS    4096
#define STACKS_TOPS    32  /* different stacks among them */
#define STACKS_HORIZON 256 /* characters: no token has more */
#define STACKS_FAR     (2 * STACKS_HORIZON) /* what `view` tells apart; after a token it is HORIZON yet */
#define STACKS_HALF                                                                                \
    (NETWORK_DEPTH / 2) /* above the hole; else the ways are followed from the root */

struct moment { /* between two characters */
    uint32_t shape, base;
};

struct frame_of_stack {
    uint64_t hash;
    uint64_t view, near; /* equal where the same STACKS_FAR, STACKS_HORIZON characters may follow */
    uint32_t parent, state, count; /* state: the call or repetition; count: of its iterations */
    uint32_t rest;                 /* bytes from its return to the bottom, at least */
    uint32_t depth;
    bool over_hole; /* what its stack grows from */
};

struct way {
    uint32_t state, frame; /* a state that takes; a frame above the hole */
};

struct shape {
    uint64_t hash, view, near;
    uint32_t first, n;     /* ways[first..first + n] */
    uint32_t shortest;     /* bytes to the return to the base */
    bool ends;             /* the text may end (above STACKS_ROOT only) */
    struct inside *inside; /* the tokens that stay above the base, once known (text_mask.c) */
};

struct move {              /* by shape and class */
    uint32_t shape, above; /* above: frames that come on top of the base; STACKS_OUTSIDE: a way returns to it */
    uint32_t peak;         /* no deeper than the base and this */
    uint32_t work;
};
#define STACKS_OUTSIDE UINT32_MAX

struct memo { /* by shape, base and class: of returns to the base */
    struct moment from, to;
    uint32_t class, verdict, work;
};

enum step_verdict { STEP_NONE, STEP_DONE, STEP_OUT /* below the hole */ };

/* Moments in use: a collection renumbers them. */
struct stacks_user {
    struct stacks_user *previous, *next;
    struct moment *moments;
    size_t stride; /* bytes from one to the next */
    uint32_t n;
};

struct stacks {
    const struct network *network;
    struct frame_of_stack *frames;
    struct shape *shapes;
    struct way *ways;
    uint32_t *next;    /* [shape * n_classes + class]: 0 unknown, else a move + 1 */
    uint64_t *allowed; /* [shape * words] */
    struct move *moves;
    struct memo *memos;
    uint32_t *frame_slots, *shape_slots, *memo_slots;
    uint32_t n_frames, n_shapes, n_ways, n_moves, n_memos;
    uint32_t cap_frames, cap_shapes, cap_ways, cap_next, cap_allowed, cap_moves, cap_memos;
    uint32_t cap_frame_slots, cap_shape_slots, cap_memo_slots;
    struct stacks_user *users;
    size_t inside_bytes, limit; /* limit: collect above it */
    uint64_t collections;
    struct closure *closure;
    struct moment start;
    uint64_t work;  /* done: entries of closures, ways, frames (which count twice) */
    uint64_t spent; /* by steps: the work they take where nothing is known of them */
    uint32_t held;  /* walks that are open: nothing is dropped */
    bool gave_up; /* ways were left out */
    bool failed;  /* memory ran out */
};

bool stacks_init(struct stacks *stacks, const struct network *network);
void stacks_free(struct stacks *stacks);

void stacks_use(struct stacks *stacks, struct stacks_user *user);
void stacks_leave(struct stacks *stacks, struct stacks_user *user);

/* stacks_step, where it is not known yet or the base changes. */
enum step_verdict stacks_step_slowly(struct stacks *stacks, const struct moment *from,
                                     uint32_t class, struct moment *to);

enum { STEP_UNKNOWN, STEP_MOVES /* in `next` */ };

static inline bool stacks_move_fits(const struct stacks *stacks, uint32_t base,
                                    const struct move *move) {
    const struct frame_of_stack *frame = &stacks->frames[base];
    return frame->depth + move->peak <= (frame->over_hole ? STACKS_HALF : NETWORK_DEPTH);
}

/* What a character of the class leads to. `from` must be in use. May collect before. */
static inline enum step_verdict stacks_step(struct stacks *stacks, const struct moment *from,
                                            uint32_t class, struct moment *to) {
    uint32_t known =
        stacks->next[(size_t)from->shape * stacks->network->alphabet.n_classes + class];
    if (known >= STEP_MOVES) {
        const struct move *move = &stacks->moves[known - STEP_MOVES];
        if (move->above == STACKS_HOLE && stacks_move_fits(stacks, from->base, move)) {
            *to = (struct moment){move->shape, from->base};
            return STEP_DONE;
        }
    }
    return stacks_step_slowly(stacks, from, class, to);
}

static inline const uint64_t *stacks_allowed(const struct stacks *stacks, uint32_t shape) {
    return stacks->allowed + (size_t)shape * stacks->network->alphabet.words;
}
uint32_t stacks_shortest(const struct stacks *stacks, struct moment at);
/* Equal where the same tokens may follow, and finding them takes the same work, whatever was collected. */
uint64_t stacks_view(const struct stacks *stacks, struct moment at);
/* Equal where the same STACKS_HORIZON characters may follow. */
uint64_t stacks_near(const struct stacks *stacks, struct moment at);
/* The frames `above` (over the hole) on top of a base. */
uint32_t stacks_on(struct stacks *stacks, uint32_t base, uint32_t above);
size_t stacks_bytes(const struct stacks *stacks);
/* Forgets what the users do not need. */
bool stacks_collect(struct stacks *stacks);
/* The same, if the budget is used up. */
bool stacks_tidy(struct stacks *stacks);

/* ---- stacks_intern.c: equal things once ---- */
uint32_t stacks_frame(struct stacks *stacks, uint32_t parent, uint32_t state, uint32_t count);
/* UINT32_MAX without memory. */
uint32_t stacks_shape(struct stacks *stacks, const struct way *ways, uint32_t n, bool ends);
const struct memo *stacks_memo(const struct stacks *stacks, struct moment from, uint32_t class);
void stacks_remember(struct stacks *stacks, struct memo memo);
void stacks_fill_slots(struct stacks *stacks); /* anew, after a collection */

/* ---- stacks_closure.c: from a character to all that may take the next ---- */
struct closure {
    struct way ways[STACKS_WAYS]; /* frames above the bottom that was given */
    uint32_t tops[STACKS_TOPS];   /* the frames that occur */
    uint32_t n, n_tops, peak;
    bool ends; /* a way returned to the bottom */
    bool hasty; /* then nothing else matters */
    struct closure_entry {
        uint32_t state, frame, floor;
    } * stack;
    struct {
        uint32_t state, frame, floor, stamp;
    } * seen;
    uint32_t n_stack, n_seen, stamp;
    uint32_t most; /* entries followed from one character; a power of two */
};
struct closure *closure_new(uint32_t n_states);
void closure_free(struct closure *closure);
size_t closure_bytes(const struct closure *closure); /* what it holds */
void closure_begin(struct closure *closure, bool hasty);
/* Adds what follows from a state with this frame on top, right after a character. */
void closure_add(struct stacks *stacks, uint32_t state, uint32_t frame);

#endif
