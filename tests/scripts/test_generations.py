#!/usr/bin/env python3
"""Calls of a model of random weights, hot, over every tool list there is: all of them valid.

PLM_GENERATIONS (300) answers to tool_call, temperature 1 to 2, each with its own seed, the lists of
data/tools, data/bfcl and data/picoclaw in turn; the independent validator judges every call.
"""

import collections
import os
import random
import sys
import tempfile
import time

import harness
import random_model
import test_calls
from harness import Daemon
from schema_oracle import Invalid, Oracle, Unsure

GENERATIONS = int(os.environ.get("PLM_GENERATIONS", "300"))
LONGEST = 20_000  # characters of tools: prompts beyond fill the context of the model
WINDOW = 24


def tool_lists():
    """Lists of tools with their names to schemas."""
    lists = []
    for name in sorted(os.listdir(os.path.join(test_calls.DATA, "tools"))):
        if name.endswith(".jsonl"):
            for i, line in enumerate(test_calls.lines_of("tools", name)):
                lists.append([{"name": f"tool_{i}", "parameters": line.get("schema") or line["parameters"]}])
    for name in sorted(os.listdir(os.path.join(test_calls.DATA, "bfcl"))):
        if name.endswith(".jsonl"):
            lists += [line["tools"] for line in test_calls.lines_of("bfcl", name) if line.get("tools")]
    lists += [tools for _, _, tools in test_calls.picoclaw()]
    return [tools for tools in lists if len(str(tools)) < LONGEST]


class Run:
    def __init__(self, client, lists):
        self.client, self.lists = client, lists
        self.tally, self.failures, self.flight = collections.Counter(), [], {}

    def ask(self, i, **more):
        tools = self.lists[i * len(self.lists) // GENERATIONS]
        params = {"prompt": "Go on.", "tools": tools, "max_tokens": 24 + i % 4 * 20, "temperature": 1 + i % 5 / 4,
                  "seed": i, "max_calls": 1 + i % 3 // 2, **more}
        self.flight[self.client.request("tool_call", params)] = (i, tools, more)

    def receive(self):
        answer = self.client.receive(600)
        i, tools, more = self.flight.pop(answer["id"])
        if answer.get("error", {}).get("code") == 1003 and more.get("max_tokens") != 4000:
            self.tally["needs more room"] += 1
            return self.ask(i, max_tokens=4000 if more else 200)
        why = self.wrong(answer, test_calls.schemas_of(tools))
        if why:
            self.failures.append(f"seed {i}: {why}")
        return None

    def wrong(self, answer, schemas):
        """None if the answer holds valid calls only; what is wrong with it else."""
        if "error" in answer:
            self.tally[answer["error"]["code"]] += 1
            self.tally["refused"] += 1  # a few lists hold schemas that are none, or can't be honoured
            return None if answer["error"]["code"] in (1004, -32602) else answer["error"]
        result = answer["result"]
        self.tally[result["finish_reason"]] += 1
        self.tally["calls"] += len(result["calls"])
        if not result["calls"]:
            return f"no call: {result}"
        for call in result["calls"]:
            try:
                Oracle(schemas[call["name"]], closed=True).check(call["arguments"])
            except Unsure:
                self.tally["not judged"] += 1
            except (Invalid, KeyError) as why:
                return f"{call['name']}: {why!r}: {call['arguments']}"
        return None

    def all(self):
        begin = time.monotonic()
        for i in range(GENERATIONS):
            self.ask(i)
            while len(self.flight) >= WINDOW:
                self.receive()
            if i % 5000 == 4999:
                print(f"       {i + 1}: {time.monotonic() - begin:.0f} s, {len(self.failures)} wrong", flush=True)
        while self.flight:
            self.receive()


def main():
    for path in (harness.PLMD, harness.MODEL, test_calls.DATA):
        if not os.path.exists(path) or harness.IS_FAKE:
            print(f"SKIP: {path} is missing or no real daemon\n0 passed, 0 failed")
            return
    lists = tool_lists()
    random.Random(1).shuffle(lists)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "random.gguf")
        random_model.write(harness.MODEL, path)
        with Daemon(model=path) as daemon, daemon.client(300) as client:
            run = Run(client, lists)
            run.all()
            print(f"       {test_calls.cpu_seconds(daemon):.1f} s of the daemon's")
    print(f"       {len(lists)} tool lists; " + ", ".join(f"{k}: {n}" for k, n in sorted(run.tally.items(), key=str)))
    if run.tally["refused"] > 3 + GENERATIONS // 100:
        run.failures.append(f"too many refused: {run.tally['refused']}")
    print("\n".join(run.failures[:20]))
    print(f"{GENERATIONS - len(run.failures)} passed, {len(run.failures)} failed")
    sys.exit(1 if run.failures else 0)


if __name__ == "__main__":
    main()
