#!/usr/bin/env python3
"""prompt_again.py [RUNS]: PicoClaw's first captured request, cold and again; max_tokens 32, 2 threads, a daemon each."""

import json
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "scripts"))
import harness  # noqa: the path comes first

SHARED = os.environ.get("PLM_SHARED", os.path.join(ROOT, "..", "shared"))


def main():
    with open(os.path.join(SHARED, "data", "picoclaw", "picoclaw_requests.jsonl"), encoding="utf-8") as file:
        body = json.loads(file.readline())["body"]
    params = {"messages": body["messages"], "tools": body["tools"], "max_tokens": 32, "temperature": 0}
    ratios = []
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        with harness.Daemon("--threads", "2") as daemon, daemon.client(120) as client:
            took, results = [], []
            for _ in range(2):
                begin = time.monotonic()
                results.append(client.call("chat", params))
                took.append(time.monotonic() - begin)
        assert results[0]["content"] == results[1]["content"]
        usage = results[1]["usage"]
        ratios.append(took[1] / took[0])
        print(f"{usage['prompt_tokens']} tokens: {took[0] * 1e3:.0f} ms, again {took[1] * 1e3:.0f} ms "
              f"({usage['cached_tokens']} cached), {ratios[-1]:.3f} of it")
    print(f"median {statistics.median(ratios):.3f} [{min(ratios):.3f}-{max(ratios):.3f}]")


if __name__ == "__main__":
    main()
