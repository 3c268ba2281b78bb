#!/usr/bin/env python3
"""`health` while 4 MiB lines, a 5,000-token prefill and 8 decodes are under way.

The contract says 10 ms (p99). On a machine that does other things the figure says little: this asserts
a lenient bound (PLM_LATENCY_MS, default 50, times PLM_TEST_PATIENCE; the best of three tries counts)
and prints p50, p99 and the most. PLM_LATENCY_SECONDS (5) is the length of a try. The load comes from processes of their own.
"""

import json
import os
import subprocess
import sys
import time

import harness
from harness import Client, Daemon, IS_FAKE, PATIENCE, long_generation, main, test

BOUND = float(os.environ.get("PLM_LATENCY_MS", "50")) * PATIENCE / 1e3
SECONDS = float(os.environ.get("PLM_LATENCY_SECONDS", "5"))
PREFILL_TOKENS = 5000


# ---- load: each runs in a process of its own until it is killed ----

def long_lines(path):
    """4 MiB lines: one that tokenizes it all, one whose params are wrong at the very end."""
    with Client(path, 300) as c:
        text = "word " * 800_000
        while True:
            c.response(c.request("tokenize", {"text": text}))
            c.response(c.request("chat", {"messages": [{"role": "user", "content": text}], "surprise": 1}))


def prefill(path):
    """A prompt of 5,000 tokens, another one each time."""
    with Client(path, 300) as c:
        n = 0
        while True:
            n += 1
            c.response(c.request("complete", {"prompt": [1000 + n % 1000] + [1000 + i % 97 for i in range(PREFILL_TOKENS - 1)],
                                              "max_tokens": 1, "cache": {"store": False}}))


def decodes(path):
    """Eight at once, streamed."""
    with Client(path, 300) as c:
        for _ in range(8):
            c.request("complete", long_generation(400, 500, stream=True))
        while True:
            if "method" not in c.receive():
                c.request("complete", long_generation(400, 500, stream=True))


LOADS = {"long_lines": long_lines, "prefill": prefill, "decodes": decodes}


# ---- the measurement ----

def health_times(path):
    """How long `health` takes, in seconds, sorted."""
    times, end = [], time.monotonic() + SECONDS
    with Client(path, 60) as c:
        line = b'{"jsonrpc":"2.0","id":1,"method":"health"}\n'
        while time.monotonic() < end:
            begin = time.monotonic()
            c.send_raw(line)
            c.receive_line()
            times.append(time.monotonic() - begin)
            time.sleep(0.002)
    return sorted(times)


def is_busy(daemon):
    """All of the load is there."""
    with daemon.client(60) as c:
        end = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < end:
            health, stats = c.call("health"), c.call("stats")
            if health["active"] >= 9 and stats["requests"]["tokenize"] > 0:
                return True
            time.sleep(0.02)
    return False


def measure(names):
    with Daemon() as daemon:
        load = [subprocess.Popen([sys.executable, __file__, "--load", name, daemon.path]) for name in names]
        try:
            assert set(names) != set(LOADS) or is_busy(daemon), "the load doesn't come"
            best = None
            for _ in range(3):
                times = health_times(daemon.path)
                p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
                print(f"       {'+'.join(names) or 'idle'}: {len(times)} times, p50 {p50 * 1e3:.2f} ms, "
                      f"p99 {p99 * 1e3:.2f} ms, max {times[-1] * 1e3:.2f} ms", flush=True)
                best = min(best or p99, p99)
                if best < 0.010:
                    break
            assert best < BOUND, f"p99 {best * 1e3:.1f} ms"
        finally:
            for process in load:
                process.kill()
                process.wait()
        daemon.idle(30)


@test
def idle():
    measure([])


@test
def everything_at_once():
    measure(list(LOADS))


if __name__ == "__main__":
    if "--load" in sys.argv:
        LOADS[sys.argv[2]](sys.argv[3])
    if IS_FAKE:
        print("SKIP: the fake engine is no load\n0 passed, 0 failed")
    else:
        main()
