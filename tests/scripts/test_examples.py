#!/usr/bin/env python3
"""The examples of every method file, asked of a running daemon: what the files promise is what comes.

What time, load or chance decide is not compared, only held against the method's schema (by the harness,
as everything). `test_examples.py --update` writes what comes into the files, after a model or its
arithmetic has changed on purpose. Also: the man page made of the files.
"""

import json
import os
import shutil
import subprocess
import sys

import contract
import harness
from harness import CONTRACT, Daemon, IS_FAKE, MODEL, check_error, main, test

ALIAS = "smollm2"
EXACT = os.path.basename(MODEL) == "SmolLM2-135M-Instruct.Q4_1.gguf"
GENERATIONS = {"tool_call", "chat", "complete"}
VARY = {"hello", "health", "stats", "metrics", "cache.stats", "model.info", "rpc.discover"}  # by their nature


def settled(method, params, result):
    """The part of a result that does not vary."""
    if method in VARY:
        return sorted(result) if method in ("health", "stats", "cache.stats", "model.info") else None
    if method not in GENERATIONS:
        return result
    kept = {name: result.get(name) for name in ("content", "finish_reason", "logprobs", "model")}
    kept["calls"] = [{**call, "id": ""} for call in result["calls"]]
    kept["seed"] = result["seed"] if "seed" in params else None
    return {**kept, **{name: result["usage"][name] for name in ("prompt_tokens", "completion_tokens")}}


def ask(client, method, example):
    params = example["params"]
    if "error" in example:
        error = client.error(method, params)
        check_error(error, example["error"]["code"])
        assert error.get("data", {}).get("path", "") == example["error"].get("path", ""), (error, example)
        return None
    result = client.call(method, params)
    if EXACT:
        got, wanted = settled(method, params, result), settled(method, params, example["result"])
        assert got == wanted, f"{method}: {json.dumps(got)} instead of {json.dumps(wanted)}"
    return result


def methods():
    return sorted(CONTRACT.methods, key=lambda name: (name == "shutdown", name))


def serve():
    return Daemon(model=f"{ALIAS}={MODEL}")


@test
def examples():
    if IS_FAKE:
        print("SKIP: the examples are asked of a real model")
        return
    with serve() as daemon, daemon.client(60) as client:
        for method in methods():
            assert CONTRACT.methods[method]["examples"], method
            for example in sorted(CONTRACT.methods[method]["examples"], key=lambda one: "result" in one):
                ask(client, method, example)
        assert daemon.wait() == 0  # the last was shutdown's


@test
def examples_in_the_files_are_valid():
    for method, spec in CONTRACT.methods.items():
        for example in spec["examples"]:
            if "result" in example:
                CONTRACT.check(spec["params"], example["params"], method)
                CONTRACT.result(method, example["result"])
    for name, spec in CONTRACT.notifications.items():
        for example in spec["examples"]:
            CONTRACT.notification({"jsonrpc": "2.0", "method": name, **example})


@test
def the_checker_finds_what_is_wrong():
    for method, result in (("tokenize", {"tokens": [-1]}), ("tokenize", {}), ("tokenize", {"tokens": [], "x": 1}),
                           ("tokenize", {"tokens": [True]}), ("health", {"status": "fine"}), ("nope", {})):
        try:
            CONTRACT.result(method, result)
        except contract.Broken:
            continue
        raise AssertionError((method, result))
    for error in ({"code": 17, "message": "x"}, {"code": -32602, "message": "oops", "data": {"path": ""}},
                  {"code": 1009, "message": "message_too_large: 413", "data": {"limit": 1}},
                  {"code": -32602, "message": "invalid_params"}, {"code": 1006, "message": "shutting_down", "data": 1},
                  {"code": 1001, "message": "overloaded", "data": {"retry_after_ms": 1}}):
        try:
            CONTRACT.error(error)
        except contract.Broken:
            continue
        raise AssertionError(error)


@test
def man_pages():
    root = harness.ROOT
    made = subprocess.run([os.path.join(root, "tools", "make-man"), contract.FOLDER, "0"], check=True,
                          capture_output=True, text=True).stdout
    for method in [*CONTRACT.methods, *CONTRACT.notifications]:
        assert f".SS {method}\n" in made, method
    for row in CONTRACT.errors.values():
        assert row["name"] in made, row
    if not shutil.which("groff"):
        print("SKIP: the man pages are not formatted: groff is missing")
        return
    pages = {"plm-rpc.7": made}
    for name in ("plmd.8", "plmctl.1"):
        with open(os.path.join(root, "docs", name), encoding="utf-8") as file:
            pages[name] = file.read()
    for name, page in pages.items():
        run = subprocess.run(["groff", "-man", "-ww", "-Tascii"], input=page, capture_output=True, text=True)
        assert run.returncode == 0 and not run.stderr, f"{name}: {run.stderr[:500]}"


# ---- writing the files ----

def fold(value, indent=0, taken=0):
    """JSON with each object and array on one line if it fits into 100 columns."""
    line = json.dumps(value, ensure_ascii=False)
    if indent and indent + taken + len(line) < 100 or not isinstance(value, (dict, list)) or not value:
        return line
    pad = " " * (indent + 2)
    if isinstance(value, list):
        inner, (left, right) = [pad + fold(one, indent + 2) for one in value], "[]"
    else:
        inner = [f"{pad}{json.dumps(k)}: {fold(one, indent + 2, len(k) + 4)}" for k, one in value.items()]
        left, right = "{}"
    return f"{left}\n" + ",\n".join(inner) + f"\n{' ' * indent}{right}"


def update():
    with serve() as daemon, daemon.client(60) as client:
        for method in methods():
            for example in CONTRACT.methods[method]["examples"]:
                if "result" in example and method not in VARY:
                    example["result"] = client.call(method, example["params"])
    for name in os.listdir(contract.FOLDER):
        path = os.path.join(contract.FOLDER, name)
        with open(path, encoding="utf-8") as file:
            spec = json.load(file)
        if "method" in spec:
            with open(path, "w", encoding="utf-8") as file:
                file.write(fold(CONTRACT.methods[spec["method"]]) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    else:
        main()
