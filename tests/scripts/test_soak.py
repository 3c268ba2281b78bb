#!/usr/bin/env python3
"""Mixed agents against one daemon: PicoClaw natively and through the bridge, HTTP clients, plmctl, socat.

Every request is answered once, and the daemon's private memory stays what it is. 20 seconds; PLM_SOAK_SECONDS=600
for long. What is not there (Go, PicoClaw, socat) is left out of the mix, visibly.
"""

import http.client
import json
import os
import random
import shutil
import subprocess
import threading
import time

import agents
import harness
from agents import AGENT, NATIVE, Agent, Bridge, native, over
from harness import Daemon, anonymous_kib, test

SECONDS = float(os.environ.get("PLM_SOAK_SECONDS", "20"))
GROWTH_KIB = 8192  # of RssAnon: the most of the second half over the most of the first
KV = "96M"  # less than what all prompts take: the cache evicts all the time
TOPICS = ["rivers", "bread", "the moon", "old maps", "bees", "snow", "ferries", "clay"]
CALL = {"tools": [{"name": "note", "parameters": {"type": "object", "properties": {"text": {"type": "string"}},
                                                  "required": ["text"]}}], "max_tokens": 40}


class Mix:
    """Counts by kind; the first failure ends it."""

    def __init__(self, daemon, bridge):
        self.daemon, self.bridge = daemon, bridge
        self.end = time.monotonic() + SECONDS
        self.answered, self.failures, self.threads = {}, [], []

    def run(self, kind, once):
        self.answered[kind] = 0
        self.threads.append(threading.Thread(target=self.loop, args=(kind, once, random.Random(kind))))
        self.threads[-1].start()

    def loop(self, kind, once, chance):
        while time.monotonic() < self.end and not self.failures:
            try:
                once(self, chance)
                self.answered[kind] += 1
            except Exception as error:  # noqa: whatever it is, it ends the run
                self.failures.append((kind, repr(error)[:2000]))

    def memory(self):
        """Samples of RssAnon in KiB until the end."""
        samples = []
        while time.monotonic() < self.end and not self.failures:
            samples.append(anonymous_kib(self.daemon.process.pid))
            time.sleep(0.2)
        return samples

    def join(self):
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures


def run(command, stdin=None):
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120 * harness.PATIENCE,
                          check=False)
    assert done.returncode == 0, (command, done.returncode, done.stderr[-1000:])
    return done.stdout


# ---- the agents ----

def picoclaw(agent):
    def once(mix, chance):
        status, out = agent.say(f"One word about {chance.choice(TOPICS)}.", f"s{chance.randrange(4)}")
        assert status == 0, out[-2000:]
    return once


def over_http(mix, chance):
    """Whole or streamed; one of ten leaves without waiting, which is no request to be answered."""
    body = {"messages": [{"role": "user", "content": f"Tell me about {chance.choice(TOPICS)}."}], "temperature": 0,
            "max_tokens": chance.randrange(1, 60), "stream": chance.random() < 0.5, "model": "smollm2"}
    connection = http.client.HTTPConnection("127.0.0.1", mix.bridge.port, timeout=120 * harness.PATIENCE)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    if chance.random() < 0.1:
        time.sleep(chance.random() / 20)
    else:
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, (response.status, text)
        assert text.count('"finish_reason":"') == 1, text[-2000:]
        assert not body["stream"] or text.count("[DONE]") == 1, text[-2000:]
    connection.close()


def plmctl(mix, chance):
    topic = chance.choice(TOPICS)
    tools = os.path.join(harness.ROOT, "examples", "weather.json")
    command = chance.choice([["complete", "--max-tokens", "20", f"About {topic}"],
                             ["chat", "--max-tokens", "20", f"What about {topic}?"],
                             ["tool-call", "--tools", tools, f"The weather for {topic}?"], ["health"],
                             ["tokenize", topic]])
    out = run([os.path.join(harness.BUILD, "plmctl"), "--socket", mix.daemon.path, *command])
    assert out.strip(), command


def socat(mix, chance):
    """Several requests at once, half-closed: as many answers."""
    wanted = chance.randrange(1, 5)
    lines = [json.dumps({"jsonrpc": "2.0", "id": f"r{i}", "method": "tool_call",
                         "params": {**CALL, "prompt": f"Note {chance.choice(TOPICS)}."}}) for i in range(wanted)]
    out = run(["socat", "-t120", "-", f"UNIX-CONNECT:{mix.daemon.path}"], ("\n".join(lines) + "\n").encode())
    answers = [json.loads(line) for line in out.splitlines()]
    assert sorted(answer["id"] for answer in answers) == [f"r{i}" for i in range(wanted)], answers
    assert all(answer["result"]["calls"] or answer["result"]["finish_reason"] == "length" for answer in answers), answers


def over_the_socket(mix, chance):
    """One connection, many requests in flight, some cancelled; the harness checks that each has one answer."""
    with mix.daemon.client(120) as client:
        waiting = {client.request("chat", {"prompt": f"Say more about {chance.choice(TOPICS)}.", "stream": chance.random() < 0.5,
                                           "max_tokens": chance.randrange(1, 60)}) for _ in range(4)}
        if chance.random() < 0.3:
            client.notify("$/cancelRequest", {"id": max(waiting)})
        while waiting:
            message = client.receive()
            if "method" not in message:
                waiting.remove(message["id"])
                assert "result" in message or message["error"]["code"] == 1010, message


def fill(daemon):
    """Fills the cache, so that what grows from here on is something else."""
    with daemon.client(120) as client:
        for first in range(1000, 30000, 1000):
            client.call("complete", {"prompt": [first + i for i in range(500)], "max_tokens": 1})
            kv = client.call("stats")["kv"]
            if kv["blocks_used"] >= kv["blocks_total"] - 16:
                return
    raise AssertionError(kv)


@test
def mixed_agents():
    with Daemon("--kv-bytes", KV) as daemon, Bridge(daemon) as bridge:
        fill(daemon)
        mix = Mix(daemon, bridge)
        if os.path.exists(AGENT):
            mix.run("PicoClaw through the bridge", picoclaw(Agent(AGENT, over(bridge))))
        if os.path.exists(NATIVE):
            mix.run("PicoClaw natively", picoclaw(Agent(NATIVE, native(daemon.path))))
        mix.run("HTTP", over_http)
        mix.run("another over HTTP", over_http)
        mix.run("plmctl", plmctl)
        if shutil.which("socat"):
            mix.run("socat", socat)
        else:
            print("SKIP: socat is not installed")
        mix.run("the socket", over_the_socket)
        samples = mix.memory()
        mix.join()
        daemon.idle(30)
        half = len(samples) // 2
        first, second = max(samples[:half]), max(samples[half:])
        print(f"  answered in {SECONDS:.0f} s: {mix.answered}")
        print(f"  RssAnon: most {first} KiB in the first half, {second} KiB in the second")
        assert second <= first + GROWTH_KIB, samples
        assert min(mix.answered.values()) > 0, mix.answered
        with daemon.client() as client:
            stats = client.call("stats")
        assert stats["queue"] == {"depth": 0, "active": 0, "outside": 0} and stats["cache"]["evictions"] > 0, stats


if __name__ == "__main__":
    agents.main(with_agent=os.path.exists(agents.AGENT_XZ))
