#!/usr/bin/env python3
"""The wire contract's sentences about the other methods; test_protocol.py says where the rest is held.

tokens and text
  tokenize, detokenize, count, render                           text_methods text_refusals
  embed; the managing cache methods                             other_issues_methods
  schema.check                                                  schema_check schema_check_closed schema_check_unsupported
service
  hello: members; never required                                hello
  health: members                                               health (10 ms: test_latency.py)
  stats, metrics                                                stats_and_metrics
  model.list, model.info; several models                        models two_models
  model.unload (admin)                                          unload
  cache.stats                                                   cache_stats
  cancel: {id}, admin {connection, id}, notifications           cancel_of_another_connection (test_wire.py)
  rpc.discover: the same schemas that replies are held against  discover
  log.level, shutdown: admin only                               log_level shutdown admin_only
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import harness
import random_model
from harness import Client, Daemon, IS_FAKE, PATIENCE, check_error, long_generation, main, prompt, test

DAEMON = None
TOOL = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}


def client(timeout=30):
    return DAEMON.client(timeout)


# ---- tokens and text ----

@test
def text_methods():
    with client() as c:
        for text in ("", "Hello, world", "é😀 漢字\n\t ", "a" * 5000, "\x00\x7f"):
            tokens = c.call("tokenize", {"text": text})["tokens"]
            assert c.call("detokenize", {"tokens": tokens}) == {"text": text}, text
            assert tokens == c.call("tokenize", {"text": text, "add_special": False, "parse_special": False})["tokens"]
        assert c.call("detokenize", {"tokens": []}) == {"text": ""}
        if IS_FAKE:
            return
        special = c.call("tokenize", {"text": "<|im_start|>", "parse_special": True})["tokens"]
        assert len(special) == 1 and c.call("detokenize", {"tokens": special})["text"] in ("<|im_start|>", "")
        half = c.call("tokenize", {"text": "😀"})["tokens"][:1]
        assert isinstance(c.call("detokenize", {"tokens": half})["text"], str)
        params = {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}], "tools": [TOOL]}
        rendered = c.call("render", params)["prompt"]
        assert "S" in rendered and "U" in rendered and '"f"' in rendered
        tokens = c.call("tokenize", {"text": rendered, "parse_special": True})["tokens"]
        assert c.call("count", params) == {"tokens": len(tokens)}


@test
def text_refusals():
    with client() as c:
        for method, params, path in (
                ("tokenize", {}, "text"), ("tokenize", {"text": None}, "text"),
                ("tokenize", {"text": "a", "add_special": 1}, "add_special"), ("detokenize", {}, "tokens"),
                ("detokenize", {"tokens": "a"}, "tokens"), ("detokenize", {"tokens": [1, -1]}, "tokens[1]"),
                ("detokenize", {"tokens": [1, 2**31 - 1]}, "tokens[1]"), ("count", {}, "messages"),
                ("render", {"messages": [{"role": "user"}]}, "messages[0].content")):
            error = c.error(method, params)
            assert error["code"] == -32602 and error["data"]["path"] == path, (method, params, error)


@test
def other_issues_methods():
    """Absent so far: refused by name."""
    with client() as c:
        for method in ("embed", "cache.list", "cache.warm", "cache.pin", "cache.unpin", "cache.drop", "cache.flush"):
            error = c.error(method, {})
            assert error["code"] in (-32601, -32602), error
            if error["code"] == -32601:
                assert method in error["message"], error


# ---- schema.check ----

def checked(c, **params):
    return c.call("schema.check", params)


@test
def schema_check():
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}}, "required": ["a"]}
    with client() as c:
        assert checked(c, schema=schema) == {"supported": True, "unsupported": []}
        for instance, accepts, valid in (
                ('{"a":1}', True, True), ('{"a": 1}', True, True), ('{"a": 1, "b": "x"}', True, True),
                ('{"a":1,"b":"x"}', True, True), ('{"a" : 1}', False, True), ('{ "a": 1 }', False, True),
                ('{"a": 1,"b": "x"}', False, True),  # neither style
                ('{"a": "1"}', False, False), ("{}", False, False), ('{"a": 1, "b": "y"}', False, False),
                ('{"a": 1', False, False), ("", False, False), ('{"a": 1} x', False, False)):
            result = checked(c, schema=schema, instance=instance)
            assert result["supported"] and (result["accepts"], result["valid"]) == (accepts, valid), (instance, result)
        assert checked(c, schema=schema, instance='{"a": 1, "zzz": 2}')["valid"], "a schema is open"
        assert checked(c, schema=True, instance="[1]")["valid"]
        assert checked(c, schema={"type": "string"}, instance='"é😀\\n"') == {
            "supported": True, "unsupported": [], "accepts": True, "valid": True}


@test
def schema_check_closed():
    """With tools, as closed as tool_call's."""
    with client() as c:
        for arguments, good in (('{"a": 1}', True), ('{"a": 1, "zzz": 2}', False), ("{}", False)):
            result = checked(c, tools=[TOOL], instance='{"name": "f", "arguments": %s}' % arguments)
            assert (result["accepts"], result["valid"]) == (good, good), (arguments, result)
        assert not checked(c, tools=[TOOL], instance='{"name": "g", "arguments": {"a": 1}}')["valid"]
        if not IS_FAKE:
            call = c.call("tool_call", {"prompt": "x", "tools": [TOOL], "max_tokens": 60})["calls"][0]
            text = json.dumps({"name": call["name"], "arguments": call["arguments"]})
            assert checked(c, tools=[TOOL], instance=text)["accepts"]


@test
def schema_check_unsupported():
    bad = {"properties": {"a": {"$ref": "http://example.com/x"}}}
    with client() as c:
        result = checked(c, schema=bad)
        assert not result["supported"] and set(result["unsupported"][0]) == {"path", "keyword", "reason"}, result
        assert result["unsupported"][0]["keyword"] == "$ref"
        result = checked(c, tools=[TOOL, {"name": "g", "parameters": bad}])
        assert not result["supported"] and result["unsupported"][0]["path"].startswith("tools[1]"), result
        assert c.error("schema.check", {})["code"] == -32602
        assert c.error("schema.check", {"schema": 7})["code"] == -32602
        assert c.error("schema.check", {"schema": {}, "instance": 1})["data"]["path"] == "instance"
        assert c.error("schema.check", {"schema": {"type": "objekt"}})["code"] == -32602


# ---- service ----

@test
def hello():
    with client() as c:
        result = c.call("hello")
        assert set(result) >= {"server", "version", "protocol", "capabilities", "limits", "model"}
        assert result["server"] == "plmd" and result["protocol"] == 1 and isinstance(result["version"], str)
        assert result == c.call("hello", {"client": "me", "protocol": 1}) or "connection" in result
        error = c.error("hello", {"protocol": 99})
        assert error["code"] == 1012 and 1 in error["data"]["supported"], error
        limits = result["limits"]
        assert (limits["connections"], limits["connections_per_uid"], limits["in_flight"]) == (1024, 256, 64)
        assert (limits["queue_jobs"], limits["queue_tokens"]) == (256, 262144)
        assert (limits["output_bytes"], limits["stalled_output_bytes"]) == (8 << 20, 1 << 20)
        assert (limits["stalled_output_s"], limits["partial_line_s"]) == (10, 60)
        assert (limits["schema_bytes"], limits["schema_depth"]) == (256 << 10, 32)
        named = {m["name"] for m in c.call("rpc.discover")["methods"]}
        assert {w for w in result["capabilities"] if "." in w} <= named


@test
def health():
    with client() as c:
        result = c.call("health")
        assert result["status"] == "ok" and result["uptime_s"] > 0
        assert (result["queue_depth"], result["active"]) == (0, 0), result
        c.call("complete", {"prompt": prompt(), "max_tokens": 2})
        time.sleep(0.05)
        assert 0 <= c.call("health")["last_token_age_ms"] < 5000 * PATIENCE
        with client() as busy:
            for i in range(30):
                busy.request("complete", long_generation(500, 2000), id=i)
            until = time.monotonic() + 20 * PATIENCE
            result = c.call("health")
            while result["active"] < 1 and time.monotonic() < until:  # preparing takes its time
                time.sleep(0.05)
                result = c.call("health")
            assert result["active"] >= 1 and result["queue_depth"] + result["active"] == 30, result
    DAEMON.idle(20)


@test
def stats_and_metrics():
    with client() as c:
        before = c.call("stats")
        c.call("tokenize", {"text": "a"})
        after = c.call("stats")
        assert after["requests"]["tokenize"] == before["requests"]["tokenize"] + 1
        assert after["connections"]["open"] >= 1 and after["traffic"]["bytes_in"] > before["traffic"]["bytes_in"]
        text = c.call("metrics")["text"]
        samples = {}
        for line in text.splitlines():
            if line.startswith("#"):
                assert re.match(r"# (HELP|TYPE) [a-z_:][a-z0-9_:]* .+", line), line
                continue
            match = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^{}]*\})?) ([-+.0-9eE]+|NaN)', line)
            assert match, line
            assert match[1] not in samples, line
            samples[match[1]] = float(match[2])
        assert text.endswith("\n") and len(samples) > 10
        assert any("tokenize" in name and value >= 1 for name, value in samples.items()), text
        for name in {re.match("[^{]*", n)[0] for n in samples}:
            assert f"# TYPE {name} " in text, name


@test
def models():
    with client() as c:
        info = c.call("model.info")
        assert set(info) >= {"alias", "path_hash", "architecture", "parameters", "quantization", "n_ctx", "n_vocab",
                             "file_bytes", "kv_type", "isa", "threads"}
        assert c.call("model.list") == {"models": [{"alias": info["alias"], "loaded": True}]}
        assert c.call("model.info", {"model": info["alias"]}) == info
        if not IS_FAKE:
            assert info["file_bytes"] == os.path.getsize(harness.MODEL)


@test
def two_models():
    """Each has its own answers; the first is the default."""
    if IS_FAKE:
        return
    path = os.path.join(tempfile.mkdtemp(prefix="plmd-"), "random.gguf")
    random_model.write(harness.MODEL, path)
    ask = {"prompt": "The capital of France is", "max_tokens": 4, "temperature": 0}
    with Daemon("--model", f"noise={path}", model=f"real={harness.MODEL}") as daemon, daemon.client(60) as c:
        assert [m["alias"] for m in c.call("model.list")["models"]] == ["real", "noise"]
        real, noise = c.call("complete", ask), c.call("complete", {**ask, "model": "noise"})
        assert (real["model"], noise["model"]) == ("real", "noise") and "Paris" in real["content"]
        assert real["content"] != noise["content"]
        assert c.call("complete", {**ask, "model": "real"})["content"] == real["content"]
        for method, params in (("tokenize", {"text": "a"}), ("count", {"prompt": "a"}), ("render", {"prompt": "a"}),
                               ("model.info", {}), ("chat", {"prompt": "a", "max_tokens": 2})):
            c.call(method, {**params, "model": "noise"})
            assert c.error(method, {**params, "model": "other"})["data"]["path"] == "model"
        for i in range(6):
            c.request("complete", {**ask, "max_tokens": 30, "model": ("real", "noise")[i % 2]}, id=i)
        answers = {a["id"]: a["result"] for a in (c.receive() for _ in range(6))}
        assert all(answers[i]["model"] == ("real", "noise")[i % 2] for i in range(6))
        assert answers[0]["content"] == answers[2]["content"] and answers[1]["content"] == answers[3]["content"]
        assert c.error("model.unload", {"model": "other"})["code"] == -32602
        assert c.call("model.unload", {"model": "noise"}) == {"unloaded": True}
        assert c.call("model.list")["models"][1] == {"alias": "noise", "loaded": False}
        again = c.call("complete", {**ask, "model": "noise"})
        assert again["content"] == noise["content"]
    os.unlink(path)


@test
def unload():
    if IS_FAKE:
        return
    with Daemon() as daemon, daemon.client(60) as c:
        alias = c.call("model.info")["alias"]
        ask = {"prompt": "The capital of France is", "max_tokens": 4, "temperature": 0}
        before = c.call("complete", ask)["content"]
        for _ in range(2):
            assert c.call("model.unload", {"model": alias}) == {"unloaded": True}
            assert c.call("complete", ask)["content"] == before


@test
def cache_stats():
    with client() as c:
        before = c.call("cache.stats")
        assert set(before) >= {"entries", "hits", "misses", "evictions", "blocks_total", "blocks_used"}
        for _ in range(2):
            c.call("complete", {"prompt": "cache statistics " * 20, "max_tokens": 2})
        after = c.call("cache.stats")
        assert after["hits"] > before["hits"] or IS_FAKE


# ---- admin ----

@test
def cancel_of_another_connection():
    with client() as a, client() as b:
        serial = a.call("hello").get("connection")
        a.request("complete", long_generation(4000, 2000), id="x")
        time.sleep(0.1)
        assert b.call("cancel", {"id": "x"}) == {"cancelled": False}
        assert b.call("cancel", {"connection": serial, "id": "x"}) == {"cancelled": True}
        error = check_error(a.receive()["error"], 1010)
        assert error["data"]["reason"] == "admin", error
        assert b.call("cancel", {"connection": serial, "id": "x"}) == {"cancelled": False}
        assert b.call("cancel", {"connection": 10**9, "id": "x"}) == {"cancelled": False}


@test
def log_level():
    with Daemon() as daemon, daemon.client() as c:
        for level in ("debug", "error", "warn", "info"):
            assert c.call("log.level", {"level": level}) == {"level": level}
        assert c.error("log.level", {"level": "loud"})["code"] == -32602
        assert c.error("log.level", {})["data"]["path"] == "level"


@test
def shutdown():
    daemon = Daemon()
    with daemon.client() as c, daemon.client() as other:
        c.request("complete", long_generation(200, 1000), id="g")
        time.sleep(0.05)
        assert other.call("shutdown") == {"status": "draining"}
        answer = c.receive()
        assert answer["id"] == "g" and "result" in answer, answer
        c.at_end()
    assert daemon.wait() == 0
    daemon.stop()


AS_NOBODY = """
import json, os, socket, sys
os.setgid(65534); os.setuid(65534)
peer = socket.socket(socket.AF_UNIX); peer.settimeout(20); peer.connect(sys.argv[1])
for line in sys.stdin:
    peer.sendall(line.encode())
    print(peer.makefile().readline(), end="", flush=True)
"""


@test
def admin_only():
    """Another uid may work, but not administer, nor does it share the cache."""
    if os.geteuid() != 0:
        return
    folder = tempfile.mkdtemp(prefix="plmd-")
    os.chmod(folder, 0o755)
    with Daemon(path=os.path.join(folder, "s")) as daemon, daemon.client() as c:
        os.chmod(daemon.path, 0o666)
        ask = {"prompt": "whose cache is it " * 20, "max_tokens": 1, "temperature": 0}
        c.call("complete", ask)
        serial = c.call("hello").get("connection")
        calls = [("log.level", {"level": "debug"}), ("shutdown", {}), ("cancel", {"connection": serial, "id": 1}),
                 ("model.unload", {"model": c.call("model.info")["alias"]}), ("health", {}), ("complete", ask)]
        lines = "".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": m, "params": p}) + "\n"
                        for i, (m, p) in enumerate(calls))
        done = subprocess.run([sys.executable, "-c", AS_NOBODY, daemon.path], input=lines, capture_output=True,
                              text=True, timeout=60 * PATIENCE)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(calls), (answers, done.stderr)
        for answer in answers[:4]:
            check_error(answer["error"], 1008)
        assert answers[4]["result"]["status"] == "ok"
        if not IS_FAKE:
            assert answers[5]["result"]["cache"]["source"] == "none", answers[5]
            assert c.call("complete", ask)["cache"]["source"] == "ram"
        assert c.call("health")["status"] == "ok"


# ---- discover ----

@test
def discover():
    with client() as c:
        document = c.call("rpc.discover")
        assert document["openrpc"].startswith("1.") and document["info"]["version"] == c.call("hello")["version"]
        names = [m["name"] for m in document["methods"]]
        assert len(names) == len(set(names))
        assert set(names) >= {"tool_call", "chat", "complete", "tokenize", "detokenize", "count", "render",
                              "schema.check", "hello", "health", "stats", "metrics", "model.list", "model.info",
                              "model.unload", "cache.stats", "cancel", "rpc.discover", "log.level", "shutdown"}
        text = json.dumps(document)
        for reference in set(re.findall(r'"\$ref": "#/([^"]*)"', text)):
            at = document
            for step in reference.split("/"):
                assert step in at, reference
                at = at[step]
        for method in document["methods"]:
            assert {"name", "params", "result"} <= set(method), method["name"]


if __name__ == "__main__":
    if os.path.exists(harness.PLMD) and os.path.exists(harness.MODEL):
        with Daemon() as DAEMON:
            main()
    else:
        main()
