/* fake_daemon: a daemon of a few lines for the clients' tests, in a child process.
 *
 * What it does is the method's name: "health" and "tokenize" answer; "chat",
 * "tool_call" and "complete" send progress and tokens when asked, then a result;
 * "refuse", "late", "null_id", "garbage" and "endless" misbehave in their ways;
 * "hang" answers only when cancelled, "deaf" never, "die" closes the connection.
 */
#ifndef TESTS_FAKE_DAEMON_H
#define TESTS_FAKE_DAEMON_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/span.h"

struct fake {
    FILE *out;
    char last_id[64]; /* of the request that hangs */
};

static inline void fake_send(struct fake *fake, const char *id, const char *rest) {
    fprintf(fake->out, "{\"jsonrpc\":\"2.0\",\"id\":%s,%s}\n", id, rest);
    fflush(fake->out);
}

static inline void fake_notify(struct fake *fake, const char *method, const char *id,
                               const char *rest) {
    fprintf(fake->out, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{\"id\":%s,%s}}\n",
            method, id, rest);
    fflush(fake->out);
}

static inline void fake_generate(struct fake *fake, const char *id, struct text params) {
    struct text stream = span_member(params, "stream"), tools = span_member(params, "tools");
    if (stream.len == 4) {
        fake_notify(fake, "token", "999", "\"seq\":0,\"text\":\"not yours\",\"tokens\":[]");
        fake_notify(fake, "token", id, "\"seq\":0,\"text\":\"Hel\",\"tokens\":[1]");
        fake_notify(fake, "token", id, "\"seq\":1,\"text\":\"lo\\u00e9\",\"tokens\":[2]");
    }
    fake_send(fake, id,
              tools.bytes
                  ? "\"result\":{\"calls\":[{\"id\":\"call_0\",\"name\":\"get\",\"arguments\":"
                    "{\"x\": 1.0}}],\"content\":null,\"finish_reason\":\"tool_calls\"}"
                  : "\"result\":{\"calls\":[],\"content\":\"Hello\\u00e9 there\","
                    "\"finish_reason\":\"length\"}");
}

/* False: close the connection. */
static inline bool fake_answer(struct fake *fake, struct text line) {
    struct text method = span_member(line, "method"), params = span_member(line, "params");
    struct text raw = span_member(line, "id");
    char id[64];
    snprintf(id, sizeof id, "%.*s", raw.bytes ? (int)raw.len : 0, raw.bytes ? raw.bytes : "");
    if (span_equals(method, "health")) {
        fake_send(fake, id, "\"result\":{\"status\":\"ok\",\"nested\":{\"a\":[1, 2]}}");
    } else if (span_equals(method, "tokenize")) {
        fake_send(fake, id, "\"result\":{\"tokens\":[1, 22,333]}");
    } else if (span_equals(method, "refuse")) {
        fake_send(fake, id,
                  "\"error\":{\"code\":-32602,\"message\":\"invalid_params: "
                  "no\",\"data\":{\"path\":\"x\"}}");
    } else if (span_equals(method, "late")) {
        fake_send(fake, id, "\"error\":{\"code\":1002,\"message\":\"deadline_exceeded: late\"}");
    } else if (span_equals(method, "null_id")) {
        fake_send(fake, "null", "\"error\":{\"code\":-32700,\"message\":\"parse_error: x\"}");
    } else if (span_equals(method, "garbage")) {
        fputs("}{\n\nnull\n[1]\n", fake->out);
        fake_send(fake, "12345", "\"result\":\"somebody else's\"");
        fake_send(fake, id, "\"result\":{}");
    } else if (span_equals(method, "hang")) {
        memcpy(fake->last_id, id, sizeof id);
        fake_notify(fake, "token", id, "\"seq\":0,\"text\":\"begun\",\"tokens\":[]");
    } else if (span_equals(method, "$/cancelRequest") && fake->last_id[0]) {
        fake_send(fake, fake->last_id,
                  "\"error\":{\"code\":1010,\"message\":\"cancelled: by you\",\"data\":{\"reason\":"
                  "\"client\"}}");
        fake->last_id[0] = '\0';
    } else if (span_equals(method, "chat") || span_equals(method, "tool_call") ||
               span_equals(method, "complete")) {
        fake_generate(fake, id, params);
    } else if (span_equals(method, "die")) {
        return false;
    }
    return true;
}

static inline void fake_serve(int fd) {
    struct fake fake = {.out = fdopen(dup(fd), "w")};
    FILE *in = fdopen(fd, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, in)) > 0 &&
           fake_answer(&fake, (struct text){line, (size_t)n})) {
    }
    free(line);
    fclose(in);
    fclose(fake.out);
}

/* Serves one end of a socket pair; returns the other. */
static inline int fake_pair(pid_t *child) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return -1;
    if ((*child = fork()) == 0) {
        close(fds[0]);
        fake_serve(fds[1]);
        _exit(0);
    }
    close(fds[1]);
    return fds[0];
}

/* Listens at path, one connection at a time. */
static inline pid_t fake_listen(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 8)) return -1;
    pid_t child = fork();
    while (child == 0) {
        int peer = accept(fd, NULL, NULL);
        if (peer >= 0) fake_serve(peer);
    }
    close(fd);
    return child;
}

static inline void fake_end(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

#endif
