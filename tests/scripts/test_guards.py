#!/usr/bin/env python3
"""Generation under guards, on a model with random weights: what is returned as finished is valid, with
every budget and temperature; what can't be finished says so; the same request gives the same bytes alone,
among others, from the cache, with one thread and with two; nothing that was streamed is taken back.
"""

import json
import os
import tempfile

import harness
import random_model
from harness import Daemon, main, test

INTEGERS = {"type": "integer"}
ARRAY = {"type": "array"}

SCHEMAS = {  # each with whether a short value certainly passes
    "contains": ({**ARRAY, "items": {"enum": [1, 2, "x"]}, "contains": {"const": "x"}, "minContains": 2}, True),
    "max contains": ({**ARRAY, "items": {"enum": [1, 2]}, "contains": {"const": 2}, "maxContains": 1, "minItems": 3,
                      "maxItems": 5}, True),
    "unique integers": ({**ARRAY, "items": {**INTEGERS, "minimum": 0, "maximum": 11}, "uniqueItems": True,
                         "minItems": 4}, True),
    "all of few": ({**ARRAY, "items": {"enum": [[1], [2], {"a": 1}]}, "uniqueItems": True, "minItems": 3}, True),
    "unique objects": ({**ARRAY, "items": {"type": "object", "properties": {"a": {"enum": [0, 1, 2]}},
                                           "required": ["a"], "additionalProperties": False},
                        "uniqueItems": True, "minItems": 3}, True),
    "not a multiple": ({**INTEGERS, "minimum": 3, "not": {"multipleOf": 3}}, True),
    "one of multiples": ({**INTEGERS, "minimum": 1, "maximum": 99, "oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]},
                         True),
    "nested": ({**ARRAY, "items": {**ARRAY, "items": {"enum": [0, 1]}, "contains": {"const": 1}, "maxItems": 3},
                "uniqueItems": True, "minItems": 2, "maxItems": 4}, True),
    "inside anyOf": ({"anyOf": [{"type": "string", "maxLength": 4, "not": {"enum": ["a", ["b"]]}},
                                {**ARRAY, "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 1}]}, True),
    "unevaluated": ({"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"],
                     "anyOf": [{"properties": {"x": INTEGERS}, "required": ["x"]},
                               {"properties": {"y": {"type": "null"}}, "required": ["y"]}],
                     "unevaluatedProperties": False}, True),
    "a document": ({"type": "string", "contentMediaType": "application/json", "maxLength": 60}, False),
    "an encoded one": ({"type": "string", "contentMediaType": "application/json", "contentEncoding": "base64"}, False),
    "two contain": ({**ARRAY, "allOf": [{"contains": {"const": 1}}, {"contains": {"const": 2}}],
                     "items": {"enum": [1, 2, 3]}, "maxItems": 4}, False),
    "never": ({**INTEGERS, "not": {"multipleOf": 1}}, False),
    "never inside": ({**ARRAY, "items": {**INTEGERS, "not": {"multipleOf": 1}}}, True),
    "hardly ever": ({"type": "string", "maxLength": 3, "not": {"not": {"oneOf": [
        {"enum": ["ab", [1]]}, {"enum": ["cd", [2]]}]}}}, False),
}
SAMPLES = [(temperature, seed, budget) for temperature, seed in ((0, 1), (1, 2), (2, 3))
           for budget in (40, 160)]


def request(schema, temperature, seed, budget, **more):
    return "complete", {"prompt": "values: ", "response_format": {"type": "json_schema", "schema": schema},
                        "temperature": temperature, "seed": seed, "max_tokens": budget, **more}


def same(result):
    usage = {k: result["usage"][k] for k in ("prompt_tokens", "completion_tokens", "forced_tokens")}
    return json.dumps([result["content"], result["finish_reason"], usage, result.get("logprobs")])


def valid(client, schema, text):
    verdict = client.call("schema.check", {"schema": schema, "instance": text})
    assert verdict["supported"] and verdict["valid"] == verdict["accepts"], verdict
    return verdict["valid"]


class Pair:
    """The random model behind two daemons, which differ in threads, batch and in whether grammars are kept."""

    daemons = None

    @classmethod
    def clients(cls):
        if cls.daemons is None:
            cls.folder = tempfile.TemporaryDirectory()
            path = os.path.join(cls.folder.name, "random.gguf")
            random_model.write(harness.MODEL, path)
            cls.daemons = [Daemon("--threads", "1", model=path),
                           Daemon("--threads", "2", "--grammar-bytes", "1K", model=path)]
        return [daemon.client(120) for daemon in cls.daemons]


def check(client, name, result, budget):
    schema, short = SCHEMAS[name]
    content, reason, tokens = result["content"], result["finish_reason"], result["usage"]["completion_tokens"]
    assert tokens <= budget, (name, result)
    if reason == "stop":
        assert valid(client, schema, content), (name, content)
    elif reason == "length":
        assert not short or valid(client, schema, content), (name, content)
    else:
        assert reason == "invalid" and content is None and not short, (name, result)


@test
def finished_is_valid():
    one, _ = Pair.clients()
    seen = set()
    for name, (schema, _) in SCHEMAS.items():
        for sample in SAMPLES:
            result = one.call(*request(schema, *sample))
            check(one, name, result, sample[2])
            seen.add((name, result["finish_reason"]))
    assert ("never", "stop") not in seen and ("never inside", "length") in seen, seen
    assert len([1 for _, reason in seen if reason == "stop"]) >= 10, seen
    one.close()


@test
def tools_too():
    """A guarded member of a tool's arguments: a call is complete or is not there."""
    one, _ = Pair.clients()
    for name, (schema, short) in SCHEMAS.items():
        tool = {"name": "f", "parameters": {"type": "object", "properties": {"v": schema, "w": {"enum": [1]}},
                                            "required": ["v", "w"]}}
        for temperature, seed in ((1, 5), (2, 6)):
            result = one.call("tool_call", {"prompt": "x", "tools": [tool], "temperature": temperature,
                                            "seed": seed, "max_tokens": 90})
            assert len(result["calls"]) == 1 or not short, (name, result)
            for call in result["calls"]:
                value = json.dumps(call["arguments"]["v"])
                assert one.call("schema.check", {"schema": schema, "instance": value})["valid"], (name, call)
            assert result["calls"] or result["finish_reason"] in ("invalid", "length"), (name, result)
    one.close()


@test
def always_the_same():
    """Alone, again (from the cache), with another number of threads, among all the others at once."""
    one, two = Pair.clients()
    plan = [(name, sample) for name in SCHEMAS for sample in SAMPLES[1::2]]
    more = {"logprobs": 2}
    alone = [same(one.call(*request(SCHEMAS[name][0], *sample, **more))) for name, sample in plan]
    again = [same(one.call(*request(SCHEMAS[name][0], *sample, **more))) for name, sample in plan]
    ids = [two.request(*request(SCHEMAS[name][0], *sample, **more)) for name, sample in plan]
    answers = {}
    while len(answers) < len(ids):
        message = two.receive()
        answers[message["id"]] = same(message["result"])
    for i, (name, sample) in enumerate(plan):
        assert alone[i] == again[i] == answers[ids[i]], (name, sample, alone[i], again[i], answers[ids[i]])
    kept, never = one.call("stats")["grammars"], two.call("stats")["grammars"]
    assert kept["hits"] >= len(plan) and kept["entries"] and kept["bytes"], kept
    assert never["hits"] == never["entries"] == never["bytes"] == 0 and never["misses"] >= len(plan), never
    one.close()
    two.close()


@test
def streamed_is_final():
    """The texts of the stream, joined, are the answer, and so are its tokens; some answers went back."""
    one, _ = Pair.clients()
    for name, (schema, _) in SCHEMAS.items():
        for sample in SAMPLES:
            plain = one.call(*request(schema, *sample))
            message, notes = one.response(one.request(*request(schema, *sample, stream=True)))
            result = message["result"]
            assert same(result) == same(plain), (name, sample, result, plain)
            text = "".join(n["params"]["text"] for n in notes)
            n_tokens = sum(len(n["params"]["tokens"]) for n in notes)
            if result["content"] is not None:
                assert text == result["content"], (name, sample, text, result["content"])
            assert n_tokens == result["usage"]["completion_tokens"], (name, sample, notes, result)
    one.close()


@test
def goes_back():
    """Three of three in any order: the random model runs into dead ends, and gets out of them."""
    one, _ = Pair.clients()
    digits = {**ARRAY, "items": {**INTEGERS, "minimum": 10, "maximum": 13}, "uniqueItems": True, "minItems": 4}
    back = 0
    for seed in range(20):
        result = one.call(*request(digits, 1, seed, 60))
        assert result["finish_reason"] in ("stop", "length"), result
        assert sorted(json.loads(result["content"])) == [10, 11, 12, 13], result
        free = result["usage"]["completion_tokens"] - result["usage"]["forced_tokens"]
        back += result["usage"]["steps"] > free
    print(f"       {back} of 20 took a choice back")
    assert back, "no answer went back"
    one.close()


@test
def first_choice_taken_back():
    """The first token is chosen by the logits of the prompt's last one, whose KV block others share."""
    one, _ = Pair.clients()
    twenties = {**INTEGERS, "minimum": 10, "maximum": 29, "not": {"multipleOf": 1, "maximum": 19}}
    again = 0
    for seed in range(8):
        for length in (63, 64, 65):
            prompt = list(range(500 + 99 * seed, 500 + 99 * seed + length))  # not seen before
            params = {"prompt": prompt, "max_tokens": 12, "temperature": 1, "seed": seed,
                      "response_format": {"type": "json_schema", "schema": twenties}}
            first = one.call("complete", params)
            assert first["finish_reason"] in ("stop", "length") and 20 <= float(first["content"]) < 30, first
            ids = [one.request("complete", params) for _ in range(3)]
            answers = {message["id"]: message["result"] for message in (one.receive() for _ in ids)}
            for id in ids:
                assert same(answers[id]) == same(first), (length, seed, first, answers[id])
            again += first["usage"]["steps"] > 16
    assert again, "the first choice was never taken back"
    one.close()


@test
def stops():
    for daemon in Pair.daemons or ():
        status, log = daemon.stop()
        assert status == 0, log
    if Pair.daemons:
        Pair.folder.cleanup()


if __name__ == "__main__":
    main()
