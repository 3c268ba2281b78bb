#!/usr/bin/env python3
"""paired_llamacpp.py DIR MODEL ...: prefill and decode beside llama.cpp, in turn, A B A B ...

DIR holds llama-bench and its libraries. For each model, PAIRS (5) runs of plm-bench and llama-bench on the same
file: -t 2 -p 512 -n 64 -r 3. Prints medians and extremes of both and of the ratio, pair by pair.
"""

import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLM_BENCH = os.path.join(ROOT, os.environ.get("BUILD", "build"), "plm-bench")
PAIRS = int(os.environ.get("PAIRS", "5"))
TESTS = ("pp512", "tg64")


def rates(program, model, env=None):
    """Tokens a second of prefill and decode."""
    run = subprocess.run([program, "-m", model, "-t", "2", "-p", "512", "-n", "64", "-r", "3", "-o", "json"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True, env=env)
    found = json.loads(run.stdout[run.stdout.index("["):])
    return [next(r["avg_ts"] for r in found if bool(r["n_gen"]) == decode) for decode in (False, True)]


def spread(values, digits):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}-{high:.{digits}f}]"


def main():
    folder, models = sys.argv[1], sys.argv[2:]
    env = {**os.environ, "LD_LIBRARY_PATH": folder}
    for model in models:
        pairs = [(rates(PLM_BENCH, model), rates(os.path.join(folder, "llama-bench"), model, env)) for _ in range(PAIRS)]
        for i, name in enumerate(TESTS):
            ours, theirs = [a[i] for a, _ in pairs], [b[i] for _, b in pairs]
            print(f"{os.path.basename(model)} {name}: plm {spread(ours, 0)} llama.cpp {spread(theirs, 0)} tokens/s, "
                  f"ratio {spread([a / b for a, b in zip(ours, theirs)], 2)}", flush=True)


if __name__ == "__main__":
    main()
