#!/usr/bin/env python3
"""PicoClaw, unmodified, and other OpenAI-speaking clients run on plmd through plm-bridge; PicoClaw with
the native provider runs on it directly.

Needs Go (for the bridge) and ../shared/picoclaw (the agent). The agent with the native provider is
built here under PLM_FULL=1 (minutes), or taken from $BUILD/picoclaw/picoclaw-plm.
"""

import base64
import glob
import http.client
import json
import lzma
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import harness
from harness import Daemon, test

SHARED = os.environ.get("PLM_SHARED", os.path.join(harness.ROOT, "..", "shared"))
GO_CLIENT = os.path.join(harness.ROOT, "clients", "go")
AGENT_XZ = os.path.join(SHARED, "picoclaw", "picoclaw-linux-amd64.xz")
SOURCE = os.path.join(SHARED, "picoclaw", "picoclaw-src.tar.gz")
REQUESTS = os.path.join(SHARED, "data", "picoclaw", "small_model_requests.jsonl")
NATIVE_WORK = os.path.join(harness.BUILD, "picoclaw")
NATIVE = os.path.join(NATIVE_WORK, "picoclaw-plm")
FULL = os.environ.get("PLM_FULL") == "1"
LINE = re.compile(r"200 (\w+), (?:streamed, )?(\d+) prompt tokens, (\d+) of them prefilled, (\d+) generated, (\d+) calls")
# A model this small rarely decides to call by itself; it copies well.
COPY = 'Answer with exactly this text:\n<tool_call>\n{"name": "list_dir", "arguments": {"path": "."}}\n</tool_call>'

WORK = tempfile.mkdtemp(prefix="plm-picoclaw-")
BRIDGE = os.path.join(WORK, "plm-bridge")
AGENT = os.path.join(WORK, "picoclaw")


def missing():
    """Why nothing here can run, or None."""
    if not shutil.which("go"):
        return "go is not installed"
    for path in (AGENT_XZ, SOURCE, REQUESTS):
        if not os.path.exists(path):
            return f"{path} is missing"
    return None


def prepare():
    subprocess.run(["go", "build", "-trimpath", "-o", BRIDGE, "./cmd/plm-bridge"], cwd=GO_CLIENT, check=True,
                   env={**os.environ, "CGO_ENABLED": "0"})
    with lzma.open(AGENT_XZ) as packed, open(AGENT, "wb") as out:
        shutil.copyfileobj(packed, out)
    os.chmod(AGENT, 0o755)
    if FULL and not os.path.exists(NATIVE):
        subprocess.run([os.path.join(GO_CLIENT, "picoclaw", "build.sh"), SOURCE, NATIVE_WORK, "agent"], check=True)


class Bridge:
    def __init__(self, daemon, port=0, *flags):
        self.log = tempfile.NamedTemporaryFile(dir=WORK, suffix=".log", delete=False)
        self.process = subprocess.Popen([BRIDGE, "--socket", daemon.path, "--listen", f"127.0.0.1:{port}", *flags],
                                        stderr=self.log)
        self.port = int(self.wait_for(r"listening on http://127\.0\.0\.1:(\d+)").group(1))

    def logged(self):
        with open(self.log.name, encoding="utf-8") as log:
            return log.read()

    def wait_for(self, pattern, seconds=10):
        end = time.monotonic() + seconds * harness.PATIENCE
        while time.monotonic() < end:
            found = re.search(pattern, self.logged())
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no {pattern} in: {self.logged()}")

    def answers(self):
        """(finish, prompt, prefilled, generated, calls) of each answer."""
        return [(found[0], *map(int, found[1:])) for found in LINE.findall(self.logged())]

    def ask(self, body, path="/v1/chat/completions"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120 * harness.PATIENCE)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.status, response.read().decode()
        connection.close()
        return answer

    def ok(self, body):
        status, text = self.ask(body)
        assert status == 200, (status, text)
        return json.loads(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(15) == 0, self.logged()
        self.log.close()


class Agent:
    """A PicoClaw with a home of its own, by picoclaw.md's profile for small models."""

    def __init__(self, binary, model, **config):
        self.binary, self.home = binary, tempfile.mkdtemp(dir=WORK)
        self.workspace = os.path.join(self.home, "workspace")
        self.config = os.path.join(self.home, "config.json")
        defaults = {"workspace": self.workspace, "model_name": "plm", "max_tokens": 40, "context_window": 8192,
                    "temperature": 0, "max_tool_iterations": 3,
                    "turn_profile": {"enabled": True, "skills": {"mode": "off"},
                                     "tools": {"mode": "custom",
                                               "allow": ["exec", "read_file", "write_file", "list_dir"]}}}
        with open(self.config, "w", encoding="utf-8") as out:
            json.dump({"version": 3, "agents": {"defaults": defaults},
                       "model_list": [{"model_name": "plm", "request_timeout": 900, **model}], **config}, out)
        self.env = {**os.environ, "PICOCLAW_HOME": self.home, "PICOCLAW_CONFIG": self.config}
        self.env.pop("PICOCLAW_LOG_LEVEL", None)
        subprocess.run([binary, "onboard"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        with open(os.path.join(self.workspace, "zebra.txt"), "w", encoding="utf-8") as out:
            out.write("stripes\n")

    def start(self, text, session="one"):
        return subprocess.Popen([self.binary, "agent", "-s", f"agent:main:{session}", "-m", text], env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def say(self, text, session="one", seconds=120):
        process = self.start(text, session)
        out = process.communicate(timeout=seconds * harness.PATIENCE)[0].decode(errors="replace")
        return process.returncode, out

    def history(self):
        """All that the agent stored about its sessions."""
        text = ""
        for path in glob.glob(os.path.join(self.workspace, "sessions", "**"), recursive=True):
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += file.read()
        return text


def over(bridge, **more):
    return {"model": "plm/smollm2", "api_base": f"http://127.0.0.1:{bridge.port}/v1", **more}


def whole_turn(agent):
    """Question, call, its result, answer."""
    status, out = agent.say(COPY)
    history = agent.history()
    assert status == 0, out
    assert "list_dir" in history and "zebra.txt" in history, history[-2000:]
    assert "empty response" not in out, out


@test
def a_whole_turn_through_the_bridge():
    with Daemon() as daemon, Bridge(daemon) as bridge:
        agent = Agent(AGENT, over(bridge))
        whole_turn(agent)
        answers = bridge.answers()
        assert len(answers) == 2 and answers[0][0] == "tool_calls" and answers[0][4] == 1, answers
        assert answers[1][2] <= 400, answers
        status, out = agent.say("Thank you.")  # the history is echoed
        assert status == 0, out
        assert bridge.answers()[2][2] <= 400, bridge.answers()


@test
def a_whole_turn_with_the_native_provider():
    if not os.path.exists(NATIVE):
        print("SKIP: the agent with the native provider is built under PLM_FULL=1 only")
        return
    with Daemon() as daemon:
        agent = Agent(NATIVE, {"provider": "plm", "model": "smollm2", "api_base": "unix://" + daemon.path})
        whole_turn(agent)
        agent = Agent(NATIVE, {"provider": "plm", "model": "smollm2", "api_base": "unix://" + daemon.path + ".not"})
        begin = time.monotonic()
        status, out = agent.say("hi")
        assert status == 1 and time.monotonic() - begin > 4, out  # a network error: asked again, twice


@test
def the_native_provider_passes_its_tests():
    run = subprocess.run([os.path.join(GO_CLIENT, "picoclaw", "build.sh"), SOURCE, os.path.join(WORK, "native"), "test"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert run.returncode == 0, run.stdout.decode()


@test
def the_go_client_passes_its_tests():
    run = subprocess.run(["go", "test", "./..."], cwd=GO_CLIENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         check=False)
    assert run.returncode == 0, run.stdout.decode()
    with Daemon() as daemon:  # the examples, on the real one
        run = subprocess.run(["go", "test", "-run", "Example", "."], cwd=GO_CLIENT, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env={**os.environ, "PLM_SOCKET": daemon.path}, check=False)
    assert run.returncode == 0, run.stdout.decode()


# ---- the clock ----

def captured():
    with open(REQUESTS, encoding="utf-8") as file:
        return json.loads(file.readline())["body"]


def at_minute(messages, minute):
    """The messages with another clock, as PicoClaw's next turn sends them."""
    changed = json.loads(json.dumps(messages))
    changed[0]["content"], n = re.subn(r"(## Current Time\n[0-9-]+ [0-9]+:)[0-9]+", rf"\g<1>{minute}", changed[0]["content"])
    assert n == 1
    return changed


@test
def a_new_minute_costs_little():
    def ask(messages, **more):
        answer = bridge.ok({**body, "messages": messages, "max_tokens": 40, **more})
        used = answer["usage"]
        return answer["choices"][0]["message"], used["prompt_tokens"] - used["prompt_tokens_details"]["cached_tokens"]

    with Daemon() as daemon, Bridge(daemon) as bridge:
        body = captured()
        del body["tool_choice"]
        messages = body["messages"][:1] + [{"role": "user", "content": "List the files in the workspace."}]
        prefilled = []
        for turn in range(3):
            messages = at_minute(messages, 20 + turn)
            call, cold = ask(messages, tool_choice="required", parallel_tool_calls=False)
            sent = call["tool_calls"][0]
            # PicoClaw decodes arguments and encodes them again: compact, sorted, <>& escaped.
            arguments = json.dumps(json.loads(sent["function"]["arguments"]), sort_keys=True, separators=(",", ":"))
            sent["function"]["arguments"] = arguments.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
            messages += [{"role": "assistant", "content": "", "tool_calls": [sent]},
                         {"role": "tool", "tool_call_id": sent["id"], "content": "a.txt\nb.txt"}]
            answer, again = ask(messages, tool_choice="auto")
            messages += [{"role": "assistant", "content": answer["content"] or ""},
                         {"role": "user", "content": f"And now number {turn}?"}]
            prefilled.append((cold, again))
        assert prefilled[0][1] <= 400 and all(n <= 400 for pair in prefilled[1:] for n in pair), prefilled
        print(f"  tokens prefilled, first and second request of each turn: {prefilled}")


# ---- what goes wrong ----

@test
def what_was_computed_survives_a_killed_agent():
    with Daemon() as daemon, Bridge(daemon) as bridge:
        agent = Agent(AGENT, over(bridge))
        process = agent.start("hi")
        with daemon.client() as client:
            end = time.monotonic() + 30 * harness.PATIENCE
            while client.call("health")["active"] == 0 and time.monotonic() < end:
                time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        daemon.idle(10)
        status, out = agent.say("hi", "two")
        assert status == 0, out
        _, prompt, prefilled, _, _ = bridge.answers()[-1]
        assert prefilled < prompt, bridge.logged()


@test
def a_killed_daemon_and_a_restarted_bridge_are_survived():
    daemon = Daemon()
    bridge = Bridge(daemon)
    agent = Agent(AGENT, over(bridge))
    # The second session's first request is under way when the daemon dies; PicoClaw asks again.
    assert agent.say("hi")[0] == 0
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(agent.say("Count to one hundred.", "two")))
    thread.start()
    with daemon.client() as client:
        while client.call("health")["active"] == 0 and thread.is_alive():
            time.sleep(0.005)
    daemon.process.kill()
    daemon.process.wait()
    second = Daemon(path=daemon.path)
    try:
        thread.join(120 * harness.PATIENCE)
        status, out = outcome[0]
        assert status == 0, out
        assert "503" in bridge.logged(), bridge.logged()
        with bridge:  # ends here; another takes its port
            pass
        with Bridge(second, bridge.port) as bridge:
            status, out = agent.say("hi", "two")
            assert status == 0, out
            assert bridge.answers()[0][2] <= 400, bridge.answers()
    finally:
        second.stop()
        daemon.stop()


@test
def errors_and_limits():
    with Daemon() as daemon, Bridge(daemon) as bridge:
        user = lambda text: {"messages": [{"role": "user", "content": text}]}
        for stream in (False, True):
            status, text = bridge.ask({**user("word " * 9000), "max_tokens": 32768, "stream": stream})
            assert status == 400 and text.index("context_length_exceeded") < 40, (status, text)
        answer = bridge.ok({**user("Say hello"), "max_tokens": 8, "temperature": 0, "logprobs": True, "top_logprobs": 2})
        choice = answer["choices"][0]
        assert answer["usage"]["completion_tokens"] <= 8 and choice["finish_reason"] in ("stop", "length"), answer
        joined = "".join(entry["token"] for entry in choice["logprobs"]["content"])
        assert joined.startswith(choice["message"]["content"]), choice
        status, text = bridge.ask({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]})
        assert status == 400 and "does not support image input" in text, text
        status, text = bridge.ask({"prompt": "The capital of France is", "max_tokens": 4, "temperature": 0}, "/v1/completions")
        assert status == 200 and json.loads(text)["choices"][0]["text"], text
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        answer = bridge.ok({**user("A number"), "max_tokens": 40, "temperature": 0, "response_format": {
            "type": "json_schema", "json_schema": {"name": "x", "schema": schema}}})
        assert isinstance(json.loads(answer["choices"][0]["message"]["content"])["n"], int), answer
    for flags in (["--listen", "0.0.0.0:0"], ["--listen", ":0"], ["--listen", "0.0.0.0:0", "--allow-remote"]):
        run = subprocess.run([BRIDGE, *flags], stderr=subprocess.PIPE, timeout=10, check=False,
                             env={k: v for k, v in os.environ.items() if k != "PLM_BRIDGE_TOKEN"})
        assert run.returncode == 1, run.stderr


@test
def a_client_that_leaves_frees_the_daemon():
    with Daemon() as daemon, Bridge(daemon) as bridge:
        for stream in (False, True):
            body = json.dumps({"messages": [{"role": "user", "content": harness.COUNTING}], "stream": stream,
                               "max_tokens": 4000, "temperature": 0, "logit_bias": {"2": -100}})
            with socket.create_connection(("127.0.0.1", bridge.port)) as peer, daemon.client() as client:
                peer.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
                              f"\r\n\r\n{body}").encode())
                end = time.monotonic() + 10 * harness.PATIENCE
                while client.call("health")["active"] == 0:
                    assert time.monotonic() < end, bridge.logged()
                    time.sleep(0.005)
            daemon.idle(3)


# ---- streams ----

@test
def a_stream_holds_the_same_text():
    with Daemon() as daemon, Bridge(daemon) as bridge:
        body = {**captured(), "max_tokens": 30, "temperature": 0}
        whole = bridge.ok(body)["choices"][0]["message"]["content"]
        status, text = bridge.ask({**body, "stream": True, "stream_options": {"include_usage": True}})
        chunks = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]
        joined = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
        assert status == 200 and joined == whole and "data: [DONE]" in text, (whole, joined)
        assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["prompt_tokens"] > 1000, chunks[-1]


class WebSocket:
    """As much of RFC 6455 as PicoClaw's web channel needs."""

    def __init__(self, port, path, token):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=90 * harness.PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                             f"Authorization: Bearer {token}\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        status = self.file.readline()
        assert b" 101 " in status, status
        while self.file.readline().strip():
            pass

    def send(self, value):
        data, mask = json.dumps(value).encode(), os.urandom(4)
        head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else bytes([0x81, 0xFE]) + struct.pack(">H", len(data))
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def receive(self):
        while True:
            first, size = self.file.read(2)
            if size == 126:
                size = struct.unpack(">H", self.file.read(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.file.read(8))[0]
            data = self.file.read(size)
            if first & 15 == 1:
                return json.loads(data)
            assert first & 15 != 8, "closed"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@test
def a_turn_over_sse_through_the_gateway():
    port = free_port()
    with Daemon() as daemon, Bridge(daemon) as bridge:
        agent = Agent(AGENT, over(bridge, streaming={"enabled": True}),
                      channel_list={"pico": {"enabled": True, "type": "pico",
                                             "settings": {"token": "tok12345", "streaming": {"enabled": True}}}},
                      gateway={"host": "127.0.0.1", "port": port}, heartbeat={"enabled": False})
        log = open(os.path.join(agent.home, "log"), "w+", encoding="utf-8")
        gateway = subprocess.Popen([AGENT, "gateway"], env=agent.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            web = connect(port, gateway)
            web.send({"type": "message.send", "id": "m1", "payload": {"content": COPY}})
            contents = []
            while len(bridge.answers()) < 2 or not contents:
                message = web.receive()
                if message["type"] in ("message.create", "message.update"):
                    contents.append(message["payload"].get("content", ""))
            assert bridge.answers()[0][0] == "tool_calls" and len(contents) >= 2, (contents, bridge.logged())
            assert "zebra.txt" in agent.history(), agent.history()[-1500:]
            assert bridge.logged().count("streamed") == 2, bridge.logged()
        finally:
            gateway.terminate()
            gateway.wait(20)
            log.close()


def connect(port, gateway):
    end = time.monotonic() + 20 * harness.PATIENCE
    while time.monotonic() < end and gateway.poll() is None:
        try:
            return WebSocket(port, "/pico/ws", "tok12345")
        except (ConnectionRefusedError, AssertionError):
            time.sleep(0.1)
    raise AssertionError("the gateway did not start")


# ---- another client ----

@test
def the_openai_package_talks_to_the_bridge():
    try:
        import openai
    except ImportError:
        print("SKIP: the Python package openai is not installed")
        return
    with Daemon() as daemon, Bridge(daemon) as bridge:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{bridge.port}/v1", api_key="none", max_retries=0)
        model = client.models.list().data[0].id
        ask = {"model": model, "messages": [{"role": "user", "content": "What is the weather in Oslo?"}], "temperature": 0}
        whole = client.chat.completions.create(**ask, max_tokens=12).choices[0].message.content
        pieces = client.chat.completions.create(**ask, max_tokens=12, stream=True)
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole
        tools = [{"type": "function", "function": {"name": "weather", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
        call = {**ask, "tools": tools, "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 100}
        made = client.chat.completions.create(**call).choices[0]
        assert made.finish_reason == "tool_calls" and "city" in json.loads(made.message.tool_calls[0].function.arguments)
        parts = [piece.choices[0].delta.tool_calls for piece in client.chat.completions.create(**call, stream=True)]
        assert [part[0].function.arguments for part in parts if part] == [made.message.tool_calls[0].function.arguments]
        for bad, kind in (({"n": 2}, openai.BadRequestError), ({"max_tokens": 0}, openai.BadRequestError)):
            try:
                client.chat.completions.create(**{**ask, **bad})
                raise AssertionError(bad)
            except kind:
                pass


if __name__ == "__main__":
    reason = missing()
    try:
        if reason:
            print(f"SKIP: {reason}")
            print("0 passed, 0 failed")
        elif harness.IS_FAKE:
            print("SKIP: this needs a real model")
            print("0 passed, 0 failed")
        else:
            prepare()
            harness.main()
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
