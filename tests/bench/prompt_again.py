#!/usr/bin/env python3
"""prompt_again.py [RUNS]: PicoClaw's first captured request, cold, again, and once more after the daemon was killed and
another started on the same cache directory; max_tokens 32, 2 threads, fresh daemons each run."""

import json
import os
import statistics
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "scripts"))
import harness  # noqa: the path comes first

SHARED = os.environ.get("PLM_SHARED", os.path.join(ROOT, "..", "shared"))


def main():
    with open(os.path.join(SHARED, "data", "picoclaw", "picoclaw_requests.jsonl"), encoding="utf-8") as file:
        body = json.loads(file.readline())["body"]
    params = {"messages": body["messages"], "tools": body["tools"], "max_tokens": 32, "temperature": 0}
    again, restarted = [], []
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        with tempfile.TemporaryDirectory() as folder:
            cold, warm, after = one_run(params, ("--threads", "2", "--cache-dir", os.path.join(folder, "kv")))
        again.append(warm / cold)
        restarted.append(after / cold)
        print(f"{cold * 1e3:.0f} ms, again {warm * 1e3:.0f} ms: {again[-1]:.3f} of it, "
              f"after a restart {after * 1e3:.0f} ms: {restarted[-1]:.3f} of it")
    for name, ratios in (("again", again), ("after a restart", restarted)):
        print(f"{name}: median {statistics.median(ratios):.3f} [{min(ratios):.3f}-{max(ratios):.3f}]")


def ask(client, params):
    begin = time.monotonic()
    result = client.call("chat", params)
    return time.monotonic() - begin, result


def one_run(params, flags):
    """Seconds of the three."""
    daemon = harness.Daemon(*flags)
    with daemon.client(120) as client:
        cold, first = ask(client, params)
        warm, second = ask(client, params)
        while 32 * client.call("cache.stats")["disk_written_blocks"] < first["usage"]["prompt_tokens"] - 32:
            time.sleep(0.05)
    daemon.process.kill()
    daemon.process.wait()
    daemon.stop()
    with harness.Daemon(*flags) as daemon, daemon.client(120) as client:
        after, third = ask(client, params)
    assert first["content"] == second["content"] == third["content"]
    assert third["cache"]["source"] == "disk", third
    return cold, warm, after


if __name__ == "__main__":
    main()
