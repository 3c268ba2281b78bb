#!/usr/bin/env python3
"""Tool calls are valid: function-calling cases and PicoClaw's own tools and requests, on the real model
and on one with random weights, every call held against its schema by an independent validator.

A part of the cases with small budgets; PLM_FULL=1 takes all of them.
"""

import json
import os
import sys
import tempfile
import time

import harness
import random_model
from harness import Daemon, Tally, check_error
from schema_oracle import Invalid, Oracle, Unsure

FULL = os.environ.get("PLM_FULL") == "1"
SHARED = os.environ.get("PLM_SHARED", os.path.join(harness.ROOT, "..", "shared"))
DATA = os.path.join(SHARED, "data")
CASES, WINDOW, LAG = 200, 16, 12
LONG = 3000  # characters of tools: the prefill of longer ones takes most of the time
REAL_TOKENS, RANDOM_TOKENS = (512, 512) if FULL else (56, 112)


# ---- cases ----

def spread(items, n):
    """n of the items, evenly."""
    return [items[i * len(items) // n] for i in range(n)] if n < len(items) else items


def lines_of(*path):
    with open(os.path.join(DATA, *path), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def bfcl():
    folder = os.path.join(DATA, "bfcl")
    files = [[c for c in lines_of("bfcl", name) if c.get("tools") and (FULL or not is_long(("", [], c["tools"])))]
             for name in sorted(os.listdir(folder)) if name.endswith(".jsonl")]
    left = CASES
    chosen = []
    for i, cases in enumerate(sorted(files, key=len)):  # what small files lack, large ones give
        part = cases if FULL else spread(cases, left // (len(files) - i))
        left -= len(part)
        chosen += part
    return [(c["id"], c["messages"], c["tools"]) for c in chosen]


def picoclaw():
    """The tool lists whole and one by one, and the captured requests."""
    ask = [{"role": "user", "content": "List the files in the workspace, then remind me in 10 minutes."}]
    cases = []
    for name in sorted(os.listdir(os.path.join(DATA, "picoclaw"))):
        if name.startswith("picoclaw_tools"):
            with open(os.path.join(DATA, "picoclaw", name), encoding="utf-8") as file:
                tools = json.load(file)
            cases.append((name, ask, tools))
            if name in ("picoclaw_tools.json", "picoclaw_tools_variants.json"):
                cases += [(f"{name} {t['function']['name']}", ask, [t]) for t in tools]
    for name in ("picoclaw_requests.jsonl", "small_model_requests.jsonl"):
        for i, request in enumerate(lines_of("picoclaw", name)):
            cases.append((f"{name} {i}", request["body"]["messages"], request["body"]["tools"]))
    return cases


def schemas_of(tools):
    """Name -> schema, whatever the tool's form."""
    plain = [t.get("function", t) for t in tools]
    return {t["name"]: t.get("parameters") or t.get("inputSchema") or {"type": "object"} for t in plain}


# ---- many requests over one connection ----

class Answer:
    def __init__(self, line, texts):
        self.line, self.text = line, "".join(texts)
        message = json.loads(line)
        self.error, self.result = message.get("error"), message.get("result")

    def calls_bytes(self):
        """The arguments as they were sent."""
        found, at, decoder = [], 0, json.JSONDecoder()
        line = self.line.decode()
        while (at := line.find('"arguments":', at)) >= 0:
            at += len('"arguments":')
            end = decoder.raw_decode(line, at)[1]
            found.append(line[at:end])
            at = end
        return found

    def same(self):
        """What the contract promises to be equal for equal requests."""
        r = self.result
        return r and (self.calls_bytes(), [c["name"] for c in r["calls"]], r["content"],
                      r["finish_reason"], r["usage"]["completion_tokens"], r["usage"]["prompt_tokens"])


def run_all(client, requests):
    """Answers of (method, params) in order, WINDOW of them in flight."""
    answers, ids, texts, sent = {}, [], {}, 0
    while len(answers) < len(requests):
        while sent < len(requests) and sent - len(answers) < WINDOW:
            ids.append(client.request(*requests[sent]))
            texts[ids[-1]] = []
            sent += 1
        line = client.receive_line()
        message = json.loads(line)
        if message.get("method") == "token":
            texts[message["params"]["id"]].append(message["params"]["text"])
        else:
            answers[message["id"]] = Answer(line, texts[message["id"]])
    return [answers[id] for id in ids]


# ---- verdicts ----

TALLY = Tally()


def judge_call(call, schemas):
    """None if the call is right, else why not."""
    if call["name"] not in schemas:
        return f"no tool {call['name']}"
    try:
        Oracle(schemas[call["name"]], closed=True).check(call["arguments"])
    except (Invalid, Unsure) as why:
        return f"{call['name']}: {why}: {json.dumps(call['arguments'])}"
    return None


def judge(label, answer, tools, least=1):
    """The answer holds at least so many calls, all of them valid."""
    if answer.error:
        return TALLY.check(False, label, answer.error)
    calls = answer.result["calls"]
    wrong = [why for why in (judge_call(c, schemas_of(tools)) for c in calls) if why]
    expected = {"tool_calls", "length"} if least else {"tool_calls", "stop", "length"}
    return TALLY.check(not wrong and len(calls) >= least and answer.result["finish_reason"] in expected,
                       label, wrong or answer.result)


def params_of(case, **more):
    return {"messages": case[1], "tools": case[2], **more}


def tool_calls(client, requests):
    """Answers to tool_call with these params; a schema that needs more room than max_tokens gets it."""
    answers = run_all(client, [("tool_call", p) for p in requests])
    tight = [i for i, a in enumerate(answers) if a.error and a.error["code"] == 1003]
    roomy = run_all(client, [("tool_call", {**requests[i], "max_tokens": 2048}) for i in tight])
    for i, answer in zip(tight, roomy):
        answers[i] = answer
    return answers


# ---- the tests ----

def test_supported(client, cases):
    """Which cases the engine can honour; at least 99 % of their distinct schemas."""
    schemas = {}
    for _, _, tools in cases:
        for tool in tools:
            schemas.setdefault(json.dumps(list(schemas_of([tool]).values())[0]), tool)
    answers = run_all(client, [("tool_call", {"prompt": "x", "tools": [t], "max_tokens": 24,
                                              "temperature": 0}) for t in schemas.values()])
    refused = set()
    for schema, answer in zip(schemas, answers):
        if answer.error and answer.error["code"] == 1004:
            check_error(answer.error)
            print(f"       unsupported: {answer.error['data']}")
            refused.add(schema)
    n = len(schemas)
    TALLY.check(len(refused) <= n / 100, "supported schemas", f"{len(refused)} of {n} refused")
    print(f"       {n - len(refused)} of {n} distinct schemas supported")
    return [c for c in cases
            if not any(json.dumps(s) in refused for s in schemas_of(c[2]).values())]


def is_long(case):
    return len(str(case[2])) >= LONG


def plan_of(cases, lag):
    """Each case greedily, a little later (its prompt is cached then) at temperature 1, and some of them
    once more, streamed."""
    plan = []
    for i, case in enumerate(cases):
        for turn, temperature in enumerate((0, 1)):
            more = {"max_tokens": REAL_TOKENS, "temperature": temperature, "seed": 7}
            plan.append((i + turn * lag, case, params_of(case, **more)))
            if i % 6 == 0:
                plan.append((i + (2 + turn) * lag, case, params_of(case, **more, stream=True)))
    return [(case, params) for _, case, params in sorted(plan, key=lambda step: step[0])]


def test_real_model(client, cases):
    """All calls valid; the same request again gives the same bytes, from the cache, in the stream too."""
    # Long prompts one by one: together they need more than the cache.
    plan = plan_of([c for c in cases if is_long(c)], 0)
    answers = [tool_calls(client, [params])[0] for _, params in plan]
    short = plan_of([c for c in cases if not is_long(c)], LAG)
    answers += tool_calls(client, [params for _, params in short])
    first, cached, prompts = {}, 0, 0
    for (case, params), answer in zip(plan + short, answers):
        label, key = f"{case[0]} at temperature {params['temperature']}", (id(case), params["temperature"])
        if not judge(label, answer, case[2]) or not params.get("stream"):
            first[key] = answer
            continue
        TALLY.check(first[key].same() == answer.same(), f"{label} again", (first[key].line, answer.line))
        TALLY.check(all(b in answer.text for b in answer.calls_bytes()), f"{label} streamed",
                    (answer.text, answer.line))
        usage = answer.result["usage"]
        cached, prompts = cached + usage["cached_tokens"], prompts + usage["prompt_tokens"]
        TALLY.check(usage["cached_tokens"] > 0, f"{label} cached", usage)
    print(f"       {cached} of {prompts} prompt tokens of the repeated requests were cached")


def test_choices(client, cases):
    few = spread([c for c in cases if not is_long(c)], 24)
    more = {"max_tokens": 48, "temperature": 0}
    for case, answer in zip(few, run_all(client, [
            ("chat", params_of(c, tool_choice="auto", **more)) for c in few])):
        if judge(f"{case[0]} auto", answer, case[2], least=0):
            result = answer.result
            TALLY.check(bool(result["calls"]) or isinstance(result["content"], str),
                        f"{case[0]} auto is text or calls", result)
    for case, answer in zip(few, run_all(client, [
            ("tool_call", params_of(c, tool_choice="none", **more)) for c in few])):
        TALLY.check(answer.result and not answer.result["calls"] and
                    isinstance(answer.result["content"], str) and
                    answer.result["finish_reason"] in ("stop", "length"), f"{case[0]} none", answer.line)
    names = [list(schemas_of(c[2]))[-1] for c in few]
    named = [("tool_call", params_of(c, tool_choice={"name": n}, **{**more, "max_tokens": 512}))
             for c, n in zip(few, names)]
    for case, name, answer in zip(few, names, run_all(client, named)):
        if judge(f"{case[0]} named", answer, case[2]):
            TALLY.check(all(c["name"] == name for c in answer.result["calls"]), f"{case[0]} is {name}",
                        answer.line)


def test_several_calls(client, cases):
    """max_calls: never more, all valid."""
    few = spread([c for c in cases if len(c[2]) > 1 and not is_long(c)], 12)
    for case, answer in zip(few, run_all(client, [
            ("tool_call", params_of(c, max_calls=3, max_tokens=200, temperature=1, seed=3)) for c in few])):
        if judge(f"{case[0]} several", answer, case[2]):
            TALLY.check(len(answer.result["calls"]) <= 3, f"{case[0]} at most 3", answer.line)


def test_random_model(client, cases):
    """At temperature 1 only the grammar keeps it in line."""
    more = {"max_tokens": RANDOM_TOKENS, "temperature": 1, "seed": 11}
    ended = 0
    for case, answer in zip(cases, tool_calls(client, [params_of(c, **more) for c in cases])):
        judge(f"{case[0]} on random weights", answer, case[2])
        ended += bool(answer.result) and answer.result["finish_reason"] == "length"
    print(f"       {ended} of {len(cases)} ended by the budget")
    few = spread(cases, 12)
    styles = [("tool_call", params_of(c, json_style=s, **{**more, "temperature": 3, "max_tokens": 600}))
              for c in few for s in ("spaced", "compact")]
    for (_, params), case, answer in zip(styles, [c for c in few for _ in range(2)],
                                         run_all(client, styles)):
        judge(f"{case[0]} {params['json_style']} at temperature 3", answer, case[2])


def cpu_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(daemon, name, function, *args):
    begin, cpu, failed = time.monotonic(), cpu_seconds(daemon), TALLY.failed
    value = function(*args)
    print(f"{'ok' if TALLY.failed == failed else 'FAILED':6} {name} ({time.monotonic() - begin:.1f} s, "
          f"{cpu_seconds(daemon) - cpu:.1f} s of the daemon's)", flush=True)
    return value


def main():
    for path in (harness.PLMD, harness.MODEL, DATA):
        if not os.path.exists(path):
            print(f"SKIP: {path} is missing\n0 passed, 0 failed")
            return
    cases = bfcl() + picoclaw()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "random.gguf")
        random_model.write(harness.MODEL, path)
        with Daemon(model=path) as daemon, daemon.client(300) as client:
            supported = timed(daemon, "supported", test_supported, client, cases)
            timed(daemon, f"random weights, {len(supported)} cases", test_random_model, client, supported)
        roomy = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > 7 << 30
        with Daemon("--kv-bytes", "2G" if roomy else "512M") as daemon, daemon.client(300) as client:
            timed(daemon, f"real model, {len(supported)} cases twice", test_real_model, client, supported)
            timed(daemon, "choices", test_choices, client, supported)
            timed(daemon, "several calls", test_several_calls, client, supported)
    print(f"{TALLY.passed} passed, {TALLY.failed} failed")
    sys.exit(1 if TALLY.failed else 0)


if __name__ == "__main__":
    main()
