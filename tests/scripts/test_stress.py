#!/usr/bin/env python3
"""Many clients at once, everything mixed: each request is answered once and as it is alone.

PLM_STRESS_CLIENTS (16) clients for PLM_STRESS_SECONDS (20) send what CATALOGUE holds: alone, pipelined
and in batches, streamed, with progress, with deadlines; they cancel, half-close and go away at random.
Every answer is compared with what the same request gave to a single client before: calls, content,
reason, logprobs, token counts. The KV budget is small, so that the cache is evicted all the time; once
it is full, private memory must not grow. A second model, of random weights, is unloaded now and then.
PLM_STRESS_SEED repeats a run's choices; PLM_STRESS_KV (64M) is the KV budget: less for a smaller model.
"""

import collections
import json
import os
import random
import sys
import tempfile
import threading
import time
import traceback

import harness
import random_model
from harness import Client, Closed, Daemon, PATIENCE, check_error, anonymous_kib

CLIENTS = int(os.environ.get("PLM_STRESS_CLIENTS", "16"))
SECONDS = float(os.environ.get("PLM_STRESS_SECONDS", "20"))
SEED = int(os.environ.get("PLM_STRESS_SEED", "1"))
IN_FLIGHT = 4
KV_BYTES = os.environ.get("PLM_STRESS_KV", "64M")
GROWTH_KIB = 8192  # of RssAnon, second half over first
NEVER = (-32603, 1005, 1006, 1007, 1014)


# ---- what is asked ----

def tool(name, about, required=(), **properties):
    return {"name": name, "description": about,
            "parameters": {"type": "object", "properties": properties, "required": list(required)}}


WEATHER = [tool("get_weather", "Current weather of a city", ["city"], city={"type": "string"},
                unit={"enum": ["C", "F"]})]
FILES = [tool("read_file", "Reads a file", ["path"], path={"type": "string", "maxLength": 40}),
         tool("list_dir", "Lists a folder", ["path"], path={"type": "string"},
              depth={"type": "integer", "minimum": 1, "maximum": 9}),
         {"type": "function", "function": tool("remove", "Removes files", ["paths"], paths={
             "type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 3})}]
MANY = WEATHER + FILES + [
    tool("remind", "Reminds the user later", ["when", "text"], text={"type": "string"}, when={
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$"}]}),
    tool("light", "Switches a lamp", ["on"], on={"type": "boolean"},
         color={"type": "object", "properties": {"r": {"type": "integer"}, "g": {"type": "integer"}},
                "required": ["r"], "additionalProperties": False})]
SYSTEM = {"role": "system", "content": "You are a helpful agent on a small machine. " * 12}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
          "required": ["name", "age"]}


def user(text, *before):
    return [*before, {"role": "user", "content": text}]


def generations():
    """Requests that generate."""
    for i, (tools, text) in enumerate(((WEATHER, "What is the weather in Oslo?"), (FILES, "Show /etc/hosts"),
                                       (FILES, "Remove a, b and c"), (MANY, "Light on!"),
                                       (MANY, "Remind me at nine of the cake"))):
        for temperature in (0, 1):
            yield "tool_call", {"messages": user(text, *[SYSTEM] * (i % 2)), "tools": tools,
                                "max_tokens": 64, "temperature": temperature, "seed": 7}
    yield "tool_call", {"prompt": "Two cities, please", "tools": WEATHER, "max_calls": 3, "max_tokens": 90,
                        "temperature": 1, "seed": 3}
    for text in ("Hello!", "Write a poem about rain."):
        yield "chat", {"messages": user(text, SYSTEM), "max_tokens": 24, "temperature": 0}
        yield "chat", {"messages": user(text, SYSTEM), "tools": WEATHER, "max_tokens": 40, "seed": 5}
    yield "chat", {"prompt": "A person", "response_format": {"type": "json_schema", "schema": SCHEMA},
                   "max_tokens": 48, "temperature": 1, "seed": 11}
    for i, text in enumerate(("Once upon a time", "The capital of France is", "1, 2, 3, 4, 5, 6, 7, 8, " * 30)):
        yield "complete", {"prompt": text, "max_tokens": 20, "temperature": 0, "logprobs": i}
        yield "complete", {"prompt": text, "max_tokens": 20, "seed": 9, "top_k": 40, "repeat_penalty": 1.2,
                           "stop": ["\n"]}
    yield "complete", {"prompt": [28, 339, 12] * 40, "max_tokens": 12, "temperature": 0, "echo": True}
    yield "tool_call", {"prompt": "Light on!", "tools": MANY, "max_tokens": 64, "temperature": 1, "model": "noise"}
    yield "complete", {"prompt": "Once upon a time", "max_tokens": 30, "temperature": 1, "model": "noise"}


def others():
    """Text, and what is refused."""
    yield "tokenize", {"text": "some words here " * 2000}
    yield "tokenize", {"text": "é" * 60_000}  # longer than what the loop parses itself
    yield "detokenize", {"tokens": list(range(1000, 1500))}
    yield "count", {"messages": user("Hi", SYSTEM), "tools": MANY}
    yield "render", {"messages": user("Hi"), "tools": WEATHER}
    yield "schema.check", {"schema": SCHEMA, "instance": '{"name": "x", "age": 3}'}
    yield "schema.check", {"tools": MANY, "instance": "{}"}
    yield "tokenize", {"text": "words", "model": "noise"}
    yield "tool_call", {"prompt": "x", "tools": [tool("f", "", x={"type": "string", "pattern": "("})]}
    yield "tool_call", {"prompt": "x", "tools": [tool("f", "", ["x"], x={"not": {}})]}
    yield "tool_call", {"prompt": "x", "tools": [{"name": "f", "parameters": {"type": "nothing"}}]}
    yield "complete", {"prompt": "word " * 20_000, "max_tokens": 5}
    yield "chat", {"prompt": "x", "temperature": 17}
    yield "no.such.method", {}


CATALOGUE = [(method, {"seed": 1, **params}) for method, params in generations()]
N_GENERATIONS = len(CATALOGUE)
CATALOGUE += others()
ASIDE = ["health", "stats", "metrics", "hello", "cache.stats", "model.list", "rpc.discover", "model.unload"]


# ---- what is answered ----

def signature(message):
    """What must be equal: the whole answer but for what time and the cache decide."""
    if "error" in message:
        error = check_error(message["error"])
        return json.dumps([error["code"], error["message"], error.get("data", {})], sort_keys=True)
    result = message["result"]
    if "usage" not in result:
        return json.dumps(result)
    usage = {k: v for k, v in result["usage"].items() if k not in ("cached_tokens", "drafted_tokens",
                                                                  "accepted_tokens")}
    return json.dumps([[(c["name"], c["arguments"]) for c in result["calls"]], result["content"],
                       result["finish_reason"], usage, result.get("logprobs"), result.get("seed"),
                       result.get("warnings")])


class Failure(Exception):
    pass


class Expected:
    """A request in flight."""

    def __init__(self, kind, params):
        self.kind, self.params = kind, params
        self.cancelled = self.confirmed = self.deadline = False
        self.text, self.next_seq, self.n_progress = "", 0, 0


class Session:
    """One connection's life."""

    def __init__(self, path, chance, baseline, tally):
        self.client = Client(path, 120)
        self.chance, self.baseline, self.tally = chance, baseline, tally
        self.pending, self.cancels, self.n = {}, {}, 0

    # -- sending --

    def new_id(self):
        self.n += 1
        return self.n if self.chance.random() < 0.7 else f"id-{self.n}-é"

    def make(self):
        """A request of the catalogue, with what doesn't change its answer."""
        chance = self.chance
        kind = chance.randrange(N_GENERATIONS) if chance.random() < 0.8 else chance.randrange(
            N_GENERATIONS, len(CATALOGUE))
        method, params = CATALOGUE[kind]
        params, expected = dict(params), Expected(kind, params)
        if kind < N_GENERATIONS:
            for name, likely in (("stream", 0.4), ("progress", 0.2)):
                if chance.random() < likely:
                    params[name] = True
            if chance.random() < 0.1:
                params["cache"] = {"store": False}
            if chance.random() < 0.15:
                params["priority"] = "batch"
            if chance.random() < 0.1:
                params["deadline_ms"] = chance.randrange(1, 600)
                expected.deadline = True
        expected.params = params
        id = self.new_id()
        self.pending[id] = expected
        return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}

    def act(self):
        """Sends something."""
        dice = self.chance.random()
        if dice < 0.6:
            self.client.send(self.make())
        elif dice < 0.75:
            self.client.send([self.make() for _ in range(self.chance.randrange(1, IN_FLIGHT + 1))])
        elif dice < 0.85:
            self.ask(self.chance.choice(ASIDE))
        elif self.pending:
            self.cancel(self.chance.choice(list(self.pending)))

    def ask(self, method):
        """Something whose answer is not compared."""
        id = self.client.request(method, {"model": "noise"} if method == "model.unload" else None, id=self.new_id())
        self.pending[id] = Expected(None, {"method": method})

    def cancel(self, target):
        self.pending[target].cancelled = True
        if self.chance.random() < 0.5:
            self.client.notify("$/cancelRequest", {"id": target})
            return
        id = self.client.request("cancel", {"id": target}, id=self.new_id())
        self.cancels[id] = target
        self.pending[id] = Expected(None, {"method": "cancel"})

    # -- receiving --

    def receive(self):
        message = self.client.receive()
        for one in message if isinstance(message, list) else [message]:
            if "method" in one:
                self.notified(one["method"], one["params"])
            else:
                self.answered(one)

    def notified(self, method, params):
        expected = self.pending.get(params["id"])
        if not expected or not expected.params.get("stream" if method == "token" else "progress"):
            raise Failure(f"unasked for: {method} {params}")
        if method == "token":
            if params["seq"] < expected.next_seq:
                raise Failure(f"seq goes back: {params}")
            expected.next_seq = params["seq"] + 1
            expected.text += params["text"]
        else:
            if params["seq"] != expected.n_progress:
                raise Failure(f"progress {expected.n_progress} expected: {params}")
            expected.n_progress += 1

    def answered(self, message):
        expected = self.pending.pop(message["id"], None)
        if expected is None:
            raise Failure(f"not asked, or answered before: {str(message)[:300]}")
        if message["id"] in self.cancels:
            self.confirm(expected, message)
        elif expected.kind is None:
            self.aside(expected, message)
        else:
            self.judge(expected, message)

    def aside(self, expected, message):
        refused = message.get("error", {}).get("code")
        self.tally[expected.params["method"]] += not refused
        busy = refused in (1001, 1005, 1010) and expected.params["method"] == "model.unload"
        if refused and not busy or message.get("result", {}).get("status", "ok") not in ("ok", "loading"):
            raise Failure(f"{expected.params}: {message}")

    def confirm(self, expected, message):
        target = self.pending.get(self.cancels[message["id"]])
        if expected.cancelled and "error" in message:  # it waited for a line being parsed, and was cancelled
            check_error(message["error"], 1010)
            return
        if target and message["result"]["cancelled"]:
            target.confirmed = True

    def judge(self, expected, message):
        code = message.get("error", {}).get("code")
        self.tally[code or "answers"] += 1
        if code in NEVER:
            raise Failure(f"{CATALOGUE[expected.kind][0]} {expected.params}: {message}")
        if code == 1001 or (code == 1002 and expected.deadline) or (code == 1010 and expected.cancelled):
            check_error(message["error"])
            return
        if expected.confirmed:
            raise Failure(f"said to be cancelled, yet answered: {message}")
        if signature(message) != self.baseline[expected.kind]:
            raise Failure(f"{CATALOGUE[expected.kind][0]} {expected.params}: {signature(message)}\n"
                          f"alone: {self.baseline[expected.kind]}")
        content = message.get("result", {}).get("content")
        if expected.params.get("echo"):
            content = content and content[-len(expected.text):]
        if expected.next_seq and content is not None and expected.text != content:
            raise Failure(f"streamed {expected.text!r}, answered {content!r}")

    # -- its course --

    def run(self, until):
        for _ in range(self.chance.randrange(1, 40)):
            if time.monotonic() > until:
                break
            self.act()
            while len(self.pending) > self.chance.randrange(IN_FLIGHT + 1):
                self.receive()
        self.end()

    def end(self):
        dice = self.chance.random()
        if dice < 0.3:  # in the middle of things
            self.tally["went away"] += 1
            self.client.close()
            return
        if dice < 0.7:
            self.client.half_close()
        while self.pending:
            self.receive()
        if dice < 0.7:
            try:
                raise Failure(f"more than was asked: {self.client.receive_line()[:300]!r}")
            except Closed:
                pass
        self.client.close()


# ---- all of it ----

class Crowd:
    """The clients, each a thread."""

    def __init__(self, daemon, baseline):
        self.daemon, self.baseline = daemon, baseline
        self.tally, self.failures = collections.Counter(), []
        self.until = time.monotonic() + SECONDS

    def live(self, number):
        chance, tally = random.Random(SEED * 1000 + number), collections.Counter()
        try:
            while time.monotonic() < self.until and not self.failures:
                tally["sessions"] += 1
                Session(self.daemon.path, chance, self.baseline, tally).run(self.until)
        except Exception:  # noqa: whatever it is, it is told
            self.failures.append(traceback.format_exc())
        self.tally.update(tally)

    def run(self):
        threads = [threading.Thread(target=self.live, args=(i,)) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        sizes = []
        while any(t.is_alive() for t in threads):
            time.sleep(0.5)
            if self.daemon.process.poll() is not None:
                self.failures.append(f"plmd ended: {self.daemon.logged()}")
                print("\n".join(self.failures), flush=True)
                os._exit(1)
            sizes.append((time.monotonic() - self.until + SECONDS, anonymous_kib(self.daemon.process.pid)))
        return sizes


def measure(client):
    """What each request of the catalogue gives alone."""
    found = []
    for method, params in CATALOGUE:
        message, _ = client.response(client.request(method, params), 120)
        if message.get("error", {}).get("code") in NEVER:
            raise Failure(f"{method} {params}: {message}")
        found.append(signature(message))
    return found


def check_same(before, after, why):
    for (method, params), a, b in zip(CATALOGUE, before, after):
        assert a == b, f"{why}: {method} {str(params)[:300]}\n{a}\n{b}"


def check_growth(sizes):
    """Flat once it has warmed up: the second half is no larger than the first."""
    first = [kib for at, kib in sizes if at < SECONDS / 2]
    second = [kib for at, kib in sizes if SECONDS / 2 <= at <= SECONDS]
    if not first or not second:
        return
    print(f"       RssAnon: most {max(first)} KiB in the first half, {max(second)} KiB in the second")
    if PATIENCE == 1:
        assert max(second) <= max(first) + GROWTH_KIB, (max(first), max(second))


def run(folder):
    noise = os.path.join(folder, "noise.gguf")
    random_model.write(harness.MODEL, noise, seed=2)
    with Daemon("--kv-bytes", KV_BYTES, "--model", f"noise={noise}") as daemon:
        with daemon.client(120) as client:
            begin = time.monotonic()
            baseline = measure(client)
            check_same(baseline, measure(client), "not even the same alone")
            print(f"       {len(CATALOGUE)} requests alone, twice: {time.monotonic() - begin:.1f} s", flush=True)
        crowd = Crowd(daemon, baseline)
        sizes = crowd.run()
        print("       " + ", ".join(f"{name}: {n}" for name, n in sorted(crowd.tally.items(), key=str)))
        for failure in crowd.failures[:3]:
            print(failure)
        assert not crowd.failures, f"{len(crowd.failures)} clients failed"
        daemon.idle(60)
        with daemon.client(120) as client:
            stats = client.call("stats")
            print(f"       {stats['cache']}, {stats['kv']}")
            assert stats["cache"]["evictions"] > 0 or harness.IS_FAKE
            check_same(baseline, measure(client), "not the same afterwards")
        check_growth(sizes)


def main():
    for path in (harness.PLMD, harness.MODEL):
        if not os.path.exists(path) or harness.IS_FAKE:
            print(f"SKIP: {path} is missing or no real daemon\n0 passed, 0 failed")
            return
    begin = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            run(folder)
    except Exception:  # noqa: any failure is a failed test
        traceback.print_exc()
        print(f"FAILED stress ({time.monotonic() - begin:.1f} s)\n0 passed, 1 failed")
        sys.exit(1)
    print(f"ok     {CLIENTS} clients ({time.monotonic() - begin:.1f} s)\n1 passed, 0 failed")


if __name__ == "__main__":
    main()
