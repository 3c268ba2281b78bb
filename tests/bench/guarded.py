#!/usr/bin/env python3
"""guarded.py [--model GGUF] [-t TEMPERATURE,...] [--tokens N] [--seeds N] [--every N] [--list] [FILE.jsonl ...]: how answers
end whose schemas need guards (engine/guard.h).

Every schema of the files (../shared/data: jsonschemabench, tools, json-schema-test-suite) that compiles with guards, as
the form of `complete` and, where it is of objects, as the tool of `tool_call`. Without --model a model of random weights
answers. The table counts how answers ended, by keyword that guards are for and in all: "valid" ended by itself, "closed" at
the budget and valid, "length" without a (valid) answer, "invalid" and "error". --list: those that are not valid, one a line.
"""

import argparse
import collections
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "scripts"))
import harness  # noqa: the path comes first
import random_model  # noqa

SHARED = os.environ.get("PLM_SHARED", os.path.join(ROOT, "..", "shared"))
WINDOW, DEEPEST, CONTEXT, NEEDS_ROOM, UNSUPPORTED = 24, 56, 1 << 16, 1003, (1004, -32602)
KEYWORDS = ("uniqueItems", "contains", "not", "oneOf", "if", "dependencies", "dependentRequired", "dependentSchemas",
            "unevaluatedProperties", "unevaluatedItems", "contentMediaType", "multipleOf")
COLUMNS = ("valid", "closed", "length", "invalid", "error", "steps", "seconds")


def all_files():
    return [path for folder in ("jsonschemabench", "tools", "json-schema-test-suite")
            for path in sorted(glob.glob(os.path.join(SHARED, "data", folder, "**", "*.jsonl"), recursive=True))]


def guarded(files, *flags):
    """Schemas by id."""
    program = os.path.join(harness.BUILD, "plm-schema-bench")
    run = subprocess.run([program, "-m", harness.MODEL, "--verdicts", "-o", "json", *flags, *files],
                         stdout=subprocess.PIPE, check=True)
    verdicts = map(json.loads, run.stdout.splitlines()[:-1])
    names = {verdict["id"] for verdict in verdicts if verdict.get("guarded")}
    lines = (json.loads(line) for path in files for line in open(path, encoding="utf-8"))
    return {line["id"]: line.get("schema") or line["parameters"] for line in lines if line.get("id") in names}


def keywords_of(schema, found):
    if isinstance(schema, dict):
        found.update(key for key in KEYWORDS if key in schema)
        for value in schema.values():
            keywords_of(value, found)
    elif isinstance(schema, list):
        for value in schema:
            keywords_of(value, found)
    return found


def depth(value):
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, values), default=0)


def requests(files):
    """(id, schema, method, params) of every request; a line may nest no deeper than 64."""
    for name, schema in guarded(files).items():
        if depth(schema) > DEEPEST:
            continue
        form = {"prompt": "values: ", "response_format": {"type": "json_schema", "schema": schema}}
        yield name, schema, "complete", form
    for name, schema in guarded(files, "--closed").items():
        if isinstance(schema, dict) and schema.get("type") == "object":
            yield name, schema, "tool_call", {"prompt": "Go on.", "tools": [{"name": "f", "parameters": schema}]}


def spelled_arguments(line):
    """As they were sent: Python would round the numbers."""
    at = line.index('"arguments":') + len('"arguments":')
    return line[at:json.JSONDecoder().raw_decode(line, at)[1]]


class Run:
    def __init__(self, client, args):
        self.client, self.args = client, args
        self.tally, self.flight, self.asked = collections.Counter(), {}, {}

    def ask(self, item, temperature, seed, tokens):
        name, schema, method, params = item
        params = {**params, "temperature": temperature, "seed": seed, "max_tokens": tokens}
        self.flight[self.client.request(method, params)] = (item, temperature, seed, tokens)

    def receive(self):
        line = self.client.receive_line(600).decode()
        answer = json.loads(line)
        if answer["id"] in self.asked:
            how, entry, text, result = self.asked.pop(answer["id"])
            if not answer["result"]["valid"]:
                how = "length" if how == "closed" else "error"
            self.note(how, entry, text, result)
            return
        entry = self.flight.pop(answer["id"])
        if answer.get("error", {}).get("code") == NEEDS_ROOM and entry[3] < 16 * self.args.tokens:
            self.ask(*entry[:3], 2 * entry[3])
            return
        self.judge(entry, answer, line)

    def judge(self, entry, answer, line):
        item = entry[0]
        if "error" in answer:
            self.note("refused" if answer["error"]["code"] in UNSUPPORTED else "error", entry, str(answer["error"]), None)
            return
        result = answer["result"]
        text, reason = result.get("content"), result["finish_reason"]
        if item[2] == "tool_call":
            text = spelled_arguments(line) if result["calls"] else None
        if reason == "invalid" or text is None:
            self.note(reason, entry, text, result)
            return
        how = "closed" if reason == "length" else "valid"
        check = {"instance": text, "schema": item[1]}
        self.asked[self.client.request("schema.check", check)] = how, entry, text, result

    def note(self, how, entry, text, result):
        (name, schema, method, _), temperature, seed, tokens = entry
        found = sorted(keywords_of(schema, set()))
        for row in ["all " + method, *(("only " if len(found) == 1 else "with ") + word for word in found)]:
            self.tally[row, how] += 1
            if result:
                self.tally[row, "steps"] += result["usage"]["steps"]
                self.tally[row, "seconds"] += result["timing"]["decode_ms"] / 1e3
        if self.args.list and how not in ("valid", "closed"):
            print(json.dumps([how, name, method, temperature, seed, tokens, found, (text or "")[:200]]), flush=True)

    def all(self, items):
        for temperature in self.args.temperatures:
            for seed in range(1, self.args.seeds + 1):
                for item in items:
                    self.ask(item, temperature, seed, self.args.tokens)
                    while len(self.flight) + len(self.asked) >= WINDOW:
                        self.receive()
        while self.flight or self.asked:
            self.receive()

    def table(self):
        rows = sorted({row for row, _ in self.tally})
        columns = [c for c in (*COLUMNS, "refused") if any(self.tally[row, c] for row in rows)]
        print(f"{'':34}" + "".join(f"{c:>9}" for c in columns))
        for row in rows:
            print(f"{row:34}" + "".join(f"{self.tally[row, c]:9.0f}" for c in columns))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("-t", dest="temperatures", default="1,1.5", type=lambda t: [float(x) for x in t.split(",")])
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("files", nargs="*")
    return parser.parse_args()


def main():
    args = arguments()
    items = list(requests(args.files or all_files()))[::args.every]
    with tempfile.TemporaryDirectory() as folder:
        path = args.model or os.path.join(folder, "random.gguf")
        if not args.model:
            random_model.CONTEXT = CONTEXT
            random_model.write(harness.MODEL, path)
        with harness.Daemon("--cache-dir", "none", model=path) as daemon, daemon.client(600) as client:
            run, begin = Run(client, args), time.monotonic()
            run.all(items)
            print(f"{len(items)} requests a temperature and seed; {time.monotonic() - begin:.0f} s")
            run.table()


if __name__ == "__main__":
    main()
