/* The conversation with the daemon: calls, interrupts, progress, and what went wrong. */
#include "clients/plmctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"

/* ---- Ctrl-C: a byte into a pipe that the library watches ---- */

static int interrupts[2] = {-1, -1};

static void on_interrupt(int signal_number) {
    int before = errno;
    (void)signal_number;
    if (write(interrupts[1], "!", 1) < 0) errno = before; /* a full pipe says enough */
}

static bool watch_interrupts(struct sigaction *before) {
    struct sigaction action = {.sa_handler = on_interrupt};
    if (interrupts[0] < 0 && pipe2(interrupts, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    return sigaction(SIGINT, &action, before) == 0;
}

static void unwatch_interrupts(const struct sigaction *before) {
    char bytes[64];
    sigaction(SIGINT, before, NULL);
    while (read(interrupts[0], bytes, sizeof bytes) > 0) {
    }
}

/* ---- notifications ---- */

static void close_line(struct session *session) {
    if (session->line_open) fputs("\r\033[K", stderr);
    session->line_open = false;
}

static int64_t number_of(struct text params, const char *name) {
    int64_t value = 0;
    span_integer(&value, span_member(params, name));
    return value;
}

static void on_progress(struct session *session, struct text params) {
    struct text phase = span_member(params, "phase");
    long long done = number_of(params, "done"), total = number_of(params, "total");
    if (session->streamed.len) return;
    close_line(session);
    session->line_open = true;
    if (span_equals(phase, "queued"))
        fprintf(stderr, "waiting, %lld ahead", (long long)number_of(params, "queue_position"));
    else if (span_equals(phase, "prefill") && total > 0)
        fprintf(stderr, "reading the prompt: %lld of %lld tokens (%lld%%)", done, total,
                100 * done / total);
    else
        fprintf(stderr, "writing: %lld tokens", done);
    fflush(stderr);
}

static void on_token(struct session *session, struct text params) {
    size_t before = session->streamed.len;
    if (!session->streaming || !span_decode(&session->streamed, span_member(params, "text")))
        return;
    close_line(session);
    show_text((struct text){session->streamed.bytes + before, session->streamed.len - before});
    fflush(stdout);
}

static void on_notification(void *user, const char *method, const char *params, size_t len) {
    struct session *session = user;
    struct text text = {params, len};
    if (session->raw_notifications)
        fprintf(stderr, "%s %.*s\n", method, (int)len, params);
    else if (strcmp(method, "token") == 0)
        on_token(session, text);
    else if (strcmp(method, "progress") == 0)
        on_progress(session, text);
}

/* ---- connecting ---- */

static int no_daemon(const char *why) {
    fprintf(stderr,
            "plmctl: no daemon at %s\n"
            "Start one with `plmd --model FILE.gguf`, or say where it listens: --socket PATH or "
            "$PLM_SOCKET.\n",
            why);
    return EXIT_NO_DAEMON;
}

static int talk_open(struct session *session) {
    char why[1024];
    if (session->plm) return EXIT_OK;
    session->plm = plm_open(session->options->socket, why, sizeof why);
    return session->plm ? EXIT_OK : no_daemon(why);
}

void talk_close(struct session *session) {
    plm_close(session->plm);
    session->plm = NULL;
    buf_free(&session->streamed);
}

struct text talk_result(const struct session *session) {
    return (struct text){session->reply.result, session->reply.result_len};
}

/* ---- calling ---- */

static void say_refused(const struct session *session) {
    const struct plm_reply *reply = &session->reply;
    struct buf line = {0};
    if (!session->options->json) {
        fprintf(stderr, "plmctl: %s\n", reply->message);
        return;
    }
    buf_printf(&line, "{\"code\":%d,\"message\":", reply->code);
    json_quote(&line, (struct text){reply->message, strlen(reply->message)});
    if (reply->data_len) buf_printf(&line, ",\"data\":%s", reply->data);
    fprintf(stderr, "%s}\n", line.failed ? "" : line.bytes);
    buf_free(&line);
}

/* Says what went wrong, if anything did. */
static int conclude(struct session *session) {
    switch (session->reply.status) {
    case PLM_OK: return EXIT_OK;
    case PLM_REFUSED:
        say_refused(session);
        return session->reply.code == ERROR_DEADLINE ? EXIT_DEADLINE : EXIT_REFUSED;
    case PLM_DEADLINE:
        fputs("plmctl: no answer in time; cancelled\n", stderr);
        return EXIT_DEADLINE;
    case PLM_INTERRUPTED:
        fputs("plmctl: interrupted; cancelled\n", stderr);
        return EXIT_INTERRUPTED;
    default:
        fprintf(stderr, "plmctl: %s\n", session->reply.message);
        plm_close(session->plm);
        session->plm = NULL; /* a next call connects anew */
        return EXIT_NO_DAEMON;
    }
}

int talk_call(struct session *session, const char *method, const char *params) {
    struct sigaction before;
    session->streamed.len = 0;
    int status = talk_open(session);
    if (status != EXIT_OK) return status;
    if (!watch_interrupts(&before)) {
        perror("plmctl: cannot watch for interrupts");
        return EXIT_REFUSED;
    }
    const struct plm_call call = {
        .method = method,
        .params = params,
        .timeout_ms = session->options->timeout_ms,
        .interrupt_fd = interrupts[0],
        .notify = on_notification,
        .user = session,
    };
    plm_call(session->plm, &session->reply, &call);
    unwatch_interrupts(&before);
    close_line(session);
    if (session->reply.status != PLM_OK && session->streamed.len) fputc('\n', stdout);
    return conclude(session);
}
