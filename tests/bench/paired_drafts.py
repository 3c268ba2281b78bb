#!/usr/bin/env python3
"""paired_drafts.py [N [THREADS [FLAGS]]]: the first N single-call function-calling cases (100) of three files, greedy, in
turn to a daemon that drafts and to one with FLAGS (--draft-max 0): passes after the prefill, tokens drafted and
accepted, and milliseconds of processor time and of the clock a case. Ends with an error if an answer differs."""

import json
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "scripts"))
import harness  # noqa: the path comes first

SHARED = os.environ.get("PLM_SHARED", os.path.join(ROOT, "..", "shared"))
COUNTS = ("drafted_tokens", "accepted_tokens", "steps")


def cases(name, n):
    with open(os.path.join(SHARED, "data", "bfcl", name + ".jsonl"), encoding="utf-8") as file:
        return [c for c in map(json.loads, file) if len(c.get("ground_truth") or []) == 1][:n]


def processor_ms(pid):
    tasks = f"/proc/{pid}/task"
    return sum(int(open(f"{tasks}/{task}/schedstat", encoding="ascii").read().split()[0])
               for task in os.listdir(tasks)) / 1e6


class Side:
    def __init__(self, *flags):
        self.daemon = harness.Daemon("--cache-dir", "none", *flags)
        self.client = self.daemon.client(120)

    def begin(self):
        self.usage, self.busy, self.clock = dict.fromkeys(COUNTS, 0), [], []

    def ask(self, params):
        busy, begin = processor_ms(self.daemon.process.pid), time.monotonic()
        result = self.client.call("tool_call", params)
        self.clock.append(1e3 * (time.monotonic() - begin))
        self.busy.append(processor_ms(self.daemon.process.pid) - busy)
        for name in COUNTS:
            self.usage[name] += result["usage"][name]
        return [(call["name"], call["arguments"]) for call in result["calls"]], result["finish_reason"]

    def tell(self, name, n):
        counts = ", ".join(f"{self.usage[key] / n:.2f} {key}" for key in COUNTS)
        print(f"{name}: {counts}, {sum(self.busy) / n:.1f} ms of a processor, {sum(self.clock) / n:.1f} ms", flush=True)

    def end(self):
        self.client.close()
        self.daemon.stop()


def main():
    n, threads = int((sys.argv[1:] or [100])[0]), (sys.argv[2:] or ["1"])[0]
    flags = (sys.argv[3:] or ["--draft-max 0"])[0].split()
    sides = [Side("--threads", threads), Side("--threads", threads, *flags)]
    for name in ("simple_python", "multiple", "live_simple"):
        chosen = cases(name, n)
        for side in sides:
            side.begin()
        for i, case in enumerate(chosen):
            params = {"messages": case["messages"], "tools": case["tools"], "temperature": 0, "max_tokens": 200}
            answers = [side.ask(params) for side in (sides if i % 2 else sides[::-1])]
            assert answers[0] == answers[1], (case["id"], answers)
        for side in sides:
            side.tell(name, len(chosen))
        ratios = [a / b for a, b in zip(sides[0].busy, sides[1].busy)]
        print(f"{name}: {len(chosen)} equal answers; a case takes {statistics.median(ratios):.3f} of the processor time")
    for side in sides:
        side.end()


if __name__ == "__main__":
    main()
