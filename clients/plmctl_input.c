/* What plmctl reads: words, files, standard input. */
#include "clients/plmctl.h"

#include <errno.h>
#include <string.h>

#include "proto/proto.h"

enum { INPUT_MAX = 4 * 1024 * 1024 }; /* what one request line can hold */

static bool read_all(struct buf *out, FILE *file, const char *name) {
    char bytes[65536];
    size_t n;
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0) {
        if (out->len + n > INPUT_MAX) {
            fprintf(stderr, "plmctl: %s: more than 4 MiB\n", name);
            return false;
        }
        buf_add(out, bytes, n);
    }
    if (ferror(file)) fprintf(stderr, "plmctl: %s: %s\n", name, strerror(errno));
    return !ferror(file) && !out->failed && buf_add(out, "", 0);
}

bool input_words(struct buf *out, const struct options *options) {
    if (options->n_words == 1 && strcmp(options->words[0], "-") == 0)
        return read_all(out, stdin, "standard input");
    for (int i = 0; i < options->n_words; i++) {
        if (i) buf_add_char(out, ' ');
        buf_add_str(out, options->words[i]);
    }
    return !out->failed;
}

/* Newlines between tokens end a request line early; inside strings JSON has none. */
static void one_line(char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n' || bytes[i] == '\r') bytes[i] = ' ';
}

bool input_json(struct buf *out, struct text text, const char *what) {
    struct error error = {0};
    if (!json_check(text, &error)) {
        fprintf(stderr, "plmctl: %s is no JSON: %s\n", what, error.message);
        return false;
    }
    size_t before = out->len;
    if (!buf_add(out, text.bytes, text.len)) return false;
    one_line(out->bytes + before, text.len);
    return true;
}

/* "-" is standard input. */
bool input_file(struct buf *out, const char *path) {
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file) {
        fprintf(stderr, "plmctl: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool fine = read_all(out, file, path);
    if (!standard) fclose(file);
    return fine;
}

bool input_json_file(struct buf *out, const char *path) {
    struct buf text = {0};
    bool fine =
        input_file(&text, path) && input_json(out, (struct text){text.bytes, text.len}, path);
    buf_free(&text);
    return fine;
}
