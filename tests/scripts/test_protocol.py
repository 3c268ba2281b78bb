#!/usr/bin/env python3
"""Every sentence of the wire contract that can be checked, and which test holds it. Here: transport, errors, limits.

w: test_wire.py; l: test_lifecycle.py; s: test_stress.py; y: test_latency.py; p: this script;
c: test_protocol_calls.py; m: test_protocol_methods.py; t: test_calls.py. A sentence in brackets can't be checked.

Transport and framing
  AF_UNIX stream socket; its path: $LISTEN_FDS, else --socket, root's, else the user's
                                                     l.inherited_socket p.socket_places l.default_places
  Mode 0600 (0660 with --socket-group)               l.socket_file
  Clients try --socket, $PLM_SOCKET, ...             p.clients_find_the_socket
  One JSON object a line, UTF-8; \\r\\n and empty lines; no raw newline inside   w.line_ends p.raw_newline
  Longest request line 4 MiB: 1009, id null, rest discarded, lives on   w.too_long_line(_in_pieces) p.max_line_flag
  jsonrpc "2.0" required                             w.version_is_required
  id a string or an integer; without one no reply    w.id_forms w.notifications_get_no_reply
  Two in flight with one id: -32600                  w.same_id_in_flight
  params named; arrays get -32602; unknown members too, but _meta   w.unknown_method_and_params p.unknown_params
  messages, tools and parts may carry other members  c.other_members_are_ignored
  Where it is silent, JSON-RPC 2.0 decides           test_jsonrpc_spec.py
  Batch of 1-64, one array; empty: -32600; members concurrent   w.batches w.batch_members_run_concurrently
  Not JSON, bad UTF-8, NUL, duplicate keys, depth 64: -32700   w.not_json w.bad_bytes w.nesting p.duplicate_keys
  Exactly one response                               s w.exactly_one_response_each l.drain*
  Responses in completion order                      p.completion_order
  Notifications before their response                p.notifications_come_before s
  Half-close: what is in flight is answered          w.half_close*
  A peer that is gone cancels                        w.gone_peer_cancels
  hello, health, ... never wait behind a generation  p.never_wait y
  (fair between connections)                         p.fair_between_connections, test_schedule.c
Errors
  {code, message, data?}; message begins with the name; no bare number 300-599   p.no_bare_numbers, every error here
  -32700 w.not_json  -32600 w.version_is_required  -32601 w.unknown_method_and_params  -32602 p.unknown_params
  -32603 s (never)  1001 w.in_flight_limit  1002 p.deadline_phases  1003 p.context_length  1004 c.refused_schemas
  1005 l.while_loading (fake)  1006 l.drain  1007 (units test_memory)  1008 m.admin_only  1009 w.too_long_line
  1010 w.cancel_in_every_way p.partial  1011 (managing cache methods only)  1012 w.service_methods
  1013 p.template_error  1014 s (never)
Methods                                              c (tool_call, chat, complete), m (the others)
Notifications
  token: seq, whole characters, joins to the text    w.stream_joins_to_the_content p.streams_whole_characters s
  progress: members, phases, every 2 s               p.progress_members w.progress_comes_at_least_every_two_seconds
  Every line under 64 KiB                            p.short_notifications
  Final response complete without them               s
  A slow reader loses token first, then closed       w.slow_reader_loses_tokens_first w.reader_that_never_reads_is_closed
Limits
  connections, per uid                               w.connection_limit
  in flight, queue, queued prompt tokens             w.in_flight_limit w.queue_limit p.queued_tokens
  output buffered                                    w.reader_that_never_reads_is_closed
  a partial line 60 s; no idle timeout               p.partial_line_and_idle
  schema 256 KiB, depth 32                           p.schema_limits
  flags change them, hello says them                 p.max_line_flag
Promises
  Same answer: RAM or computed, alone or batched, streamed or not   s t (disk, speculation: other issues)
  with 1 thread or many                              c.threads_change_nothing
  Finished calls validate                            t
  Special tokens in content are plain text           c.special_tokens_are_plain
  A client never names a file                        c.no_file_is_named
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import harness
import random_model
from harness import Client, Daemon, IS_FAKE, PATIENCE, check_error, long_generation, main, prompt, test

DAEMON = None
WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                                                 "required": ["city"]}}


def client(timeout=30):
    return DAEMON.client(timeout)


def folder():
    return tempfile.mkdtemp(prefix="plmd-")


# ---- where it listens ----

def start(arguments, env=None, user=None, prefix=()):
    return subprocess.Popen([*prefix, harness.PLMD, "--model", harness.MODEL, *arguments], stderr=subprocess.PIPE,
                            env={**os.environ, **(env or {})}, user=user)


def answers_at(path, process):
    """Something answers there soon; then it ends well."""
    end = time.monotonic() + 20 * PATIENCE
    while True:
        try:
            with Client(path) as c:
                assert c.call("health")["status"] in ("ok", "loading")
                break
        except (FileNotFoundError, ConnectionRefusedError):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end, f"nothing at {path}"
            time.sleep(0.01)
    process.terminate()
    assert process.wait(20 * PATIENCE) == 0
    process.stderr.close()


@test
def socket_places():
    """Root's default place, in a mount namespace of its own; a user's; $LISTEN_FDS before --socket."""
    runtime = folder()
    if os.geteuid() == 0:
        os.chmod(runtime, 0o777)
        may = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"], capture_output=True)
        if may.returncode == 0:
            inside = 'mount -t tmpfs none /run && exec "$@"'
            process = start([], prefix=("unshare", "-m", "sh", "-c", inside, "sh"))
            answers_at(f"/proc/{process.pid}/root/run/plmd/plmd.sock", process)
        if subprocess.run(["test", "-r", harness.MODEL, "-a", "-x", harness.PLMD], user=65534).returncode == 0:
            answers_at(runtime + "/plmd/plmd.sock", start([], {"XDG_RUNTIME_DIR": runtime}, user=65534))
    else:
        answers_at(runtime + "/plmd/plmd.sock", start([], {"XDG_RUNTIME_DIR": runtime}))


@test
def clients_find_the_socket():
    plmctl = os.path.join(os.path.dirname(harness.PLMD), "plmctl")
    if not os.path.exists(plmctl):
        return

    def health(*flags, **env):
        return subprocess.run([plmctl, *flags, "health"], capture_output=True, env={**os.environ, **env},
                              timeout=20 * PATIENCE).returncode
    assert health("--socket", DAEMON.path) == 0
    assert health(PLM_SOCKET=DAEMON.path) == 0
    assert health("--socket", DAEMON.path, PLM_SOCKET="/no/such/socket") == 0
    assert health("--socket", "/no/such/socket", PLM_SOCKET=DAEMON.path) != 0
    runtime = folder()
    os.mkdir(runtime + "/plmd")
    os.symlink(DAEMON.path, runtime + "/plmd/plmd.sock")
    assert health(XDG_RUNTIME_DIR=runtime) == 0


# ---- lines ----

@test
def raw_newline():
    with client() as c:
        c.send_raw('{"jsonrpc":"2.0","id":1,\n"method":"health"}\n')
        for _ in range(2):
            answer = c.receive()
            assert answer["id"] is None
            check_error(answer["error"], -32700)
        assert c.call("health")["status"] == "ok"


@test
def duplicate_keys():
    with client() as c:
        for line in ('{"jsonrpc":"2.0","id":1,"id":1,"method":"health"}',
                     '{"jsonrpc":"2.0","id":1,"method":"tokenize","params":{"text":"a","text":"a"}}',
                     '{"jsonrpc":"2.0","id":1,"method":"tokenize","params":{"text":"a","te\\u0078t":"a"}}',
                     '{"jsonrpc":"2.0","id":1,"method":"health","params":{"_meta":[{"a":1,"b":2,"a":1}]}}'):
            c.send_raw(line + "\n")
            answer = c.receive()
            assert answer["id"] is None, answer
            check_error(answer["error"], -32700)


@test
def max_line_flag():
    """A flag changes the limit, hello says it, and 1009 too."""
    with Daemon("--max-line", "64K") as daemon, daemon.client() as c:
        assert c.call("hello")["limits"]["max_line"] == 65536
        c.send_raw("x" * 65537 + "\n")
        answer = c.receive()
        assert answer["id"] is None and check_error(answer["error"], 1009)["data"]["limit"] == 65536
        c.send_raw(" " * 65500 + "\n")
        check_error(c.receive()["error"], -32700)
        assert c.call("health")["status"] == "ok"


@test
def unknown_params():
    """-32602 names the path; _meta is ignored everywhere; positional params are refused."""
    with client() as c:
        for method, params in (("health", {}), ("hello", {}), ("stats", {}), ("tokenize", {"text": "a"}),
                               ("complete", {"prompt": prompt(), "max_tokens": 1}), ("cancel", {"id": 1}),
                               ("tool_call", {"prompt": prompt(), "tools": [WEATHER], "max_tokens": 40})):
            error = c.error(method, {**params, "surprise": 1})
            assert error["code"] == -32602 and error["data"]["path"] == "surprise", (method, error)
            c.call(method, {**params, "_meta": {"progressToken": 7, "surprise": []}})
            c.send({"jsonrpc": "2.0", "id": "array", "method": method, "params": ["a"]})
            check_error(c.response("array")[0]["error"], -32602)
        for path, params in (("tools[1].name", {"prompt": "x", "tools": [WEATHER, {"name": "no spaces"}]}),
                             ("messages[0].role", {"messages": [{"role": "boss", "content": ""}]}),
                             ("cache.pins", {"prompt": "x", "cache": {"pins": True}})):
            error = c.error("chat", params)
            assert error["code"] == -32602 and error["data"]["path"] == path, error


# ---- order ----

@test
def completion_order():
    with client() as c:
        c.request("complete", long_generation(300), id="slow")
        c.request("complete", long_generation(3), id="quick")
        c.request("tokenize", {"text": "abc"}, id="text")
        order = [c.receive()["id"] for _ in range(3)]
        assert order[-1] == "slow", order


@test
def notifications_come_before():
    with client() as c:
        open_ids = set()
        for i in range(6):
            open_ids.add(c.request("complete", long_generation(30, stream=True, progress=True)))
        while open_ids:
            message = c.receive()
            if "method" in message:
                assert message["params"]["id"] in open_ids, message
            else:
                open_ids.remove(message["id"])
        c.silent()


@test
def never_wait():
    """With the queue full of work these are answered first."""
    with client() as busy, client() as c:
        for i in range(64):
            busy.request("complete", long_generation(2000, 2000), id=i)
        for method, params in (("hello", None), ("health", None), ("stats", None), ("metrics", None),
                               ("cancel", {"id": "nothing"}), ("rpc.discover", None)):
            begin = time.monotonic()
            c.call(method, params)
            took = time.monotonic() - begin
            assert took < 1 * PATIENCE, (method, took)
        begin = time.monotonic()
        busy.request("cancel", {"id": 63}, id="c")
        seen = {busy.receive()["id"], busy.receive()["id"]}
        assert seen == {"c", 63} and time.monotonic() - begin < 1 * PATIENCE, seen
    DAEMON.idle(20)


@test
def fair_between_connections():
    """One with 40 requests queued doesn't keep another's one waiting for all of them."""
    with client() as many, client() as one:
        for i in range(40):
            many.request("complete", {**long_generation(120, 2000), "prompt": f"{i} " + prompt(120, 2000)}, id=i)
        many.request("health", id="h")
        assert many.receive()["id"] == "h"
        one.call("complete", {"prompt": prompt(3), "max_tokens": 3})
        many.request("stats", id="s")
        answered = 0
        while many.receive()["id"] != "s":
            answered += 1
        assert answered < 16, answered
    DAEMON.idle(20)


# ---- errors ----

@test
def no_bare_numbers():
    """Whatever the client spelled, no message holds a number that an agent reads as an HTTP status."""
    with client() as c:
        for method, params in (("health", {"404": 1}), ("chat", {"prompt": "x", "logit_bias": {"500": "x"}}),
                               ("chat", {"prompt": "x", "model": "503"}), ("no.500.method", {}), ("429", {}),
                               ("tool_call", {"prompt": "x", "tools": [{"name": "f"}] * 430}),
                               ("tool_call", {"prompt": "x", "tools": [WEATHER], "tool_choice": {"name": "502"}}),
                               ("tokenize", {"text": "x", " 401 ": 1}),
                               ("chat", {"messages": [{"role": "user", "content": "a"}] * 408 + [{"role": 1}]}),
                               ("detokenize", {"tokens": [1] * 410 + [-1]}),
                               ("tool_call", {"prompt": "x", "tools": [
                                   {"name": "f", "parameters": {"properties": {"418": {"type": 3}}}}]})):
            c.error(method, params)  # contract.py looks at the message


@test
def deadline_phases():
    with client() as c:
        asked = long_generation(4000, 2000)
        error = c.error("complete", {**asked, "deadline_ms": 300})
        assert error["code"] == 1002 and error["data"]["phase"] in ("prefill", "decode"), error
        if error["data"]["phase"] == "decode":
            partial = error["data"]["partial"]
            assert partial["usage"]["completion_tokens"] > 0 and isinstance(partial["content"], str), partial
            whole = c.call("complete", {**asked, "max_tokens": partial["usage"]["completion_tokens"]})
            assert whole["content"].startswith(partial["content"])
        if not IS_FAKE:
            error = c.error("complete", {"prompt": "a b c d " * 900, "deadline_ms": 60})
            assert error["code"] == 1002 and error["data"]["phase"] in ("queued", "prefill"), error


@test
def partial():
    with client() as c:
        c.request("complete", long_generation(2000, 2000, stream=True), id="g")
        while c.receive()["params"]["seq"] < 3:
            pass
        c.request("cancel", {"id": "g"}, id="c")
        answers, text = {}, ""
        while len(answers) < 2:
            message = c.receive()
            if "method" not in message:
                answers[message["id"]] = message
        error = check_error(answers["g"]["error"], 1010)
        assert error["data"]["reason"] == "client" and error["data"]["partial"]["content"], error


@test
def context_length():
    if IS_FAKE:
        return
    with client() as c:
        n_ctx = c.call("model.info")["n_ctx"]
        text = "word " * (n_ctx + 100)
        error = c.error("complete", {"prompt": text, "max_tokens": 5})
        assert error["code"] == 1003 and "maximum context length" in error["message"], error
        data = error["data"]
        assert data["n_ctx"] == n_ctx and data["prompt_tokens"] == len(c.call("tokenize", {"text": text})["tokens"])
        assert data["max_tokens"] == 5
        assert c.error("tool_call", {"prompt": text, "tools": [WEATHER], "overflow": "error"})["code"] == 1003


@test
def template_error():
    """A model without a chat template: complete works, messages don't."""
    if IS_FAKE:
        return
    path = os.path.join(folder(), "plain.gguf")
    random_model.write(harness.MODEL, path)
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(data.replace(b"tokenizer.chat_template", b"tokenizer.chat_tEMPLATE"))
    with Daemon(model=path) as daemon, daemon.client() as c:
        for method, params in (("chat", {"prompt": "x"}), ("tool_call", {"prompt": "x", "tools": [WEATHER]}),
                               ("render", {"prompt": "x"}), ("count", {"prompt": "x"})):
            assert c.error(method, params)["code"] == 1013
        assert c.call("complete", {"prompt": "x", "max_tokens": 3})["usage"]["completion_tokens"] == 3
    os.unlink(path)


# ---- notifications ----

@test
def streams_whole_characters():
    """Tokens that end inside a character wait for the rest of it."""
    if IS_FAKE:
        return
    value = "é😀漢字ñ🏳️‍🌈" * 3
    with client() as c:
        for params in ({"response_format": {"type": "json_schema", "schema": {"enum": [value]}}},
                       {"response_format": {"type": "json_schema", "schema": {"enum": [value, value[:9] + "x"]}}},
                       {"temperature": 5, "top_k": 0, "top_p": 1, "min_p": 0, "seed": 5}):
            answer, notes = c.response(c.request("chat", {"prompt": "x", "max_tokens": 150, "stream": True, **params}))
            texts = [n["params"]["text"] for n in notes]
            tokens = [t for n in notes for t in n["params"]["tokens"]]
            assert "".join(texts) == answer["result"]["content"]
            assert [n["params"]["seq"] for n in notes] == list(range(len(notes)))
            assert len(tokens) in (answer["result"]["usage"]["completion_tokens"],
                                   answer["result"]["usage"]["completion_tokens"] - 1), "the end token has no text"


@test
def short_notifications():
    """However much the grammar forces at once, and with logprobs."""
    if IS_FAKE:
        return
    value = "lorem ipsum dolor " * 400
    with client() as c:
        id = c.request("chat", {"prompt": "x", "max_tokens": 8000, "stream": True, "logprobs": 20, "response_format": {
            "type": "json_schema", "schema": {"enum": [value, value + "!"]}}})
        text = ""
        while True:
            line = c.receive_line(60)
            message = json.loads(line)
            if "method" not in message:
                break
            assert len(line) < 65536, len(line)
            text += message["params"]["text"]
        assert json.loads(message["result"]["content"]) in (value, value + "!") and message["id"] == id
        assert text == message["result"]["content"]


@test
def progress_members():
    with client() as c:
        answer, notes = c.response(c.request("complete", long_generation(60, 5000, progress=True)))
        assert "result" in answer and notes
        phases = []
        for i, note in enumerate(notes):
            assert set(note) == {"jsonrpc", "method", "params"} and note["method"] == "progress"
            params = note["params"]
            assert set(params) <= {"id", "seq", "phase", "done", "total", "queue_position", "eta_ms"}, params
            assert params["seq"] == i and 0 <= params["done"] <= params["total"], params
            phases.append(["queued", "prefill", "decode"].index(params["phase"]))
        assert phases == sorted(phases), phases


# ---- limits ----

@test
def schema_limits():
    if IS_FAKE:
        return

    def of(schema):
        return {"prompt": "x", "max_tokens": 4096,
                "tools": [{"name": "f", "parameters": {"type": "object", "properties": {"a": schema}}}]}
    nested = {"type": "integer"}
    for _ in range(30):
        nested = {"items": nested}
    with client() as c:
        error = c.error("tool_call", of({"enum": ["y" * 262_144]}))
        assert error["code"] == 1004 and error["data"]["reason"] == "too_large", error
        assert set(error["data"]) >= {"path", "keyword", "reason"}
        for _ in range(3):
            nested = {"items": nested}
        error = c.error("tool_call", of(nested))
        assert error["code"] == 1004, error


@test
def queued_tokens():
    """More prompt tokens than the queue takes."""
    if IS_FAKE:
        return
    with client(60) as c:
        n_ctx = c.call("model.info")["n_ctx"]
        c.call("complete", {"prompt": "word " * 3, "max_tokens": 1})
        for i in range(60):
            c.request("complete", {"prompt": f"{i} " + "word " * (n_ctx - 200), "max_tokens": 100}, id=i)
        answer = c.receive()
        error = check_error(answer["error"], 1001)
        assert set(error["data"]) >= {"retry_after_ms", "queue_depth"} and "tokens" in error["message"], error
    DAEMON.idle(30)


@test
def partial_line_and_idle():
    """An unfinished line is given its time (60 s by default; here 1 s); who says nothing may stay."""
    with Daemon("--line-timeout", "1") as daemon, daemon.client() as quiet, daemon.client() as c:
        assert quiet.call("hello")["limits"]["partial_line_s"] == 1
        c.request("complete", long_generation(20), id="before")
        c.send_raw('{"jsonrpc":"2.0","id":1,')
        begin = time.monotonic()
        answers = [c.receive(), c.receive()]  # what came before is answered all the same
        assert time.monotonic() - begin > 0.9
        by_id = {a["id"]: a for a in answers}
        assert "result" in by_id["before"] and "error" in by_id[None], answers
        c.at_end()
        time.sleep(1)
        assert quiet.call("health")["status"] == "ok"


if __name__ == "__main__":
    if os.path.exists(harness.PLMD) and os.path.exists(harness.MODEL):
        with Daemon() as DAEMON:
            main()
    else:
        main()
