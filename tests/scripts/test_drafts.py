#!/usr/bin/env python3
"""Drafting changes when an answer comes, never what it is: the same requests to a daemon that drafts
(one after the other, and many at once) and to one with --draft-max 0. All but `id`, times and what was
cached, drafted or accepted must be equal, streamed pieces and log probabilities included."""

import json
import os

import harness
from harness import Daemon, test

SHARED = os.environ.get("PLM_SHARED", os.path.join(harness.ROOT, "..", "shared"))
FULL = os.environ.get("PLM_FULL") == "1"
AT_ONCE = 24
SPEEDS = ("cached_tokens", "drafted_tokens", "accepted_tokens", "steps")

TRIP = {"name": "plan_trip", "description": "Plans a trip between cities", "parameters": {
    "type": "object", "required": ["from", "to", "days"],
    "properties": {"from": {"type": "string"}, "to": {"type": "string"}, "days": {"type": "integer"},
                   "stops": {"type": "array", "items": {"type": "string"}},
                   "price": {"type": "number"}, "class": {"enum": ["first", "second"]},
                   "return": {"type": "boolean"}}}}
NOTE = {"name": "write_note", "parameters": {
    "type": "object", "required": ["text"], "properties": {"text": {"type": "string"}, "title": {"type": "string"}}}}
UNIQUE = {"name": "tag", "parameters": {
    "type": "object", "required": ["tags"],
    "properties": {"tags": {"type": "array", "uniqueItems": True, "items": {"type": "string"}, "maxItems": 4},
                   "not": {"not": {"const": "Paris"}}}}}
ASKED = [
    "Plan a trip from New York City to Los Angeles for 12 days with stops at Santa Barbara and Monterey.",
    "Note 'buy 3 bottles of milk, then call O\\'Brien' and title it \"Errands\".",
    "Set 4 tags: Paris, Paris, London, 7-eleven; see https://example.com/a/b?c=1&d=2.",
    "3 -4 5.25 \u00e9t\u00e9 \u6771\u4eac \"",
    "",
]
PERSON = {"type": "object", "required": ["name", "age"], "properties": {
    "name": {"type": "string", "maxLength": 30}, "age": {"type": "integer"},
    "born": {"type": "string", "format": "date"}}}
FORMATS = [
    {"type": "json_object"}, {"type": "json_schema", "schema": PERSON}, {"type": "json_schema", "schema": True},
    {"type": "regex", "pattern": "[A-Z][a-z]+( [A-Z][a-z]+)* is [0-9]{1,3}\\."},
    {"type": "gbnf", "grammar": 'root ::= ("- " [^\\n]+ "\\n"){3}'},
    {"type": "gbnf", "grammar": 'root ::= s "."\ns ::= [a-zA-Z ]?' +  # its masks leave tokens out
     "".join(f' | "{c}" s "{c}"' for c in "abcdefghijklmnopqrstuvwxyzMALR ")}]
TEXT = "Maria Anna Lindqvist is 43. Repeat: Maria Anna Lindqvist is 43. Again: Maria Anna Lindqvist is"


def ask(text):
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "My name is Robert Schumann."},
            {"role": "assistant", "content": "Hello, Robert Schumann."}, {"role": "user", "content": text}]


def calls():
    for text in ASKED:
        for tools in ([TRIP], [NOTE, TRIP], [UNIQUE]):
            yield "tool_call", {"messages": ask(text), "tools": tools, "max_tokens": 90}
    yield "tool_call", {"messages": ask(ASKED[0]), "tools": [TRIP, NOTE], "max_calls": 3, "max_tokens": 150}
    yield "tool_call", {"messages": ask(ASKED[0]), "tools": [TRIP], "json_style": "compact", "max_tokens": 90}
    for text in ASKED[:2]:
        yield "chat", {"messages": ask(text), "tools": [TRIP, NOTE], "max_tokens": 60}


def texts():
    for form in FORMATS:
        yield "chat", {"messages": ask(TEXT), "response_format": form, "max_tokens": 60}
        yield "complete", {"prompt": TEXT, "response_format": form, "max_tokens": 40}
    for stop in ([], ["Anna", " 4"]):
        yield "complete", {"prompt": TEXT, "max_tokens": 80, "stop": stop}
        yield "chat", {"messages": ask("Say this again, word by word: " + TEXT), "max_tokens": 80, "stop": stop}


def bfcl():
    for name in ("simple_python", "multiple", "live_simple", "parallel"):
        path = os.path.join(SHARED, "data", "bfcl", name + ".jsonl")
        if not os.path.exists(path):
            print("SKIP: no", path)
            continue
        with open(path, encoding="utf-8") as file:
            cases = [json.loads(line) for line in file]
        for case in cases[:: 1 if FULL else 40]:
            yield "tool_call", {"messages": case["messages"], "tools": case["tools"], "max_tokens": 120}


def variants(requests):
    """Each greedy; some also in other ways, which take turns."""
    ways = [{"temperature": 1, "seed": 7}, {"stream": True, "logprobs": 2}, {"max_tokens": 24},
            {"temperature": 1, "seed": 8, "repeat_penalty": 1.3, "top_k": 30, "stream": True},
            {"temperature": 0.7, "seed": 9, "logprobs": 0, "frequency_penalty": 0.5},
            {"max_tokens": 17, "stream": True}]
    for i, (method, params) in enumerate(requests):
        base = {"temperature": 0, "seed": 1, "now": 1700000000, **params}
        yield method, base
        yield method, {**base, **ways[i % len(ways)]}


def essence(message, notes):
    """What must be the same."""
    pieces = [(n["params"]["seq"], n["params"]["text"], n["params"]["tokens"], n["params"].get("logprobs"))
              for n in notes]
    if "error" in message:
        return message["error"]["code"], pieces
    result = dict(message["result"])
    for name in ("timing", "cache"):
        del result[name]
    result["usage"] = {k: v for k, v in result["usage"].items() if k not in SPEEDS}
    result["calls"] = [{k: v for k, v in call.items() if k != "id"} for call in result["calls"]]
    return json.dumps(result, sort_keys=True), pieces


def one_by_one(daemon, requests, usage):
    answers = []
    with daemon.client(60) as c:
        for method, params in requests:
            message, notes = c.response(c.request(method, params))
            answers.append(essence(message, notes))
            for name in SPEEDS if "result" in message else ():
                usage[name] = usage.get(name, 0) + message["result"]["usage"][name]
    return answers


def at_once(daemon, requests):
    answers = {}
    with daemon.client(60) as c:
        ids, notes, sent = {}, {}, 0
        while len(answers) < len(requests):
            while sent < len(requests) and len(ids) < AT_ONCE:
                ids[c.request(*requests[sent])] = sent
                sent += 1
            message = c.receive()
            if "method" in message:
                notes.setdefault(message["params"]["id"], []).append(message)
            else:
                answers[ids.pop(message["id"])] = essence(message, notes.pop(message["id"], []))
    return [answers[i] for i in range(len(requests))]


def compare(requests):
    requests = list(variants(requests))
    fast, slow = {}, {}
    with Daemon("--draft-max", "0") as daemon:
        expected = one_by_one(daemon, requests, slow)
    with Daemon() as daemon:
        alone = one_by_one(daemon, requests, fast)
        together = at_once(daemon, requests)
    for request, want, first, second in zip(requests, expected, alone, together):
        assert first == want, f"drafts changed it: {request}\n{want}\n{first}"
        assert second == want, f"drafts and company changed it: {request}\n{want}\n{second}"
    assert slow["drafted_tokens"] == slow["accepted_tokens"] == 0, slow
    assert 0 < fast["accepted_tokens"] < fast["drafted_tokens"], fast
    assert fast["steps"] < slow["steps"], (fast, slow)
    print(f"       {len(requests)} requests, {slow['steps']} steps, with drafts {fast['steps']}: "
          f"{fast['drafted_tokens']} drafted, {fast['accepted_tokens']} accepted")


@test
def tool_calls():
    compare(calls())


@test
def formats_and_free_text():
    compare(texts())


@test
def function_calling_cases():
    requests = list(bfcl())
    if requests:
        compare(requests)


@test
def less_is_drafted():
    """--draft-max bounds it: one token a pass, and the same answers."""
    requests = [(m, {"temperature": 0, "seed": 1, "now": 1700000000, **p}) for m, p in list(calls())[:6]]
    few, usual = {}, {}
    with Daemon("--draft-max", "1") as daemon:
        answers = one_by_one(daemon, requests, few)
    with Daemon() as daemon:
        assert one_by_one(daemon, requests, usual) == answers
    assert 0 < few["drafted_tokens"] <= few["steps"] + len(requests), few
    assert usual["accepted_tokens"] > few["accepted_tokens"], (usual, few)


harness.main()
