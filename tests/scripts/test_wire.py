#!/usr/bin/env python3
"""The sentences of protocol 1 about transport, framing, ids, batches and errors, held against a
running daemon."""

import json
import os
import random
import socket
import subprocess
import sys
import time

from harness import (Client, Closed, Daemon, PATIENCE, check_error, long_generation, main, prompt,
                     test)

DAEMON = None


def client(timeout=20):
    return DAEMON.client(timeout)


def line_error(data, code, raw=False):
    """What a line (or bytes) is answered with as a whole: an error with id null; the connection
    lives on."""
    with client() as c:
        c.send_raw(data if raw else data + "\n")
        answer = c.receive()
        assert answer["id"] is None and answer["jsonrpc"] == "2.0", answer
        check_error(answer["error"], code)
        assert c.call("health")["status"] == "ok"
        return answer["error"]


def request(id, method="health", params=None):
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    return message if params is None else {**message, "params": params}


# ---- framing ----

@test
def line_ends():
    with client() as c:
        c.send_raw(b'\n\r\n\n{"jsonrpc":"2.0","id":1,"method":"health"}\r\n\r\n')
        assert c.receive()["id"] == 1
        c.silent()


@test
def bytes_one_by_one():
    with client() as c:
        for byte in b'{"jsonrpc":"2.0","id":"\xc3\xa9","method":"health"}\n':
            c.send_raw(bytes([byte]))
        assert c.receive()["id"] == "é"


@test
def many_lines_in_one_write():
    with client() as c:
        c.send_raw("".join(json.dumps(request(i)) + "\n" for i in range(1000)))
        assert [c.receive()["id"] for _ in range(1000)] == list(range(1000))


@test
def too_long_line():
    limit = 4 * 1024 * 1024
    with client() as c:
        head = b'{"jsonrpc":"2.0","id":1,"method":"health","params":{"_meta":"'
        for size, answered in ((limit + 1, False), (limit, True)):
            body = head + b"a" * (size - len(head) - 3) + b'"}}'
            assert len(body) == size
            c.send_raw(body + b"\n")
            answer = c.receive(30)
            if answered:
                assert answer["id"] == 1, str(answer)[:200]
            else:
                assert answer["id"] is None
                error = check_error(answer["error"], 1009)
                assert error["data"]["limit"] == limit
            assert c.call("health")["status"] == "ok"


@test
def too_long_response():
    """Answered all the same; alone and in a batch, where the others are not lost."""
    text = "\x01" * 3_000_000  # six bytes each, in the request and in the response
    with Daemon("--max-line", "64M") as daemon, daemon.client(60) as c:
        error = c.error("render", {"prompt": text})
        assert error["code"] == 1009 and error["data"]["limit"] == 8 * 1024 * 1024, error
        c.send([request(i, "render", {"prompt": text[:1_000_000]}) for i in range(4)])
        answer = c.receive(60)
        assert len(answer) == 4 and sum("error" in a for a in answer) == 3
        assert c.call("health")["status"] == "ok"


@test
def too_long_line_in_pieces():
    with client() as c:
        for _ in range(12):
            c.send_raw(b"x" * 1024 * 1024)
        answer = c.receive(30)
        assert answer["id"] is None and answer["error"]["code"] == 1009
        c.send_raw(b"rest of it\n")
        assert c.call("health")["status"] == "ok"


@test
def not_json():
    for text in ("nope", "{", '{"a":1}}', '{"a":1,"a":2}', "[1,", '"\\ud800"', "{'a':1}", "\x01"):
        line_error(text, -32700)


@test
def bad_bytes():
    for data in (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}\n', b'"\xed\xa0\x80"\n',
                 b'{"jsonrpc":"2.0",\x00"id":1,"method":"health"}\n', b"\x00\n", b'"\xc0\xaf"\n'):
        line_error(data, -32700, raw=True)


@test
def nesting():
    line_error("[" * 65 + "]" * 65, -32700)
    line_error("[" * 5000 + "]" * 5000, -32700)
    with client() as c:  # 64 levels are read; the batch member is no request
        c.send_raw("[" * 64 + "]" * 64 + "\n")
        assert c.receive()[0]["error"]["code"] == -32600


# ---- requests and ids ----

@test
def version_is_required():
    with client() as c:
        for message in ({"id": 1, "method": "health"}, {**request(1), "jsonrpc": "1.0"},
                        {**request(1), "jsonrpc": 2.0}):
            c.send(message)
            answer = c.receive()
            check_error(answer["error"], -32600)
            assert answer["id"] == 1


@test
def id_forms():
    with client() as c:
        for id in (0, -1, 2**53, -2**53, "", "a" * 128, "é\"\\\n", "\u0000"):
            c.send(request(id))
            assert c.receive()["id"] == id
        for id in (1.5, True, [], {}, "a" * 129, 2**53 + 1, None):
            c.send(request(id))
            answer = c.receive()
            assert answer["id"] is None, answer
            check_error(answer["error"], -32600)


@test
def notifications_get_no_reply():
    with client() as c:
        c.notify("health", {})
        c.notify("no.such.method", {})
        c.notify("health", {"unknown": 1})
        c.notify("complete", {"prompt": prompt(), "max_tokens": 3, "stream": True,
                              "progress": True})
        c.silent(0.5)
        assert c.call("health")["status"] == "ok"


@test
def unknown_method_and_params():
    with client() as c:
        assert c.error("no.such.method")["code"] == -32601
        error = c.error("health", {"verbose": True})
        assert error["code"] == -32602 and error["data"]["path"] == "verbose", error
        assert c.error("health", [])["code"] == -32602
        assert c.error("tokenize", {})["code"] == -32602
        assert c.call("health", {"_meta": {"x": 1}})["status"] == "ok"
        assert c.error("tokenize", {"text": 7})["data"]["path"] == "text"
        error = c.error("chat", {"prompt": "x", "model": "no such"})
        assert error["code"] == -32602 and error["data"]["path"] == "model", error


@test
def same_id_in_flight():
    with client() as c:
        for id in (7, "seven"):
            c.request("complete", long_generation(300), id=id)
            c.request("complete", long_generation(3), id=id)
            first = c.receive()
            check_error(first["error"], -32600)
            assert first["id"] == id
            c.request("health", id=id)
            assert c.receive()["error"]["code"] == -32600
            c.request("cancel", {"id": id}, id="c")
            answers = {str(a["id"]): a for a in (c.receive(), c.receive())}
            assert answers["c"]["result"] == {"cancelled": True}
            check_error(answers[str(id)]["error"], 1010)
            c.request("health", id=id)  # free again
            assert "result" in c.receive()


@test
def same_id_on_two_connections():
    with client() as a, client() as b:
        a.request("complete", long_generation(50), id=1)
        b.request("complete", long_generation(50), id=1)
        assert "result" in a.receive() and "result" in b.receive()


# ---- batches ----

@test
def batches():
    with client() as c:
        c.send([request(1), request(2, "tokenize", {"text": "a"}), request(3, "no.such"),
                {"jsonrpc": "2.0", "method": "health"}, 17,
                request(4, "complete", {"prompt": prompt(), "max_tokens": 3})])
        answer = c.receive()
        assert isinstance(answer, list)
        by_id = {a["id"]: a for a in answer}
        assert set(by_id) == {1, 2, 3, 4, None} and len(answer) == 5, answer
        assert by_id[3]["error"]["code"] == -32601 and by_id[None]["error"]["code"] == -32600
        assert "result" in by_id[4]
        c.send([])
        answer = c.receive()
        assert answer["id"] is None and answer["error"]["code"] == -32600
        c.send([{"jsonrpc": "2.0", "method": "health"}] * 3)
        c.silent()
        c.send([request(i) for i in range(64)])
        assert sorted(a["id"] for a in c.receive()) == list(range(64))
        c.send([request(i) for i in range(65)])
        answer = c.receive()
        assert answer["error"]["code"] == -32600, str(answer)[:200]


@test
def batch_members_run_concurrently():
    with client() as c:
        c.send([request(i, "complete", long_generation(100, stream=True)) for i in range(2)])
        seen = []
        while True:
            message = c.receive()
            if isinstance(message, list):
                break
            seen.append(message["params"]["id"])
        assert len(message) == 2 and all("result" in a for a in message)
        assert seen.index(1) < len(seen) - 1 - seen[::-1].index(0), "one after the other"


@test
def batch_with_equal_ids():
    with client() as c:
        c.send([request(1, "complete", long_generation(20)), request(1)])
        answer = c.receive()
        assert len(answer) == 2 and sum("error" in a for a in answer) == 1


# ---- half-close and disconnects ----

@test
def half_close():
    with client() as c:
        c.request("complete", long_generation(200), id="g")
        c.request("tokenize", {"text": "abc"}, id="t")
        c.half_close()
        assert {c.receive()["id"], c.receive()["id"]} == {"g", "t"}
        c.at_end(2)


@test
def half_close_without_line_end():
    with client() as c:
        c.send_raw(json.dumps(request(1)))
        c.half_close()
        assert c.receive()["id"] == 1
        c.at_end(2)


@test
def half_close_at_once():
    with client() as c:
        c.half_close()
        c.at_end(2)


@test
def gone_peer_cancels():
    for half_closed_first in (False, True):
        c = client()
        for i in range(8):
            c.request("complete", long_generation(8000, 2000), id=i)
        if half_closed_first:
            c.half_close()
        time.sleep(0.1)
        c.close()
        DAEMON.idle()


@test
def gone_peer_streaming():
    for _ in range(5):
        c = client()
        c.request("complete", long_generation(4000, 200, stream=True))
        c.receive()
        c.close()
    DAEMON.idle()


# ---- exactly one response, streams ----

@test
def stream_joins_to_the_content():
    with client() as c:
        for method, params in (("complete", long_generation(60)),
                               ("chat", {"prompt": prompt(40), "max_tokens": 40, "seed": 1})):
            id = c.request(method, {**params, "stream": True})
            answer, notes = c.response(id)
            tokens = [n["params"] for n in notes if n["method"] == "token"]
            assert all(t["id"] == id for t in tokens)
            sequence = [t["seq"] for t in tokens]
            assert sequence == sorted(sequence)
            assert "".join(t["text"] for t in tokens) == answer["result"]["content"]
            plain = c.call(method, params)
            assert plain["content"] == answer["result"]["content"]


@test
def progress_comes_at_least_every_two_seconds():
    with client() as c:
        id = c.request("complete", long_generation(400, 10000, progress=True))
        last, phases, worst = time.monotonic(), [], 0
        while True:
            message = c.receive()
            now = time.monotonic()
            worst, last = max(worst, now - last), now
            if "method" not in message:
                break
            assert message["method"] == "progress" and message["params"]["id"] == id
            phases.append((message["params"]["seq"], message["params"]["phase"]))
        assert "result" in message, message
        assert [s for s, _ in phases] == list(range(len(phases))) and phases[0][1] == "queued"
        assert worst < 2 * PATIENCE, worst


@test
def exactly_one_response_each():
    """Everything at once, at random: each id is answered once."""
    random.seed(5)
    with client(60) as c:
        wanted = []
        for i in range(60):
            kind = random.randrange(6)
            if kind == 0:
                c.request("complete", long_generation(random.randrange(1, 60)), id=i)
            elif kind == 1:
                c.request("complete", long_generation(500, deadline_ms=random.randrange(1, 200)),
                          id=i)
            elif kind == 2:
                c.request("cancel", {"id": random.randrange(60)}, id=i)
            elif kind == 3:
                c.request("tool_call", {"prompt": prompt(3), "tools": [{"name": "f"}],
                                        "max_tokens": 40}, id=i)
            elif kind == 4:
                c.request("tokenize", {"text": "abc" * random.randrange(20000)}, id=i)
            else:
                c.request("health", id=i)
            wanted.append(i)
        got = [c.receive() for _ in wanted]
        assert sorted(g["id"] for g in got) == wanted
        for answer in got:
            assert ("result" in answer) != ("error" in answer)
            if "error" in answer:
                check_error(answer["error"])
        c.silent()


# ---- cancel and deadlines ----

def expect_cancelled(c, id, how):
    c.send(how)
    answers = [c.receive()] if "id" not in how else [c.receive(), c.receive()]
    by_id = {str(a["id"]): a for a in answers}
    error = check_error(by_id[str(id)]["error"], 1010)
    assert error["data"]["reason"] == "client", error
    if "id" in how:
        assert by_id[str(how["id"])]["result"] == {"cancelled": True}
    return error


@test
def cancel_in_every_way():
    with client() as c:
        for how in (lambda id: request("c", "cancel", {"id": id}),
                    lambda id: {"jsonrpc": "2.0", "method": "cancel", "params": {"id": id}},
                    lambda id: {"jsonrpc": "2.0", "method": "$/cancelRequest",
                                "params": {"id": id}},
                    lambda id: {"jsonrpc": "2.0", "method": "notifications/cancelled",
                                "params": {"requestId": id, "reason": "no need"}}):
            for pause in (0, 0.05):  # at once: not even prepared; later: decoding
                id = c.request("complete", long_generation(4000, 2000), id="x")
                time.sleep(pause)
                begin = time.monotonic()
                expect_cancelled(c, id, how(id))
                assert time.monotonic() - begin < 0.5 * PATIENCE
        c.silent()
        DAEMON.idle()


@test
def cancel_in_the_queue():
    with client() as c, client() as other:
        for i in range(40):
            c.request("complete", long_generation(4000, 2000), id=i)
        time.sleep(0.1)
        other.request("health")
        assert other.receive()["result"]["active"] >= 1
        assert other.call("cancel", {"id": 39}) == {"cancelled": False}  # not its own
        expect_cancelled(c, 39, request("c", "cancel", {"id": 39}))
        for i in range(39):
            c.notify("$/cancelRequest", {"id": i})
        got = sorted(c.receive()["id"] for _ in range(39))
        assert got == list(range(39))


@test
def cancel_what_is_still_parsed():
    text = "a" * 3_000_000
    with client() as c:
        c.request("complete", {"prompt": prompt(4000, 2000, prep_ms=200) + text}, id="big")
        c.request("cancel", {"id": "big"}, id="c")
        answers = {a["id"]: a for a in (c.receive(), c.receive())}
        assert answers["c"]["result"]["cancelled"] is True, answers["c"]
        assert answers["big"]["error"]["code"] == 1010, answers["big"]


@test
def cancel_of_nothing():
    with client() as c:
        assert c.call("cancel", {"id": "nothing"}) == {"cancelled": False}
        c.notify("$/cancelRequest", {"id": "nothing"})
        c.notify("notifications/cancelled", {"requestId": 12})
        id = c.request("complete", {"prompt": prompt(), "max_tokens": 2})
        assert "result" in c.response(id)[0]
        assert c.call("cancel", {"id": id}) == {"cancelled": False}
        assert c.error("cancel", {})["code"] == -32602


@test
def deadlines():
    with client() as c:
        begin = time.monotonic()
        error = c.error("complete", long_generation(4000, 2000, deadline_ms=150))
        took = time.monotonic() - begin
        assert error["code"] == 1002 and error["data"]["phase"] in ("prefill", "decode"), error
        assert 0.14 < took < 0.15 + 0.5 * PATIENCE, took
        for i in range(30):  # no room: in the queue
            c.request("complete", long_generation(4000, 2000), id=i)
        error = c.request("complete", long_generation(4000, 2000, deadline_ms=100), id="late")
        error = check_error(c.receive()["error"], 1002)
        assert error["data"]["phase"] in ("queued", "prefill", "decode"), error


# ---- limits ----

@test
def in_flight_limit():
    with client() as c:
        for i in range(70):
            c.request("complete", long_generation(4000, 2000), id=i)
        refused = [c.receive() for _ in range(6)]
        for answer in refused:
            error = check_error(answer["error"], 1001)
            assert error["data"]["retry_after_ms"] > 0 and "queue_depth" in error["data"]
        assert sorted(a["id"] for a in refused) == list(range(64, 70))
        c.request("health", id="h")  # still answered
        assert c.receive()["id"] == "h"
    DAEMON.idle()


@test
def queue_limit():
    clients = [client() for _ in range(6)]
    for c in clients:
        for i in range(64):
            c.request("complete", long_generation(4000, 2000), id=i)
        c.request("health", id="h")
    refused = 0
    for c in clients:
        while True:
            answer = c.receive()
            if answer["id"] == "h":
                break
            check_error(answer["error"], 1001)
            refused += 1
    with client() as c:
        health = c.call("health")
    for c in clients:
        c.close()
    assert health["queue_depth"] <= 256, health
    assert refused >= 6 * 64 - 256 - 32, refused
    DAEMON.idle()


@test
def connection_limit():
    clients = []
    try:
        for _ in range(256):
            clients.append(client())
        with client() as late:
            answer = late.receive()
            assert answer["id"] is None
            check_error(answer["error"], 1001)
            late.at_end(2)
        assert clients[-1].call("health")["status"] == "ok"
    finally:
        for c in clients:
            c.close()
    time.sleep(0.1)
    with client() as c:
        assert c.call("health")["status"] == "ok"


@test
def slow_reader_loses_tokens_first():
    with client(60) as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        params = long_generation(500, 100, stream=True, logprobs=20)
        params["prompt"] = prompt(500, 100, pad=4000)
        id = c.request("complete", params)
        with client(60) as other:
            end = time.monotonic() + 60 * PATIENCE
            while other.call("health")["active"] == 0 and time.monotonic() < end:
                time.sleep(0.01)
            while other.call("health")["active"] > 0 and time.monotonic() < end:
                time.sleep(0.05)
        answer, notes = c.response(id)
        assert "result" in answer
        sequence = [n["params"]["seq"] for n in notes]
        assert sequence == sorted(sequence)


@test
def reader_that_never_reads_is_closed():
    """Small requests: at first back-pressure, after 10 s the end."""
    with client(60) as c:
        c.socket.setblocking(False)
        line = (json.dumps(request("r" * 100, "rpc.discover")) + "\n").encode() * 100
        begin, closed = time.monotonic(), False
        while not closed and time.monotonic() - begin < 20 * PATIENCE:
            try:
                c.socket.send(line)
            except BlockingIOError:
                with client() as other:
                    assert other.call("health")["status"] == "ok"
                time.sleep(0.2)
            except (BrokenPipeError, ConnectionResetError):
                closed = True
        assert closed and time.monotonic() - begin > 5, time.monotonic() - begin


# ---- promptness ----

def health_times(n):
    """How long `health` takes, n times, sorted."""
    times = []
    with client() as c:
        for _ in range(n):
            begin = time.monotonic()
            c.call("health")
            times.append(time.monotonic() - begin)
            time.sleep(0.003)
    return sorted(times)


@test
def health_under_load():
    """p99 within 10 ms while everything is busy (one of three tries: others use this machine too)."""
    load = [subprocess.Popen([sys.executable, __file__, "--load", DAEMON.path, kind])
            for kind in ("text", "generation", "generation", "generation")]
    try:
        for _ in range(3):
            time.sleep(0.3)
            times = health_times(400)
            p50, p99 = times[200], times[396]
            print(f"       health p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms")
            if p99 < 0.010 * PATIENCE:
                return
        raise AssertionError(p99)
    finally:
        for process in load:
            process.kill()
            process.wait()


def make_load(path, kind):
    """A process of its own: threads of this one would delay the measurement."""
    with Client(path, 120) as c:
        while True:
            if kind == "text":
                c.response(c.request("tokenize", {"text": "word " * 200_000}))
            else:
                c.response(c.request("complete", long_generation(200, 500, stream=True)))


@test
def garbage_does_no_harm():
    random.seed(11)
    pieces = [b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b"\x00", b"\xff", b'"id":', b"1,", b"null",
              b'{"jsonrpc":"2.0","id":1,"method":"health"}', b'"method":"chat"', b"\r\n"]
    for _ in range(30):
        with client() as c:
            c.send_raw(b"".join(random.choice(pieces) for _ in range(2000)))
            c.half_close()
            try:
                while True:
                    json.loads(c.receive_line())
            except Closed:
                pass
    with client() as c:
        assert c.call("health")["status"] == "ok"


@test
def service_methods():
    with client() as c:
        hello = c.call("hello", {"client": "test", "protocol": 1})
        assert hello["server"] == "plmd" and hello["protocol"] == 1
        assert hello["limits"]["max_line"] == 4 * 1024 * 1024
        assert c.error("hello", {"protocol": 2})["code"] == 1012
        info = c.call("model.info")
        assert info["alias"] == hello["model"]["alias"] and info["n_ctx"] > 0
        assert c.call("model.info", {"model": info["alias"]}) == info
        assert c.error("model.info", {"model": "other"})["code"] == -32602
        stats = c.call("stats")
        assert stats["requests"]["total"] > 0
        assert {m["name"] for m in c.call("rpc.discover")["methods"]} >= {"tool_call", "health"}
        health = c.call("health")
        assert set(health) >= {"status", "uptime_s", "queue_depth", "active", "last_token_age_ms"}


@test
def given_seed_is_echoed_and_drawn_seeds_differ():
    with client() as c:
        params = {"prompt": prompt(), "max_tokens": 2}
        assert c.call("complete", {**params, "seed": 2**53})["seed"] == 2**53
        seeds = {c.call("complete", params)["seed"] for _ in range(5)}
        assert len(seeds) == 5 and all(0 <= s <= 2**53 for s in seeds)


@test
def now_is_echoed():
    with client() as c:
        params = {"prompt": prompt(), "max_tokens": 2}
        assert c.call("chat", {**params, "now": 1234567890})["now"] == 1234567890
        assert abs(c.call("chat", params)["now"] - time.time()) < 5 * PATIENCE


@test
def call_ids_are_unique():
    with client() as c:
        ids = [c.call("tool_call", {"prompt": prompt(), "tools": [{"name": "f"}],
                                    "max_tokens": 40})["calls"][0]["id"] for _ in range(5)]
        assert len(set(ids)) == 5 and all(i.startswith("call_") for i in ids)


if __name__ == "__main__":
    import harness
    if "--load" in sys.argv:
        make_load(*sys.argv[2:])
    if os.path.exists(harness.PLMD) and os.path.exists(harness.MODEL):
        with Daemon() as DAEMON:
            main()
    else:
        main()
