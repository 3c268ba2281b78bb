#!/usr/bin/env python3
"""plm-schema-bench, whose figures are published, against a running daemon's schema.check: a sample of the shared
schemas must get the same verdicts from both, whether of tokens through masks or of the text."""

import glob
import json
import os
import subprocess
import sys
import tempfile

import harness
from harness import Daemon, IS_FAKE, MODEL, main, test

BENCH = os.path.join(harness.BUILD, "plm-schema-bench")
SHARED = os.environ.get("PLM_SHARED", os.path.join(harness.ROOT, "..", "shared"))
SETS = {"tools/mcpm": 40, "tools/openapi_openai": 20, "jsonschemabench/Github_easy": 40,
        "jsonschemabench/Github_medium": 40, "jsonschemabench/JsonSchemaStore": 25,
        "json-schema-test-suite/draft2020-12": 9, "json-schema-test-suite/draft7": 7}
NOT_REQUIRED = ("optional/", "dynamicRef", "refRemote", "unevaluated", "vocabulary")  # of draft 2020-12's suite
MEMBERS = {"schemas", "compiled", "passing", "valid", "valid_accepted", "invalid", "invalid_rejected",
           "false_accepts", "compile_us", "mask_us"}
KNOWN = [  # (schema, valid instances, invalid ones)
    ({"type": "integer", "minimum": 3}, [3, 40], [2, "3"]),
    ({"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}, "required": ["a"]},
     [{"a": "ößü"}, {"a": "", "b": [1, None]}], [{}, {"a": "long"}, {"a": 1}]),
    ({"enum": ["x", 1, None]}, ["x", 1, None], ["y", 2, False])]


def sample():
    """Lines of every set, evenly spaced, in the spelling of Python's numbers."""
    for name, step in SETS.items():
        path = os.path.join(SHARED, "data", name + ".jsonl")
        if not os.path.exists(path):
            print(f"SKIP: no {path}")
            continue
        with open(path, encoding="utf-8") as file:
            for i, text in enumerate(file):
                line = json.loads(text) if i % step == 3 else {}
                if line.get("tests"):
                    yield {"id": line["id"], "schema": line.get("schema", line.get("parameters")),
                           "tests": [{"valid": t["valid"], "data": t["data"]} for t in line["tests"]]}


def run(lines, *flags):
    """The verdicts by id, and the last line."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        got = subprocess.run([BENCH, "-m", MODEL, "--verdicts", "-o", "json", *flags, file.name], timeout=300,
                             capture_output=True, text=True)
        assert got.returncode == 0, (got.returncode, got.stderr)
        *verdicts, last = map(json.loads, got.stdout.splitlines())
        assert list(last["files"]) == [file.name]
        assert {**last["files"][file.name]} == last["all"], "one file is all of it"
    return {v["id"]: v for v in verdicts}, last["all"]


def known_lines():
    return [{"id": f"known{i}", "schema": schema,
             "tests": [{"valid": True, "data": d} for d in good] + [{"valid": False, "data": d} for d in bad]}
            for i, (schema, good, bad) in enumerate(KNOWN)]


@test
def counts():
    for style in ("spaced", "compact"):
        verdicts, every = run(known_lines(), "--style", style)
        assert MEMBERS <= set(every) and {"p50", "p90", "p99", "p99.9", "max"} <= set(every["mask_us"])
        assert (every["schemas"], every["compiled"], every["passing"]) == (3, 3, 3), every
        assert (every["valid"], every["valid_accepted"]) == (7, 7), every
        assert (every["invalid"], every["invalid_rejected"], every["false_accepts"]) == (8, 8, 0), every
        assert all(v["passes"] for v in verdicts.values()), verdicts


@test
def wrong_claims_are_counted():
    """`valid` has no influence: turned around, every instance gets the same verdict and every schema fails."""
    lines = known_lines()
    right, _ = run(lines)
    for line in lines:
        for one in line["tests"]:
            one["valid"] = not one["valid"]
    verdicts, every = run(lines)
    assert {i: v["accepted"] for i, v in verdicts.items()} == {i: v["accepted"] for i, v in right.items()}
    assert (every["passing"], every["valid_accepted"], every["false_accepts"]) == (0, 0, 7), every
    assert every["false_accept_ids"] == ["known0", "known1", "known2"], every


@test
def closed_objects():
    lines = [{"id": "o", "schema": {"type": "object", "properties": {"a": {}}},
              "tests": [{"valid": True, "data": {"a": 1}}, {"valid": False, "data": {"b": 1}}]}]
    assert run(lines)[0]["o"]["accepted"] == [True, True]
    assert run(lines, "--closed")[0]["o"]["accepted"] == [True, False]


@test
def refusals_are_named():
    lines = [{"id": "far", "schema": {"properties": {"a": {"$ref": "http://example.com/x"}}}, "tests": [{"valid": True, "data": {}}]}]
    verdicts, every = run(lines)
    assert (every["schemas"], every["compiled"], every["passing"], every["valid"]) == (1, 0, 0, 0), every
    assert verdicts["far"]["keyword"] == "$ref" and verdicts["far"]["path"] == "/properties/a/$ref", verdicts


@test
def same_verdicts_as_the_daemon():
    lines = list(sample()) + known_lines()
    verdicts, every = run(lines)
    asked = 0
    assert len(verdicts) == len(lines)
    with Daemon(model=f"m={MODEL}") as daemon, daemon.client(60) as client:
        for line in lines:
            mine = verdicts[line["id"]]
            for one, accepted in zip(line["tests"], mine["accepted"], strict=True):
                text = json.dumps(one["data"], ensure_ascii=False)
                theirs = client.call("schema.check", {"schema": line["schema"], "instance": text})
                assert theirs["supported"] == mine["compiled"], (line["id"], theirs, mine)
                both = theirs.get("accepts", False) and theirs.get("valid", False)
                assert both == accepted, (line["id"], text, theirs, accepted)
                asked += 1
    print(f"     {asked} instances of {len(lines)} schemas, {every['passing']} pass")
    assert asked > 20


def verdicts_of(*patterns):
    """The verdicts on whole files of the shared data, as they are; None where there are none."""
    paths = [path for pattern in patterns for path in sorted(glob.glob(os.path.join(SHARED, "data", pattern)))]
    if not paths:
        print(f"SKIP: no {patterns[0]}")
        return None
    got = subprocess.run([BENCH, "-m", MODEL, "--verdicts", "-o", "json", *paths], timeout=600, capture_output=True,
                         text=True)
    assert got.returncode == 0, (got.returncode, got.stderr)
    *verdicts, last = map(json.loads, got.stdout.splitlines())
    assert last["all"]["false_accepts"] == 0, last["all"]["false_accept_ids"]
    return verdicts, last["all"]


@test
def every_real_tool():
    """Public tools and function-calling cases: each schema compiles, each instance gets its verdict."""
    got = verdicts_of("tools/*.jsonl", "bfcl/*.jsonl")
    if got:
        assert got[1]["passing"] == got[1]["schemas"] > 0, [v["id"] for v in got[0] if not v["passes"]]


@test
def nearly_every_benchmark_schema():
    got = verdicts_of("jsonschemabench/*.jsonl")
    if got:
        assert got[1]["passing"] >= 0.97 * got[1]["schemas"] > 0, got[1]


@test
def draft_2020_12():
    """Of the required groups most pass, and the others are refused by name: none is taken for something else."""
    got = verdicts_of("json-schema-test-suite/*.jsonl")
    groups = [v for v in got[0] if v["id"].startswith("draft2020-12/")
              and not v["id"].split("/", 1)[1].startswith(NOT_REQUIRED)] if got else []
    if groups:
        assert sum(v["passes"] for v in groups) >= 0.85 * len(groups), groups
        assert not [v["id"] for v in groups if v["compiled"] and not v["passes"]]
        assert all(v["code"] == 1004 and v["message"] for v in groups if not v["compiled"])


if __name__ == "__main__":
    if IS_FAKE or not os.path.exists(MODEL):
        print("SKIP: this needs a real model")
        print("0 passed, 0 failed")
        sys.exit(0)
    main()
