/* `plmctl chat` without a message: a conversation, a line a turn. */
#include "clients/plmctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"

struct conversation {
    struct session *session;
    struct buf history; /* messages as JSON, separated by commas */
};

static void say(struct conversation *chat, const char *role, struct text content) {
    if (chat->history.len) buf_add_char(&chat->history, ',');
    params_message(&chat->history, role, content);
}

static void restart(struct conversation *chat) {
    const char *system = chat->session->options->system;
    chat->history.len = 0;
    if (system) say(chat, "system", (struct text){system, strlen(system)});
}

static void answered(struct conversation *chat) {
    struct buf content = {0};
    span_decode(&content, span_member(talk_result(chat->session), "content"));
    say(chat, "assistant", (struct text){content.bytes, content.len});
    buf_free(&content);
}

/* One turn. A question without an answer is forgotten. */
static int turn(struct conversation *chat, struct text question) {
    struct buf params = {0};
    size_t before = chat->history.len;
    if (!params_open(&params, chat->session)) {
        buf_free(&params);
        return EXIT_USAGE;
    }
    say(chat, "user", question);
    params_name(&params, "messages");
    buf_printf(&params, "[%s]}", chat->history.bytes);
    int status = talk_call(chat->session, "chat", params.bytes);
    buf_free(&params);
    if (status == EXIT_OK) {
        generate_show(chat->session);
        answered(chat);
        return EXIT_OK;
    }
    chat->history.len = before;
    if (chat->session->reply.code == ERROR_CONTEXT_LENGTH)
        fputs("The conversation is too long for the model: /clear begins a new one.\n", stderr);
    return status;
}

/* Is it a command of the loop? */
static bool loop_command(struct conversation *chat, const char *line, bool *quit) {
    *quit = strcmp(line, "/quit") == 0 || strcmp(line, "/exit") == 0;
    if (*quit) return true;
    if (strcmp(line, "/clear") == 0) {
        restart(chat);
        fputs("Forgotten.\n", stderr);
        return true;
    }
    if (strcmp(line, "/help") != 0) return false;
    fputs("A line is a message. /clear forgets the conversation, /quit or Ctrl-D leaves, Ctrl-C "
          "cancels an answer.\n",
          stderr);
    return true;
}

static char *trim(char *line) {
    size_t n = strlen(line);
    while (n && strchr(" \t\r\n", line[n - 1])) line[--n] = '\0';
    return line + strspn(line, " \t");
}

/* A lost connection ends the loop; an error or a cancelled answer does not, on a terminal. */
static bool goes_on(int status, bool terminal) {
    return status == EXIT_OK || (terminal && status != EXIT_NO_DAEMON && status != EXIT_USAGE);
}

int chat_loop(struct session *session) {
    struct conversation chat = {.session = session};
    bool terminal = isatty(STDIN_FILENO), quit = false;
    char *line = NULL;
    size_t cap = 0;
    int status = EXIT_OK;
    restart(&chat);
    if (terminal) fputs("A conversation; /help says more.\n", stderr);
    while (!quit && goes_on(status, terminal)) {
        if (terminal) fputs("> ", stderr);
        if (getline(&line, &cap, stdin) < 0) break;
        char *text = trim(line);
        if (!*text || loop_command(&chat, text, &quit)) continue;
        status = turn(&chat, (struct text){text, strlen(text)});
    }
    if (terminal && !quit && goes_on(status, terminal)) fputc('\n', stderr);
    free(line);
    buf_free(&chat.history);
    return terminal && goes_on(status, true) ? EXIT_OK : status;
}
