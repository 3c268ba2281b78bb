#!/usr/bin/env python3
"""The examples of the JSON-RPC 2.0 specification (section 7), sent as it prints them.

Where the contract differs from the specification it is narrower, and that is tested too: positional
params are refused with -32602, and messages begin with our names of the errors. The examples' methods
(subtract, sum, ...) do not exist here; where an example needs one that succeeds, `detokenize` with
named params stands for it.
"""

import json

import harness
from harness import Daemon, main, test

DAEMON = None


def ask(line, answers=True):
    """What a line is answered with; None: nothing."""
    with DAEMON.client() as client:
        client.send_raw(line + "\n")
        if answers:
            return client.receive()
        client.silent(0.2)
        assert client.call("health")["status"] == "ok"
        return None


def error_is(answer, code, id):
    assert set(answer) == {"jsonrpc", "error", "id"} and answer["jsonrpc"] == "2.0", answer
    assert answer["error"]["code"] == code and answer["id"] == id, answer
    assert type(answer["id"]) is type(id), answer


def without_details(answer):
    """The error's code alone: its text is free."""
    return {**answer, "error": answer["error"]["code"]} if "error" in answer else answer


@test
def positional_parameters():
    """Refused here; a method that does not exist is told first."""
    error_is(ask('{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}'), -32601, 1)
    error_is(ask('{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}'), -32601, 2)
    error_is(ask('{"jsonrpc": "2.0", "method": "detokenize", "params": [42, 23], "id": 1}'), -32602, 1)
    error_is(ask('{"jsonrpc": "2.0", "method": "health", "params": [], "id": 2}'), -32602, 2)


@test
def named_parameters():
    answers = [ask('{"jsonrpc": "2.0", "method": "detokenize", "params": {"tokens": []}, "id": 3}'),
               ask('{"jsonrpc": "2.0", "id": 4, "params": {"tokens": []}, "method": "detokenize"}')]
    assert answers == [{"jsonrpc": "2.0", "result": {"text": ""}, "id": 3},
                       {"jsonrpc": "2.0", "result": {"text": ""}, "id": 4}], answers


@test
def notification():
    ask('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', answers=False)
    ask('{"jsonrpc": "2.0", "method": "foobar"}', answers=False)
    ask('{"jsonrpc": "2.0", "method": "detokenize", "params": {"tokens": []}}', answers=False)


@test
def non_existent_method():
    error_is(ask('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}'), -32601, "1")


@test
def invalid_json():
    error_is(ask('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]'), -32700, None)


@test
def invalid_request_object():
    error_is(ask('{"jsonrpc": "2.0", "method": 1, "params": "bar"}'), -32600, None)


@test
def batch_invalid_json():
    """The specification prints it on several lines; a line is a message here, so on one."""
    error_is(ask('[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method" ]'),
             -32700, None)


@test
def empty_array():
    error_is(ask("[]"), -32600, None)


@test
def invalid_batch_not_empty():
    answer = ask("[1]")
    assert isinstance(answer, list) and len(answer) == 1, answer
    error_is(answer[0], -32600, None)


@test
def invalid_batch():
    answer = ask("[1,2,3]")
    assert isinstance(answer, list) and len(answer) == 3, answer
    for one in answer:
        error_is(one, -32600, None)


@test
def batch():
    """As printed, but for sum, subtract and get_data; any order."""
    answer = ask("""[
        {"jsonrpc": "2.0", "method": "detokenize", "params": {"tokens": []}, "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "detokenize", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "cancel", "params": {"id": "none"}, "id": "9"}
    ]""".replace("\n", " "))
    wanted = [{"jsonrpc": "2.0", "result": {"text": ""}, "id": "1"},
              {"jsonrpc": "2.0", "error": -32602, "id": "2"},
              {"jsonrpc": "2.0", "error": -32600, "id": None},
              {"jsonrpc": "2.0", "error": -32601, "id": "5"},
              {"jsonrpc": "2.0", "result": {"cancelled": False}, "id": "9"}]
    order = lambda one: json.dumps(one["id"])
    assert sorted(map(without_details, answer), key=order) == sorted(wanted, key=order), answer


@test
def batch_of_notifications():
    ask('[ {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
        ' {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]} ]', answers=False)


if __name__ == "__main__":
    if harness.os.path.exists(harness.PLMD) and harness.os.path.exists(harness.MODEL):
        with Daemon() as DAEMON:
            main()
    else:
        main()
