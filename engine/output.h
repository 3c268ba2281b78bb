/* output: the text of a generation as it grows, and what may be shown of it.
 *
 * Collects token bytes, turns them into whole UTF-8 characters (invalid bytes
 * become U+FFFD), watches for stop strings, and hands out the part that can no
 * longer change: incomplete characters and possible beginnings of stop strings
 * are held back. Engine thread.
 */
#ifndef ENGINE_OUTPUT_H
#define ENGINE_OUTPUT_H

#include "base/buf.h"
#include "base/generation.h"

struct output {
    struct buf raw;    /* bytes of the tokens so far */
    struct buf text;   /* whole characters of raw[0..raw_done) */
    size_t raw_done;
    size_t shown;      /* bytes of text already handed out */
    const struct text *stop;
    size_t n_stop, longest_stop;
    bool stopped;      /* a stop string appeared; text ends before it */
};

void output_init(struct output *output, const struct text *stop, size_t n_stop);
void output_free(struct output *output);
/* Appends token bytes. Sets `stopped` when a stop string completed. False when memory ran out. */
bool output_add(struct output *output, const char *bytes, size_t n);
/* No more bytes will come: what was held back becomes text. */
bool output_finish(struct output *output);
/* The text that can be shown now and was not before (may be empty), of the first `settled` bytes;
 * marks it as shown. */
struct text output_take(struct output *output, bool finished, size_t settled);

/* How it stands, to go back to. What was shown must not be taken back. */
struct output_mark {
    size_t raw, raw_done, text, n_stop;
};
struct output_mark output_mark(const struct output *output);
void output_restore(struct output *output, const struct output_mark *mark);

#endif
