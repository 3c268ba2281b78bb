#!/usr/bin/env python3
"""Hostile schemas over the socket: each is answered soon, nothing grows, the daemon lives on."""

import time

import harness
import hostile_schemas
from harness import Daemon, PATIENCE, check_error, main, test, anonymous_kib

MIB = 1024
REFUSALS = (1003, 1004, -32602, -32700)


def ask(client, method, members):
    """Sends params as text: not all of them can be loaded. The answer, and what it took."""
    begin = time.monotonic()
    client.send_raw('{"jsonrpc":"2.0","id":1,"method":"%s","params":{%s}}\n' % (method, members))
    message = client.receive(60 * PATIENCE)
    return message, time.monotonic() - begin


def check_answer(name, message, took):
    if "timing" in message.get("result", {}):
        took = message["result"]["timing"]["decode_ms"] / 1000  # the prompt may be long
    assert took < 2 * PATIENCE, (name, took)  # far above what the bench shows: a stall is meant
    if "error" in message:
        check_error(message["error"])
        assert message["error"]["code"] in REFUSALS, (name, message)
        return None
    return message["result"]


@test
def check_every_schema():
    taken = []
    with Daemon() as daemon, daemon.client() as client:
        before = anonymous_kib(daemon.process.pid)
        for name, schema in hostile_schemas.all_of_them():
            result = check_answer(name, *ask(client, "schema.check", f'"schema": {schema or "null"}'))
            if result and result["supported"]:
                taken.append(name)
            assert PATIENCE > 1 or anonymous_kib(daemon.process.pid) < before + 64 * MIB, name
        grown = anonymous_kib(daemon.process.pid) - before
        assert PATIENCE > 1 or grown < 24 * MIB, grown  # sanitizers keep what is freed
        assert client.call("health")["status"] == "ok"
    assert len(taken) >= 50, taken  # much of it is no more than large
    assert sum(name.startswith(("labelled values", "numbers by")) for name in taken) == 4, taken


@test
def generate_by_every_schema():
    """A call within its budget, or a refusal by name: never an invalid call, never a stall."""
    finished = 0
    with Daemon() as daemon, daemon.client() as client:
        short = [one for one in hostile_schemas.all_of_them() if len(one[1]) < 4000]  # prefill takes its time
        for i, (name, schema) in enumerate(short):
            tool = '{"name": "f", "parameters": {"type": "object", "properties": {"x": %s}, "required": ["x"]}}' % schema
            result = check_answer(name, *ask(client, "tool_call", f'"prompt": "Go", "tools": [{tool}], "max_tokens": 40, '
                                                                  f'"temperature": {1 + i % 2}, "seed": {i}'))
            if result:
                # No call where a guard left no way within the budget: then it is said.
                assert len(result["calls"]) == 1 or result["finish_reason"] == "length", (name, result)
                finished += len(result["calls"])
        assert client.call("health")["status"] == "ok"
    assert finished >= 20, finished


if __name__ == "__main__":
    main()
