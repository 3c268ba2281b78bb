#!/usr/bin/env python3
"""footprint.py [RUNS] [IDLE_SECONDS]: what plmd costs while it does nothing.

Medians of RUNS (5) fresh daemons with a warm file cache:
  ready      from exec to the first `health` whose status is ok
  RssAnon    private memory (/proc/PID/status) idle after start, and after one tool_call
  wake-ups   voluntary and nonvoluntary switches of all threads over IDLE_SECONDS (30; once), a second
  CPU        time on a CPU of all threads in those seconds (/proc/PID/task/*/schedstat)
  binaries   bytes of the stripped programs
BUILD, PLMD and PLM_TEST_MODEL choose the programs and the model. A table, then one line of JSON.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
PLMD = os.environ.get("PLMD", os.path.join(BUILD, "plmd"))
MODEL = os.path.join(ROOT, os.environ.get("PLM_TEST_MODEL", "models/SmolLM2-135M-Instruct.Q4_1.gguf"))
CALL = {"prompt": "What is the weather in Oslo?", "max_tokens": 64, "tools": [
    {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                                           "required": ["city"]}}]}


def ask(path, method, params=None):
    """The result; None while nobody listens."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError:
            return None
        connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}).encode()
                           + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            line += connection.recv(1 << 16)
        return json.loads(line)["result"]


def anonymous_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))


def switches_and_cpu(pid):
    """Of all threads: context switches, nanoseconds on a CPU."""
    switches = cpu = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as status:
            switches += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
            cpu += int(stat.read().split()[0])
    return switches, cpu


def one_run(folder, idle_seconds):
    path = os.path.join(folder, "s")
    begin = time.monotonic()
    process = subprocess.Popen([PLMD, "--model", MODEL, "--socket", path, "--log-level", "error"])
    try:
        while (answer := ask(path, "health")) is None or answer["status"] != "ok":
            if process.poll() is not None:
                sys.exit(f"plmd ended with status {process.returncode}")
            time.sleep(0.0005)
        row = {"ready_ms": (time.monotonic() - begin) * 1e3}
        time.sleep(0.5)
        row["rss_anon_idle_kib"] = anonymous_kib(process.pid)
        calls = ask(path, "tool_call", CALL)["calls"]
        assert calls and calls[0]["name"] == "get_weather", calls
        time.sleep(1)
        row["rss_anon_after_call_kib"] = anonymous_kib(process.pid)
        if idle_seconds:
            switches, cpu = switches_and_cpu(process.pid)
            time.sleep(idle_seconds)
            after_switches, after_cpu = switches_and_cpu(process.pid)
            row["wakeups_a_second"] = (after_switches - switches) / idle_seconds
            row["idle_cpu_us_a_second"] = (after_cpu - cpu) / 1e3 / idle_seconds
        return row
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def stripped_bytes(program, folder):
    copy = os.path.join(folder, "stripped")
    if not os.path.exists(program) or not shutil.which("strip"):
        return None
    subprocess.run(["strip", "-o", copy, program], check=True)
    return os.path.getsize(copy)


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    idle_seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30
    if not os.path.exists(PLMD) or not os.path.exists(MODEL):
        print(f"SKIP: {PLMD if not os.path.exists(PLMD) else MODEL} is missing")
        return
    with open(MODEL, "rb") as file:  # warm the file cache
        while file.read(1 << 24):
            pass
    with tempfile.TemporaryDirectory() as folder:
        rows = [one_run(folder, idle_seconds if i == 0 else 0) for i in range(runs)]
        figures = {key: round(statistics.median(r[key] for r in rows if key in r), 2) for key in rows[0]}
        for name in ("plmd", "plmctl", "plm-bench", "plm-eval"):
            path = PLMD if name == "plmd" else os.path.join(os.path.dirname(PLMD), name)
            figures[name + "_stripped_bytes"] = stripped_bytes(path, folder)
    for key, value in figures.items():
        spread = sorted(r[key] for r in rows if key in r)
        print(f"{key:28} {value!s:>12}" + (f"   {spread[0]:.1f} .. {spread[-1]:.1f}" if len(spread) > 1 else ""))
    print(json.dumps({"runs": runs, "idle_seconds": idle_seconds, "model": os.path.basename(MODEL), **figures}))


if __name__ == "__main__":
    main()
