/* turned_loop: connections, requests, commands and jobs in one process: the loop is turned by the
 * test, peers are socket pairs, the engine is the fake one. Included once by a test program. */
#include "tests/unit/daemon/fake_engine.c"

#include <check.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "daemon/conn.h"
#include "daemon/log.h"
#include "daemon/server.h"

static struct server server;
static struct options options;
static struct listener listener;
static int peer; /* our end of the connection */
static struct buf received;

/* ---- the loop, turned by hand ---- */

static void reap(void) {
    struct conn *conn;
    while ((conn = SLIST_FIRST(&server.doomed))) {
        SLIST_REMOVE_HEAD(&server.doomed, doomed_link);
        conn_close(conn);
    }
}

static void turn(void) {
    ev_run(server.loop, EVRUN_NOWAIT);
    reap();
}

static int connect_peer(void) {
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    ck_assert_ptr_nonnull(conn_new(&server, pair[0], 0));
    return pair[1];
}

static void setup(void) {
    struct error error = {0};
    log_set_level(LOG_LEVEL_ERROR);
    static char *flags[] = {(char *)"plmd", (char *)"--model=fake", (char *)"--config=/dev/null"};
    struct buf problems = {0};
    ck_assert(options_parse(&options, 3, flags, &problems));
    listener = (struct listener){.fd = -1, .lock_fd = -1};
    server = (struct server){.options = &options, .listener = &listener, .started_ns = clock_ns()};
    server.loop = ev_loop_new(EVFLAG_NOENV);
    LIST_INIT(&server.conns);
    SLIST_INIT(&server.doomed);
    ck_assert(hangup_init(&server.hangup, server.loop, conn_gone));
    ck_assert(jobs_init(&server.jobs, &server, &error));
    peer = connect_peer();
    received = (struct buf){0};
    while (models_loading(&server.jobs.models)) turn();
}

static void teardown(void) {
    int64_t end = clock_ns() + 5000000000;
    close(peer);
    while ((server.n_conns > 0 || server.jobs.outside > 0) && clock_ns() < end) turn();
    ck_assert_uint_eq(server.n_conns, 0);
    ck_assert_uint_eq(server.jobs.outside, 0);
    ck_assert_uint_eq(server.jobs.preparing, 0);
    ck_assert_uint_eq(server.jobs.models.of[0].users, 0);
    ck_assert_uint_eq(server.jobs.models.of[0].submitted, 0);
    ck_assert_uint_eq(server.jobs.models.of[0].submitted_tokens, 0);
    ck_assert(jobs_close(&server.jobs));
    hangup_close(&server.hangup, server.loop);
    ev_loop_destroy(server.loop);
    buf_free(&received);
}

static void send_text(const char *text) {
    ck_assert_int_eq(send(peer, text, strlen(text), 0), (ssize_t)strlen(text));
}

static unsigned count_lines(void) {
    unsigned n = 0;
    for (size_t i = 0; i < received.len; i++) n += received.bytes[i] == '\n';
    return n;
}

/* Turns the loop until n more lines have come, or (n 0) for a moment; what came is in `received`.
 */
static void receive(unsigned n) {
    char bytes[4096];
    int64_t end = clock_ns() + (n ? INT64_C(5000000000) : 50000000);
    received.len = 0;
    while (clock_ns() < end && (!n || count_lines() < n)) {
        turn();
        ssize_t got = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0) buf_add(&received, bytes, (size_t)got);
    }
    ck_assert_uint_eq(count_lines(), n);
}

static bool has(const char *text) {
    return received.bytes && strstr(received.bytes, text) != NULL;
}

#define CALL(id, method, params)                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define SLOW  "{\"prompt\":\"tokens=5000 us=2000\",\"max_tokens\":5000}"
#define SHORT "{\"prompt\":\"tokens=2\"}"
