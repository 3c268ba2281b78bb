#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum {
    FILE_BYTES = 1 << 20,
    LINE_BYTES = 196, /* a little less than inih's own limit, which it does not tell */
    NAME_BYTES = 49,
};

struct config {
    const struct config_events *events;
    void *user;
    const char *at, *end; /* of what is left */
    unsigned line;        /* being read */
    size_t room;          /* of a line */
    bool skipping;        /* the section is not known */
};

static void config_problem(struct config *config, const char *what) {
    config->events->problem(config->user, config->line, what);
}

/* ---- one line ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Nothing but blanks, or a comment. */
static bool is_empty(const char *text, size_t n) {
    while (n > 0 && is_blank(*text)) text++, n--;
    return n == 0 || *text == '#' || *text == ';';
}

static bool config_header(struct config *config, const char *text, size_t n) {
    char name[NAME_BYTES + 1];
    const char *close = memchr(text, ']', n);
    size_t len = close ? (size_t)(close - text) - 1 : 0;
    config->skipping = true;
    bool good = len > 0 && len < sizeof name && is_empty(close + 1, n - len - 2);
    for (size_t i = 1; good && i <= len; i++)
        good = isalnum((unsigned char)text[i]) || strchr("-_", text[i]);
    if (!good) {
        config_problem(config, "expected a [section]");
        return false;
    }
    snprintf(name, sizeof name, "%.*s", (int)len, text + 1);
    config->skipping = !config->events->section(config->user, config->line, name);
    return true;
}

/* Has it a form that inih reads as it looks? */
static bool config_check(struct config *config, const char *text, size_t n) {
    const char *equals = memchr(text, '=', n);
    size_t key = equals ? (size_t)(equals - text) : 0;
    if (memchr(text, '\0', n)) {
        config_problem(config, "holds a NUL byte");
    } else if (*text == '[') {
        if (n <= config->room) return config_header(config, text, n);
        config->skipping = true;
        config_problem(config, "expected a [section]");
    } else if (config->skipping) {
        return false;
    } else if (n > config->room) {
        config_problem(config, "the line is too long");
    } else if (key == 0 || memchr(text, ':', key) || memchr(text, ';', key)) {
        config_problem(config, "expected KEY = VALUE");
    } else {
        return true;
    }
    return false;
}

/* inih's reader: the next line, or an empty one in the place of a line that is refused. Indentation
 * is removed, so that no line continues another. */
static char *config_next_line(char *line, int room, void *user) {
    struct config *config = user;
    if (config->at == config->end) return NULL;
    const char *text = config->at;
    const char *newline = memchr(text, '\n', (size_t)(config->end - text));
    size_t n = (size_t)((newline ? newline : config->end) - text);
    config->at = newline ? newline + 1 : config->end;
    config->line++;
    config->room = room - 2 < LINE_BYTES ? (size_t)room - 2 : LINE_BYTES;
    while (n > 0 && is_blank(*text)) text++, n--;
    while (n > 0 && is_blank(text[n - 1])) n--;
    if (is_empty(text, n) || !config_check(config, text, n)) n = 0;
    memcpy(line, text, n);
    memcpy(line + n, "\n", 2);
    return line;
}

static int config_entry(void *user, const char *section, const char *key, const char *value) {
    struct config *config = user;
    config->events->entry(config->user, config->line, section, key, value);
    return 1;
}

/* ---- the file ---- */

static bool read_all(struct buf *text, int fd) {
    char bytes[4096];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0 && text->len <= FILE_BYTES)
        if (!buf_add(text, bytes, (size_t)n)) return false;
    if (text->len > FILE_BYTES) errno = EFBIG;
    return n == 0;
}

static bool read_file(struct buf *text, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return false;
    bool done = read_all(text, fd);
    int reason = errno;
    close(fd);
    errno = reason;
    return done;
}

static void config_parse(struct config *config, const struct buf *text) {
    static const char mark[] = "\xef\xbb\xbf"; /* some editors begin UTF-8 with it */
    bool marked = text->len >= 3 && memcmp(text->bytes, mark, 3) == 0;
    config->at = text->bytes + (marked ? 3 : 0);
    config->end = text->bytes + text->len;
    int refused = ini_parse_stream(config_next_line, config, config_entry, config);
    config->line = refused > 0 ? (unsigned)refused : 0;
    if (refused != 0) config_problem(config, "cannot be read as INI");
}

void config_read(const char *path, const struct config_events *events, void *user) {
    struct config config = {.events = events, .user = user};
    struct buf text = {0};
    if (!read_file(&text, path))
        config_problem(&config, text.failed ? "no memory to read it" : strerror(errno));
    else if (text.len > 0)
        config_parse(&config, &text);
    buf_free(&text);
}

/* ---- writing ---- */

bool config_can_hold(const char *key, const char *value) {
    size_t k = strlen(key), v = strlen(value);
    if (k == 0 || v == 0 || k + v + 3 > LINE_BYTES) return false;
    if (strpbrk(key, "=:;\n") || *key == '[' || *key == '#' || strchr(value, '\n')) return false;
    for (const char *at = value; (at = strchr(at, ';')); at++)
        if (at == value || is_blank(at[-1])) return false;
    return !is_blank(*key) && !is_blank(key[k - 1]) && !is_blank(*value) && !is_blank(value[v - 1]);
}

bool config_default_path(char *path, size_t size) {
    const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n;
    if (geteuid() == 0)
        n = snprintf(path, size, "/etc/plm/plmd.conf");
    else if (folder && *folder == '/')
        n = snprintf(path, size, "%s/plm/plmd.conf", folder);
    else if (home && *home == '/')
        n = snprintf(path, size, "%s/.config/plm/plmd.conf", home);
    else
        return false;
    return n > 0 && (size_t)n < size;
}
