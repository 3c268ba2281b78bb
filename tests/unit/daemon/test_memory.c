/* Every allocation of the loop thread fails in turn: the daemon lives on, and whoever is still
 * connected gets one response per request. */
#include "tests/support.h"
#include "tests/unit/daemon/turned_loop.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_FAIL 0
#else
#define CAN_FAIL 1
#endif

#if CAN_FAIL
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);

static _Thread_local long countdown = -1; /* allocations until one fails; < 0: none does */

static bool fails_now(void) {
    return countdown >= 0 && countdown-- == 0;
}
void *malloc(size_t n) {
    return fails_now() ? NULL : __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __libc_calloc(n, size);
}
void *realloc(void *old, size_t n) {
    return fails_now() ? NULL : __libc_realloc(old, n);
}

/* libev can't go on without memory and ends the process, so its own allocations never fail here. */
static void *ev_allocate(void *old, long n) {
    if (n) return __libc_realloc(old, (size_t)n);
    free(old);
    return NULL;
}

static const char *const scripts[] = {
    CALL("1", "health", "{}") "\n",
    CALL("1", "stats", "{}") "\n" CALL("2", "hello", "{}") "\n",
    CALL("1", "chat", SHORT) "\n",
    CALL("1", "chat", "{\"prompt\":\"tokens=3\",\"stream\":true,\"progress\":true}") "\n",
    "[" CALL("1", "chat", SHORT) "," CALL("2", "health", "{}") ",3]\n",
    CALL("1", "chat", "{\"prompt\":\"tokens=10 us=1000\"}") "\n" CALL("2", "cancel",
                                                                      "{\"id\":1}") "\n",
    "nope\n",
};

/* Sends the script, lets one allocation fail, and hears it out. */
static void run_script(const char *script, long nth) {
    char bytes[4096];
    int64_t end = clock_ns() + 2000000000;
    ssize_t got = -1;
    send_text(script);
    shutdown(peer, SHUT_WR);
    countdown = nth;
    while (got != 0 && clock_ns() < end) { /* the daemon closes when all is answered */
        turn();
        got = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);
    }
    countdown = -1;
    ck_assert_msg(got == 0, "allocation %ld: not closed after: %s", nth, script);
    close(peer);
    peer = connect_peer();
}

START_TEST(every_allocation_fails_once) {
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        run_script(scripts[i], -1);
        for (long nth = 0; nth < 120; nth++) run_script(scripts[i], nth);
    }
    send_text(CALL("1", "health", "{}") "\n");
    receive(1);
    ck_assert(has("\"status\":\"ok\""));
}
END_TEST
#endif

int main(void) {
    Suite *suite = suite_create("memory");
    TCase *cases = tcase_create("memory");
#if CAN_FAIL
    ev_set_allocator(ev_allocate);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, every_allocation_fails_once);
#else
    puts("SKIP: the sanitizer owns the allocator");
#endif
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
