/* Commands: one response each, ids, batches, cancelling, peers that go away, limits. */
#include "tests/support.h"
#include "tests/unit/daemon/turned_loop.h"

START_TEST(one_response_each) {
    send_text(
        CALL("1", "health", "{}") "\n" CALL("2", "chat", SHORT) "\n" CALL("3", "nope", "{}") "\n");
    receive(3);
    ck_assert(has("\"id\":1,\"result\"") && has("\"id\":2,\"result\"") && has("-32601"));
    receive(0);
}
END_TEST

START_TEST(equal_ids) {
    send_text(CALL("1", "chat", SLOW) "\n" CALL("1", "health", "{}") "\n");
    receive(1);
    ck_assert(has("-32600"));
    send_text("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":1}}\n");
    receive(1);
    ck_assert(has("1010") && has("\"reason\":\"client\""));
    send_text(CALL("1", "health", "{}") "\n");
    receive(1);
    ck_assert(has("result"));
}
END_TEST

START_TEST(batch_is_one_line) {
    send_text("[" CALL("1", "chat", SHORT) "," CALL(
        "2", "health", "{}") ",3,"
                             "{\"jsonrpc\":\"2.0\",\"method\":\"chat\",\"params\":" SHORT "}]\n");
    receive(1);
    ck_assert(received.bytes[0] == '[' && received.bytes[received.len - 2] == ']');
    ck_assert(has("\"id\":1,") && has("\"id\":2,") && has("\"id\":null,"));
}
END_TEST

START_TEST(batch_cancels_its_member) {
    send_text("[" CALL("1", "chat", SLOW) "," CALL("2", "cancel", "{\"id\":1}") "]\n");
    receive(1);
    ck_assert(has("1010") && has("\"cancelled\":true"));
}
END_TEST

START_TEST(batch_of_notifications_is_silent) {
    send_text("[{\"jsonrpc\":\"2.0\",\"method\":\"health\"}]\n");
    receive(0);
    ck_assert_uint_eq(received.len, 0);
}
END_TEST

START_TEST(cancelled_never_gets_a_result) {
    for (int i = 0; i < 200; i++) { /* whichever thread is quicker */
        send_text(CALL("1", "chat", "{\"prompt\":\"tokens=1\"}") "\n");
        for (int turns = 0; turns < i % 8; turns++) turn();
        send_text(CALL("2", "cancel", "{\"id\":1}") "\n");
        receive(2);
        ck_assert_msg(has("\"cancelled\":true") == has("1010"), "%s", received.bytes);
    }
}
END_TEST

START_TEST(peer_gone_at_any_moment) {
    for (int i = 0; i < 100; i++) {
        send_text(CALL("1", "chat", SLOW) "\n[" CALL("2", "chat", SLOW) "," CALL(
            "3", "tokenize", "{\"text\":\"a\"}") "]\n");
        for (int turns = 0; turns < i % 10; turns++) turn();
        if (i % 2) shutdown(peer, SHUT_WR);
        if (i % 4 == 1) turn();
        close(peer);
        peer = connect_peer();
    }
    send_text(CALL("1", "health", "{}") "\n");
    receive(1);
}
END_TEST

START_TEST(half_close_ends_after_the_last_reply) {
    send_text(CALL("1", "chat", SHORT) "\n");
    shutdown(peer, SHUT_WR);
    receive(1);
    int64_t end = clock_ns() + 2000000000;
    while (server.n_conns > 0 && clock_ns() < end) turn();
    ck_assert_uint_eq(server.n_conns, 0);
}
END_TEST

START_TEST(deadline_while_prepared) {
    send_text(CALL("1", "chat", "{\"prompt\":\"prep_ms=200\",\"deadline_ms\":20}") "\n");
    int64_t begin = clock_ns();
    receive(1);
    ck_assert(has("1002") && has("\"phase\":\"queued\""));
    ck_assert_int_lt(clock_ns() - begin, 150000000);
}
END_TEST

START_TEST(preparation_fails) {
    send_text(CALL("1", "chat", "{\"prompt\":\"fail=1013\"}") "\n");
    receive(1);
    ck_assert(has("template_error"));
}
END_TEST

START_TEST(queued_prompt_tokens_are_limited) {
    for (int i = 0; i < 12; i++) { /* 4 run, the others wait */
        char line[200];
        snprintf(line, sizeof line,
                 CALL("%d", "chat",
                      "{\"prompt\":\"tokens=5000 us=2000 count=100000\",\"max_tokens\":5000}") "\n",
                 i);
        send_text(line);
        int64_t end = clock_ns() + 20000000;
        while (clock_ns() < end) turn();
    }
    receive(0 + 6);
    ck_assert(has("1001") && has("retry_after_ms"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("command");
    TCase *cases = tcase_create("command");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, one_response_each);
    tcase_add_test(cases, equal_ids);
    tcase_add_test(cases, batch_is_one_line);
    tcase_add_test(cases, batch_cancels_its_member);
    tcase_add_test(cases, batch_of_notifications_is_silent);
    tcase_add_test(cases, cancelled_never_gets_a_result);
    tcase_add_test(cases, peer_gone_at_any_moment);
    tcase_add_test(cases, half_close_ends_after_the_last_reply);
    tcase_add_test(cases, deadline_while_prepared);
    tcase_add_test(cases, preparation_fails);
    tcase_add_test(cases, queued_prompt_tokens_are_limited);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
