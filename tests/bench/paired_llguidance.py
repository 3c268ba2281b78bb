#!/usr/bin/env python3
"""paired_llguidance.py [-m MODEL] [--every N] [--rounds N] [FILE.jsonl ...]: masks and compile times, paired.

Runs plm-schema-bench and llguidance (PyPI) in turn, A B A B ..., on the same instances: the tests of every Nth
schema (50) of the files (default: $PLM_SHARED/data/{jsonschemabench,tools}), written as JSON with one blank
after colons and commas, as the same tokens of MODEL's vocabulary. Both compute every mask in full, start each
schema cold, and are timed by thread CPU time around the one call (llguidance's includes some tenths of a
microsecond of Python). Prints both columns, the median of each figure over the rounds, and one line of JSON.

llguidance is looked for in this Python (pip install llguidance into a venv); without it the script skips.
"""

import argparse
import ctypes
import glob
import json
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
MODEL = os.path.join(ROOT, os.environ.get("PLM_TEST_MODEL", "models/SmolLM2-135M-Instruct.Q4_1.gguf"))
SHARED = os.environ.get("PLM_SHARED", os.path.join(ROOT, "../shared"))
QUANTILES = ("p50", "p90", "p99", "p99.9", "max")

# ---- the vocabulary -------------------------------------------------------------------------------


def gguf_metadata(path):
    """The metadata of a GGUF file that was checked elsewhere."""
    kinds = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    with open(path, "rb") as file:
        def number(kind):
            return struct.unpack("<" + kind, file.read(struct.calcsize("<" + kind)))[0]

        def text():
            return file.read(number("Q"))

        def value(kind):
            if kind == 8:
                return text()
            if kind != 9:
                return number(kinds[kind])
            inner, n = number("I"), number("Q")
            if inner in kinds:
                return list(struct.unpack(f"<{n}{kinds[inner]}", file.read(n * struct.calcsize(kinds[inner]))))
            return [value(inner) for _ in range(n)]

        file.seek(16)
        return {text().decode(): value(number("I")) for _ in range(number("Q"))}


def tokenizer_json(path):
    """The vocabulary as Hugging Face's tokenizer.json, for the pre-tokenizers known here."""
    data = gguf_metadata(path)
    digits = {"type": "Digits", "individual_digits": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    steps = {b"smollm": [digits, byte_level], b"gpt-2": [byte_level]}
    pre = data.get("tokenizer.ggml.pre")
    if data["tokenizer.ggml.model"] != b"gpt2" or pre not in steps:
        print(f"SKIP: no tokenizer.json can be made of {os.path.basename(path)}")
        sys.exit()
    tokens = [token.decode() for token in data["tokenizer.ggml.tokens"]]
    special = [i for i, kind in enumerate(data["tokenizer.ggml.token_type"]) if kind == 3]
    added = [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i in special]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
             "vocab": {token: i for i, token in enumerate(tokens)},
             "merges": [merge.decode() for merge in data["tokenizer.ggml.merges"]]}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps[pre]}, "post_processor": None,
            "decoder": byte_level, "model": model}, data["tokenizer.ggml.eos_token_id"], len(tokens)


# ---- the instances ----------------------------------------------------------------------------------


def sample(files, every):
    """Lines {id, schema, tests}."""
    lines = []
    for path in files:
        with open(path, encoding="utf-8") as file:
            lines += [line for line in file if json.loads(line).get("tests")]
    return lines[::every]


def tokenize_all(model, texts):
    """The tokens of each text, by a plmd of our own."""
    with tempfile.TemporaryDirectory(prefix="plm-paired-") as folder:
        path = os.path.join(folder, "socket")
        command = [os.path.join(BUILD, "plmd"), "--socket", path, "--model", model]
        daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while True:
                connection = socket.socket(socket.AF_UNIX)
                try:
                    connection.connect(path)
                    break
                except OSError:
                    connection.close()
                    if daemon.poll() is not None:
                        sys.exit("plmd did not start")
                    time.sleep(0.02)
            with connection, connection.makefile("rwb") as wire:
                return [ask(wire, "tokenize", {"text": text})["tokens"] for text in texts]
        finally:
            daemon.terminate()
            daemon.wait()


def ask(wire, method, params):
    while True:
        wire.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        wire.flush()
        reply = json.loads(wire.readline())
        if "result" in reply:
            return reply["result"]
        if reply["error"]["code"] not in (1001, 1002):  # still loading, or busy
            sys.exit(f"{method}: {reply['error']['message']}")
        time.sleep(0.05)


# ---- the two sides ----------------------------------------------------------------------------------


def run_plm(model, path):
    command = [os.path.join(BUILD, "plm-schema-bench"), "-m", model, "-o", "json", path]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    figures = json.loads(output.splitlines()[-1])["all"]
    trie = [os.path.join(BUILD, "tests/bench/bench_mask"), model, os.devnull]
    line = subprocess.run(trie, capture_output=True, check=True, text=True).stdout
    found = re.search(r"trie ([0-9.]+) ms", line)
    figures["setup_ms"] = float(found.group(1)) if found else float("nan")
    return figures


def quantiles(samples):
    samples = sorted(samples) or [0]
    n = len(samples)
    at = {"p50": n // 2, "p90": n * 9 // 10, "p99": n * 99 // 100, "p99.9": n * 999 // 1000, "max": n - 1}
    return {"n": n, **{name: samples[index] / 1e3 for name, index in at.items()}}


class Llguidance:
    def __init__(self, llguidance, model):
        self.lib = llguidance
        self.tokenizer_json, self.eos, self.n_vocab = tokenizer_json(model)
        self.mask = (ctypes.c_int32 * ((self.n_vocab + 31) // 32))()

    def tokenizer(self):
        """And the milliseconds it took, the reading of its file included."""
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(self.tokenizer_json, file)
            file.flush()
            start = time.thread_time_ns()
            tokenizer = self.lib.LLTokenizer(file.name, n_vocab=self.n_vocab, eos_token=self.eos)
            return tokenizer, (time.thread_time_ns() - start) / 1e6

    def follow(self, matcher, tokens, times):
        address, size = ctypes.addressof(self.mask), ctypes.sizeof(self.mask)
        for token in tokens:
            start = time.thread_time_ns()
            matcher.unsafe_compute_mask_ptr(address, size)
            times.append(time.thread_time_ns() - start)
            if not self.mask[token >> 5] >> (token & 31) & 1 or not matcher.consume_token(token):
                return False
        return matcher.is_accepting()

    def compile(self, tokenizer, schema):
        grammar = self.lib.LLMatcher.grammar_from_json_schema(schema)
        return self.lib.LLMatcher(tokenizer, grammar, log_level=0)

    def run(self, instances):
        """instances: (schema text, [(valid, tokens)])."""
        tokenizer, setup_ms = self.tokenizer()
        counts = dict.fromkeys(("schemas", "compiled", "valid", "valid_accepted", "invalid", "invalid_rejected"), 0)
        counts["setup_ms"] = setup_ms
        compiles, masks = [], []
        for schema, tests in instances:
            counts["schemas"] += 1
            start = time.thread_time_ns()
            matcher = self.compile(tokenizer, schema)
            took = time.thread_time_ns() - start
            if matcher.is_error():
                continue
            compiles.append(took)
            counts["compiled"] += 1
            for valid, tokens in tests:
                accepted = self.follow(matcher, tokens, masks)
                counts["valid"] += valid
                counts["invalid"] += not valid
                counts["valid_accepted"] += valid and accepted
                counts["invalid_rejected"] += not valid and not accepted
                matcher = self.compile(tokenizer, schema) if matcher.is_error() else matcher
                matcher.reset()
        return {**counts, "compile_us": quantiles(compiles), "mask_us": quantiles(masks)}


# ---- the comparison ---------------------------------------------------------------------------------


def medians(rounds):
    first = rounds[0]
    if isinstance(first, dict):
        return {key: medians([round_[key] for round_ in rounds]) for key in first if not isinstance(first[key], list)}
    return statistics.median(rounds)


def print_table(ours, theirs):
    print(f"{'':24}{'plm':>12}{'llguidance':>12}{'ratio':>8}")
    for key in ("schemas", "compiled", "valid", "valid_accepted", "invalid", "invalid_rejected"):
        print(f"{key:24}{ours[key]:12.0f}{theirs[key]:12.0f}")
    rows = [("set-up, ms", ours["setup_ms"], theirs["setup_ms"])]
    for kind in ("compile_us", "mask_us"):
        rows += [(f"{kind[:-3]} {name}, us", ours[kind][name], theirs[kind][name]) for name in QUANTILES]
    for name, a, b in rows:
        print(f"{name:24}{a:12.2f}{b:12.2f}{b / a if a else 0:8.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-m", "--model", default=MODEL)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    try:
        import llguidance
    except ImportError:
        print("SKIP: no llguidance in this Python")
        return
    files = options.files or sorted(glob.glob(SHARED + "/data/jsonschemabench/*.jsonl") +
                                    glob.glob(SHARED + "/data/tools/*.jsonl"))
    lines = sample(files, options.every)
    if not lines:
        print("SKIP: no schemas")
        return
    parsed = [json.loads(line) for line in lines]
    texts = [json.dumps(test["data"], ensure_ascii=False) for line in parsed for test in line["tests"]]
    tokens = iter(tokenize_all(options.model, texts))
    instances = [(json.dumps(line.get("schema", line.get("parameters"))),
                  [(test["valid"], next(tokens)) for test in line["tests"]]) for line in parsed]
    theirs = Llguidance(llguidance, options.model)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        rounds = [(run_plm(options.model, file.name), theirs.run(instances)) for _ in range(options.rounds)]
    ours, other = (medians(list(side)) for side in zip(*rounds))
    print(f"{os.path.basename(options.model)}, every {options.every}th schema, {options.rounds} rounds, "
          f"load {os.getloadavg()[0]:.1f}")
    print_table(ours, other)
    print(json.dumps({"plm": ours, "llguidance": other}))


if __name__ == "__main__":
    main()
