#!/usr/bin/env python3
"""Model files that can't be right, given to the programs themselves: plmd ends with status 1 and says
why, and never by a signal. (tests/unit/engine/test_model.c bends files in many more ways.)

Also: a model whose every logit is NaN still gives valid calls, and a vocabulary alone is no model.
"""

import os
import shutil
import struct
import subprocess
import sys
import tempfile

import harness
import random_model
from harness import Daemon, Tally
from schema_oracle import Oracle

SHARED = os.environ.get("PLM_SHARED", os.path.join(harness.ROOT, "..", "shared"))
EVAL = os.path.join(os.path.dirname(harness.PLMD), "plm-eval")
TOOL = {"name": "f", "parameters": {"type": "object", "properties": {
    "s": {"type": "string", "maxLength": 20}, "n": {"type": "integer", "minimum": 3},
    "e": {"enum": ["x", "y"]}}, "required": ["s", "n", "e"]}}


TALLY = Tally()


def run(command):
    """Exit status and what was said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=20 * harness.PATIENCE, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def expect_refused(label, path, folder, says=""):
    """By both programs, with a reason."""
    tokens = os.path.join(folder, "tokens.txt")
    with open(tokens, "w", encoding="ascii") as file:
        file.write("1 2 3\n")
    for command in ([harness.PLMD, "--model", path, "--socket", os.path.join(folder, "s")],
                    [EVAL, "-m", path, "--tokens", tokens, "-t", "1"]):
        status, said = run(command)
        TALLY.check(status == 1 and says in said and len(said.strip()) > 20,
                    f"{os.path.basename(command[0])}: {label}", f"status {status}, {said}")


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def cut_and_bent(folder):
    """A real small file, cut at some places and with its counts bent."""
    with open(os.path.join(SHARED, "models", "arch", "llama.gguf"), "rb") as file:
        whole = file.read()
    path = os.path.join(folder, "cut.gguf")
    for n in (0, 1, 3, 4, 7, 8, 16, 23, 24, 100, 1000, 5000, 10000, 13000, 14000, 100000, len(whole) // 2, len(whole) - 1):
        write(path, whole[:n])
        expect_refused(f"{n} bytes of a model", path, folder)
    for label, at, form, value in (("magic", 0, "<I", 0x47475546), ("version 1", 4, "<I", 1), ("version 2^31", 4, "<I", 2**31),
                                   ("no tensors", 8, "<Q", 0), ("2^63 tensors", 8, "<Q", 2**63), ("one more", 8, "<Q", 10**4),
                                   ("no metadata", 16, "<Q", 0), ("2^64-1 entries", 16, "<Q", 2**64 - 1),
                                   ("a key of 2^63 bytes", 24, "<Q", 2**63), ("a key of 0 bytes", 24, "<Q", 0)):
        data = bytearray(whole)
        struct.pack_into(form, data, at, value)
        write(path, data)
        expect_refused(label, path, folder)


def not_files(folder):
    for label, path, says in (("no such file", os.path.join(folder, "nothing.gguf"), "No such file"),
                              ("a directory", folder, "directory"), ("a device", "/dev/null", "not a regular file"),
                              ("a text", os.path.abspath(__file__), "not a GGUF file")):
        expect_refused(label, path, folder, says)
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    expect_refused("a fifo", fifo, folder, "not a regular file")


def other_models(folder):
    """Architectures and vocabularies that are not supported are named."""
    for name in ("gemma2", "qwen3moe", "llama-moe", "phi2"):
        path = os.path.join(SHARED, "models", "arch", name + ".gguf")
        expect_refused(name, path, folder, "not supported")
    for name in ("llama-bpe", "llama-spm", "gpt-2"):
        expect_refused(f"vocabulary {name}", os.path.join(SHARED, "vocabs", f"ggml-vocab-{name}.gguf"), folder)


def nan_model(folder):
    """Nothing to choose by, yet the grammar holds; and the daemon stays well."""
    path = os.path.join(folder, "nan.gguf")
    random_model.write(harness.MODEL, path, nan=True)
    with Daemon(model=path) as daemon, daemon.client(60) as client:
        for temperature in (0, 1):
            for more in ({}, {"logprobs": 5}, {"top_k": 5}, {"typical_p": 0.5, "min_p": 0.2}, {"repeat_penalty": 1.5}):
                label = f"NaN at temperature {temperature} with {more}"
                params = {"prompt": "x", "max_tokens": 80, "temperature": temperature, "seed": 1, **more}
                message, _ = client.response(client.request("tool_call", {**params, "tools": [TOOL]}))
                calls = message.get("result", {}).get("calls", [])
                TALLY.check(len(calls) == 1, label, message)
                for one in calls:
                    Oracle(TOOL["parameters"], closed=True).check(one["arguments"])
                message, _ = client.response(client.request("complete", {**params, "max_tokens": 5}))
                TALLY.check("result" in message, f"text, {label}", message)
        TALLY.check(client.call("health")["status"] == "ok", "health")


def changed_underneath(folder):
    """Deleting or replacing the file of a running daemon changes nothing for it."""
    path = os.path.join(folder, "random.gguf")
    random_model.write(harness.MODEL, path)
    params = {"prompt": "x", "max_tokens": 10, "temperature": 1, "seed": 5}
    with Daemon(model=path) as daemon, daemon.client(60) as client:
        before = client.call("complete", params)["content"]
        os.unlink(path)
        random_model.write(harness.MODEL, path, seed=2)
        TALLY.check(client.call("complete", params)["content"] == before, "a replaced file")
    with Daemon(model=path) as daemon, daemon.client(60) as client:
        TALLY.check(client.call("complete", params)["content"] != before, "the new file")


def main():
    for path in (harness.PLMD, EVAL, harness.MODEL, SHARED):
        if not os.path.exists(path):
            print(f"SKIP: {path} is missing\n0 passed, 0 failed")
            return
    for test in (not_files, cut_and_bent, other_models, nan_model, changed_underneath):
        failed, folder = TALLY.failed, tempfile.mkdtemp(prefix="plm-models-")
        try:
            test(folder)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            TALLY.check(False, test.__name__, repr(error))
        shutil.rmtree(folder, ignore_errors=True)
        print(f"{'ok' if TALLY.failed == failed else 'FAILED':6} {test.__name__}", flush=True)
    print(f"{TALLY.passed} passed, {TALLY.failed} failed")
    sys.exit(1 if TALLY.failed else 0)


if __name__ == "__main__":
    main()
