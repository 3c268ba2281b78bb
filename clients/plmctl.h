/* plmctl: what its files share. Results go to stdout, everything said about them to stderr.
 *
 * A command returns the program's exit status. One session is one connection, opened when a command
 * first needs it.
 */
#ifndef CLIENTS_PLMCTL_H
#define CLIENTS_PLMCTL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/generation.h"
#include "clients/c/plm.h"

enum exit_status {
    EXIT_OK = 0,
    EXIT_REFUSED = 1, /* the daemon answered with an error */
    EXIT_NO_DAEMON = 2,
    EXIT_USAGE = 3,
    EXIT_DEADLINE = 124,
    EXIT_INTERRUPTED = 130,
};

struct options { /* of the command line; strings NULL when not given */
    const char *socket, *model;
    bool json, stream, quiet;
    int64_t timeout_ms;
    const char *tools, *choice, *system, *schema, *regex, *gbnf;
    const char *max_tokens, *temperature, *seed;
    char **words; /* what follows the command */
    int n_words;
};

struct session {
    const struct options *options;
    struct plm *plm;
    struct plm_reply reply;
    bool streaming;         /* tokens go to stdout as they come */
    struct buf streamed;    /* what was printed so */
    bool line_open;         /* a progress line stands on stderr */
    bool raw_notifications; /* for `call`: to stderr as they are */
};

/* ---- plmctl_talk.c ---- */

/* Calls the daemon; params is JSON text (NULL: none). EXIT_OK with session->reply, or another
 * status after saying why. */
int talk_call(struct session *session, const char *method, const char *params);
void talk_close(struct session *session);
/* Says what is wrong with the command line. Returns EXIT_USAGE. */
int talk_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct text talk_result(const struct session *session);

/* ---- plmctl_generate.c ---- */

int command_tool_call(struct session *session);
int command_chat(struct session *session);
int command_complete(struct session *session);

void generate_show(struct session *session); /* the answer */

/* ---- plmctl_chat.c: the loop of `chat` without a message ---- */

int chat_loop(struct session *session);

/* ---- plmctl_show.c ---- */

int command_tokenize(struct session *session);
int command_show(struct session *session, const char *method); /* health, stats, model.info */
int command_call(struct session *session);
void show_text(struct text text); /* to stdout; on a terminal without control characters */
void show_line(struct text text); /* the same, with a newline if it does not end with one */

/* ---- plmctl_input.c ---- */

/* The words of the command line joined, or all of stdin if they are "-". False after saying why. */
bool input_words(struct buf *out, const struct options *options);
/* JSON text from a file ("-": stdin), checked, on one line. */
bool input_file(struct buf *out, const char *path);
bool input_json_file(struct buf *out, const char *path);
bool input_json(struct buf *out, struct text text, const char *what);

/* ---- params, plmctl_params.c ---- */

/* Opens params with what the options say about sampling, limits and notifications: "{..." */
bool params_open(struct buf *out, const struct session *session);
/* Adds "name":  */
void params_name(struct buf *out, const char *name);
void params_string(struct buf *out, const char *name, struct text value);
/* {"role":ROLE,"content":CONTENT} */
void params_message(struct buf *out, const char *role, struct text content);

#endif
