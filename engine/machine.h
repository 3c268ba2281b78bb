/* machine: the step of a running match. Internal to constrained decoding.
 *
 * A thread is one way to read the text so far: what it is inside of (mode and its
 * few numbers), and the frame it returns to. Frames are immutable and linked to
 * their parents, so that copying a thread copies its whole stack; alternatives
 * (anyOf) are threads side by side. Every thread can be completed: whatever
 * leads to a dead end is refused at the step that would enter it.
 */
#ifndef ENGINE_MACHINE_H
#define ENGINE_MACHINE_H

#include "engine/quoted.h"
#include "engine/rules.h"

#define MACHINE_THREADS 64  /* alternatives beyond these are dropped; the others remain exact */
#define MACHINE_HORIZON 512 /* the longest token that masks offer */
#define MACHINE_SEEN    256 /* further members of one object */
#define MACHINE_WORK (1u << 26) /* steps that guards may take for the text of one match */
#define MACHINE_LOOK (1u << 16) /* for one look at what may follow: they allow nothing beyond */

enum mode {
    MODE_END,          /* complete; nothing follows */
    MODE_FREE,         /* auto: text outside a call; state: matched bytes of the marker */
    MODE_LITERAL,      /* cell: literal_kind; pos */
    MODE_NAME,         /* a tool's name; lo, hi, pos */
    MODE_MORE_CALLS,   /* after a call */
    MODE_VALUE,        /* before a value; cell: node */
    MODE_WORDS,        /* lo, hi, pos */
    MODE_STRING,       /* scan, acc, count; state: of the language */
    MODE_NUMBER,       /* state */
    MODE_ARRAY_FIRST,  /* after [ */
    MODE_ARRAY_NEXT,   /* after an item */
    MODE_ARRAY_BLANK,  /* after , */
    MODE_OBJECT_FIRST, /* after { */
    MODE_OBJECT_NEXT,  /* after a member */
    MODE_KEY_BLANK,    /* after , */
    MODE_KEY_QUOTE,
    MODE_KEY_WORDS, /* a declared key; lo, hi, pos */
    MODE_KEY_OPEN,  /* any key; lo, hi, pos among the declared, scan, acc, hash; state: of the
                       language */
    MODE_INSIDE, /* masks only: a string of language `cell` up to its quote; state, count, lo..hi */
    MODE_COLON,  /* cell: node of the value */
    MODE_VALUE_BLANK /* cell: node */
};

struct thread {
    uint64_t hash; /* of the key so far */
    uint32_t frame;
    uint32_t cell;
    uint32_t lo, hi, pos;
    uint32_t count; /* characters of the string, as far as they matter */
    uint32_t acc;
    uint32_t start;       /* guarded strings and numbers: where their text begins */
    uint32_t at;          /* bytes read so far; kept where the rules are guarded, equal for all threads
                             side by side */
    uint16_t state;
    uint8_t mode, scan;
};

enum frame_kind { FRAME_ROOT, FRAME_CALLS, FRAME_ARRAY, FRAME_OBJECT, FRAME_SEEN };

struct frame {
    uint64_t hash;   /* of this frame and all below: equal states have equal hashes; seen: the
                        first */
    uint32_t parent; /* seen: the run before */
    uint32_t cell;   /* seen: with index, a hash of the whole list */
    uint32_t index; /* object: the next property, of one in any order: how many were written; array,
                       calls: how many were begun */
    uint32_t seen;  /* keys of further members, or items that must not repeat: runs of FRAME_SEEN;
                       0: none */
    uint32_t count; /* object: further members; array: items seen; seen: hashes in the run */
    uint32_t members; /* object: all members, as far as their number matters; array: items that
                         satisfy what it contains, likewise */
    /* objects in any order: */
    uint64_t written; /* properties, the first 64 as bits */
    uint32_t others;  /* the others by index, a list of FRAME_SEEN; 0: none */
    uint32_t missing; /* how many required properties are not written yet */
    uint32_t rest;    /* bytes after a value to complete the object */
    /* where the rules are guarded: */
    uint32_t start; /* where the value's text begins */
    uint32_t item;  /* array that looks at its items' text: where the last one's begins */
    uint16_t depth;
    uint8_t kind;
    bool sure;       /* array: the item that was begun will satisfy what it must contain */
};

/* Is the shortest completion looked for? Then what is required is written in schema order even where
 * any is allowed, and arrays first get what they must contain; surely: values that no guard judges
 * are preferred to those that one does. */
enum machine_closing { CLOSING_NOT, CLOSING, CLOSING_SURELY };

struct machine {
    const struct rules *rules;
    struct frame *frames; /* frames[0] is the root */
    uint32_t n, cap;
    bool failed;  /* memory ran out: threads may have been lost */
    uint8_t closing; /* enum machine_closing */
    /* where the rules are guarded: */
    bool touched;      /* a guard was asked: the outcome depends on more than machine_hash tells */
    char *text;        /* what was read; beyond a thread's own bytes, what was tried last */
    uint32_t cap_text; /* of text */
    uint32_t at;       /* where in it the byte of this step stands */
    uint64_t work;     /* steps that guards may still take */
    uint32_t searched; /* steps of the last search for a completion */
};

bool machine_init(struct machine *machine, const struct rules *rules);
void machine_free(struct machine *machine);
/* The thread every match starts with. False when memory runs out. */
bool machine_start(struct machine *machine, struct thread *thread);

/* One byte. Writes at most `room` threads to out; 0: the byte is not allowed. */
uint32_t machine_step(struct machine *machine, const struct thread *thread, unsigned char byte,
                      struct thread *out, uint32_t room);
/* The same for n threads side by side, results without repetitions, at most MACHINE_THREADS. */
uint32_t machine_step_all(struct machine *machine, const struct thread *threads, uint32_t n,
                          unsigned char byte, struct thread *out);

/* May the text end where the thread stands? */
bool machine_may_end(const struct machine *machine, const struct thread *thread);
/* Bytes of the shortest completion. */
uint32_t machine_shortest(const struct machine *machine, const struct thread *thread);
/* A superset of the bytes that may follow. */
void machine_first(const struct machine *machine, const struct thread *thread, uint64_t set[4]);
/* Equal for threads from which the same texts of up to MACHINE_HORIZON bytes follow; no two others
 * are likely to share it. */
uint64_t machine_hash(const struct machine *machine, const struct thread *thread);
/* Drops frames that none of the threads needs. */
void machine_collect(struct machine *machine, struct thread *threads, uint32_t n);

/* ---- machine_string.c ---- */
bool machine_string(struct machine *machine, struct thread *thread, unsigned char byte);
bool machine_inside(const struct machine *machine, struct thread *thread, unsigned char byte);
uint32_t machine_string_shortest(const struct machine *machine, const struct thread *thread);
/* Bytes that end a string of a language, the quote not counted, with so many more characters. */
uint32_t machine_spelled_rest(const struct language *language, const struct thread *thread,
                              const struct language_length *after);
/* The next character of a shortest end of a string of a language, 0 where that is the quote or the
 * thread is elsewhere. */
uint32_t machine_string_character(const struct machine *machine, const struct thread *thread);
/* One byte inside a string of a language: what of it is followed in thread->scan, acc and state. */
enum quoted_event machine_spell(const struct language *language, struct thread *thread,
                                unsigned char byte, const struct language_length *after);

/* ---- machine_guard.c ---- */
/* A value of the cell is complete: its text is [start, end), thread->frame the frame it stands in;
 * `hash` tells items apart that are told apart as they are written. False if a guard, or the array
 * it is an item of, does not allow it. */
bool machine_close(struct machine *machine, struct thread *thread, const struct cell *cell,
                   uint32_t start, uint32_t end, uint64_t hash);
/* Do the cell's guards allow the text [start, end)? */
bool machine_guards(const struct machine *machine, const struct cell *cell, uint32_t start,
                    uint32_t end);
/* Is the thread inside a value that a guard will judge? */
bool machine_guarded(const struct machine *machine, const struct thread *thread);
/* The byte that is being read belongs to the text. False when memory runs out. */
bool machine_write(struct machine *machine, uint32_t at, unsigned char byte);

/* ---- machine_array.c ---- */
bool machine_open_array(struct machine *machine, struct thread *thread, uint32_t cell);
bool machine_close_array(struct machine *machine, struct thread *thread);
/* Begins an item whose text begins at `from`; false if there may be none. */
bool machine_start_item(struct machine *machine, struct thread *thread, uint32_t from);
/* After an item, or after the comma that follows one. */
bool machine_array(struct machine *machine, struct thread *thread, unsigned char byte);
/* The node of the next item. */
uint32_t machine_item_node(const struct machine *machine, const struct frame *frame);

/* ---- machine_unique.c ---- */
bool machine_seen(const struct machine *machine, uint32_t seen, uint64_t hash);
/* Keeps the lists of all frames that the threads stand in searchable: to be called between steps, now
 * and then. The frames change, what they say does not. */
void machine_tidy(struct machine *machine, const struct thread *threads, uint32_t n);
/* Is the value that is read inside this frame an item of an array without repetitions, told apart as
 * written? */
bool machine_unique(const struct machine *machine, uint32_t frame);
/* An item is complete; `hash` is what items are told apart by. False if there was one like it. */
bool machine_remember(struct machine *machine, struct frame *frame, uint64_t hash);
/* What tells a word apart from other items of the array; 0 if the frame is none that asks. */
uint64_t machine_word_hash(const struct machine *machine, uint32_t frame, uint32_t word);
/* Is there a word in [lo, hi) that is no item of the array yet? */
bool machine_word_left(const struct machine *machine, uint32_t frame, uint32_t lo, uint32_t hi);
/* May a value of the node be an item more? */
bool machine_item_left(const struct machine *machine, uint32_t frame, uint32_t node);

/* ---- machine_object.c ---- */
uint32_t machine_new_frame(struct machine *machine, struct frame frame); /* 0: no memory */
/* A FRAME_SEEN with room for run.count hashes; 0: no memory. */
uint32_t machine_new_run(struct machine *machine, struct frame run);
/* The list `before` with one key more, given by its hash. */
uint32_t machine_add_seen(struct machine *machine, uint32_t before, uint64_t key);
bool machine_value_done(const struct machine *machine, struct thread *thread);
bool machine_open_object(struct machine *machine, struct thread *thread, uint32_t cell);
bool machine_object(struct machine *machine, struct thread *thread, unsigned char byte);
bool machine_fits(const struct machine *machine, const struct frame *frame, uint32_t node);
uint32_t machine_object_shortest(const struct machine *machine, const struct thread *thread);
/* The member that a key begins: a property by its index, or a further one (index: how many
 * properties there are), whose key is then the last of the list `seen`. */
bool machine_key_done(struct machine *machine, struct thread *thread, uint32_t index, uint32_t node,
                      uint32_t seen);

/* ---- machine_members.c ---- */
const struct cell_object *machine_object_of(const struct machine *machine,
                                            const struct frame *frame);
const struct prop *machine_props(const struct machine *machine, const struct frame *frame);
/* May property `index` be the next member? */
bool machine_property(const struct machine *machine, const struct frame *frame, uint32_t index);
/* May further members follow now? */
bool machine_additional(const struct machine *machine, const struct frame *frame);
/* May any member follow, may the object end? */
bool machine_may_continue(const struct machine *machine, const struct frame *frame);
bool machine_may_close(const struct machine *machine, const struct frame *frame);
/* The first required property that is still missing; there is one. */
uint32_t machine_first_missing(const struct machine *machine, const struct frame *frame);
/* Of an object that was just opened. */
void machine_start_members(const struct machine *machine, struct frame *frame);
/* Notes the member in the frame. False when memory runs out. */
bool machine_add_member(struct machine *machine, struct frame *frame, uint32_t index);
/* What an object still needs after a member: after those it has, and after one more. */
uint32_t machine_members_rest(const struct machine *machine, const struct frame *frame);
uint32_t machine_rest_after(const struct machine *machine, const struct frame *frame,
                            uint32_t index);

/* ---- machine_key.c ---- */
void machine_start_open_key(const struct machine *machine, struct thread *thread);
bool machine_open_key(struct machine *machine, struct thread *thread, unsigned char byte);
/* The hash of a key with one character more. */
uint64_t machine_key_hash(uint64_t hash, uint32_t character);
/* How many keys at most can't be a further member's any more. */
uint32_t machine_keys_used(const struct machine *machine, const struct frame *frame);
/* Do so many keys lead on from the state that one is left in any case? (As few as must then be
 * looked at, one by one, near the end of it.) */
static inline bool machine_many_keys(const struct language *language, uint16_t state,
                                     uint32_t used) {
    enum { FEW = 40, SHORT = 32 };
    uint32_t words = language->words[state];
    return words == LANGUAGE_PLENTY ||
           (words > used && used <= FEW && language->most[state] <= SHORT);
}
/* Is there a key for a further member that this object does not have yet? */
bool machine_key_left(const struct machine *machine, const struct frame *frame);
/* Bytes in JSON that are left of a declared name, without its quote, after an open key's so far;
 * RULES_NONE if the key can't become it. */
uint32_t machine_name_left(const struct machine *machine, const struct thread *thread,
                           uint32_t name);
uint32_t machine_open_key_shortest(const struct machine *machine, const struct thread *thread);
bool machine_property_done(struct machine *machine, struct thread *thread, uint32_t index);

#endif
