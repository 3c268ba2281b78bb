#include "engine/output.h"

#include <string.h>

#include "base/utf8.h"

static const char replacement[] = "\xEF\xBF\xBD";

void output_init(struct output *o, const struct text *stop, size_t n_stop) {
    *o = (struct output){.stop = stop, .n_stop = n_stop};
    for (size_t i = 0; i < n_stop; i++)
        if (stop[i].len > o->longest_stop) o->longest_stop = stop[i].len;
}

void output_free(struct output *o) {
    buf_free(&o->raw);
    buf_free(&o->text);
}

/* Moves whole characters from raw to text; at the end also what can't become one any more. */
static void transfer(struct output *o, bool finished) {
    while (o->raw_done < o->raw.len) {
        const char *at = o->raw.bytes + o->raw_done;
        size_t left = o->raw.len - o->raw_done;
        size_t good = utf8_valid_prefix(at, left);
        buf_add(&o->text, at, good);
        o->raw_done += good;
        left -= good;
        if (!left || (!finished && utf8_incomplete_tail(at + good, left) == left)) return;
        buf_add(&o->text, replacement, sizeof replacement - 1);
        o->raw_done++;
    }
}

/* Looks for the earliest stop string that ends behind `from`. */
static void find_stop(struct output *o, size_t from) {
    size_t start = from > o->longest_stop ? from - o->longest_stop : 0, earliest = o->text.len;
    if (!o->longest_stop || !o->text.bytes) return;
    for (size_t i = 0; i < o->n_stop; i++) {
        const char *hit = o->stop[i].len ? memmem(o->text.bytes + start, o->text.len - start,
                                                  o->stop[i].bytes, o->stop[i].len)
                                         : NULL;
        if (!hit) continue;
        o->stopped = true;
        if ((size_t)(hit - o->text.bytes) < earliest) earliest = (size_t)(hit - o->text.bytes);
    }
    if (o->stopped) o->text.len = earliest;
}

bool output_add(struct output *o, const char *bytes, size_t n) {
    size_t before = o->text.len;
    buf_add(&o->raw, bytes, n);
    transfer(o, false);
    find_stop(o, before);
    return !o->raw.failed && !o->text.failed;
}

bool output_finish(struct output *o) {
    size_t before = o->text.len;
    if (o->stopped) return true;
    transfer(o, true);
    find_stop(o, before);
    return !o->text.failed;
}

/* Could the text's tail of n bytes begin a stop string? */
static bool begins_stop(const struct output *o, size_t n) {
    for (size_t i = 0; i < o->n_stop; i++)
        if (o->stop[i].len > n && memcmp(o->text.bytes + o->text.len - n, o->stop[i].bytes, n) == 0)
            return true;
    return false;
}

struct output_mark output_mark(const struct output *o) {
    return (struct output_mark){o->raw.len, o->raw_done, o->text.len, o->n_stop};
}

void output_restore(struct output *o, const struct output_mark *mark) {
    o->raw.len = mark->raw;
    o->raw_done = mark->raw_done;
    o->text.len = mark->text;
    o->n_stop = mark->n_stop;
}

struct text output_take(struct output *o, bool finished, size_t settled) {
    size_t end = o->text.len;
    if (!finished && !o->stopped) {
        size_t n = o->longest_stop < end - o->shown ? o->longest_stop : end - o->shown;
        while (n > 0 && !begins_stop(o, n)) n--;
        end -= n;
    }
    if (end > settled) end = settled;
    if (end < o->shown) end = o->shown;
    struct text fresh = {o->text.bytes ? o->text.bytes + o->shown : "", end - o->shown};
    o->shown = end;
    return fresh;
}
