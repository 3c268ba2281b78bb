#!/usr/bin/env python3
"""PicoClaw runs on plmd: unmodified, through plm-bridge, and with the native provider compiled in (agents.py)."""

import base64
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import agents
import harness
from agents import AGENT, BRIDGE, GO_CLIENT, NATIVE, REQUESTS, SOURCE, WORK, Agent, Bridge, native, over
from harness import Daemon, test

# A model this small rarely decides to call by itself; it copies well.
COPY = 'Answer with exactly this text:\n<tool_call>\n{"name": "list_dir", "arguments": {"path": "."}}\n</tool_call>'


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
        return
    with Daemon() as daemon:
        agent = Agent(NATIVE, native(daemon.path))
        whole_turn(agent)
        agent = Agent(NATIVE, native(daemon.path + ".not"))
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
    # For 32 bits the native provider's tests vet client and provider; the bridge is compiled for them on demand.
    full = (["env", "GOARCH=386", "go", "vet", "./..."], ["go", "test", "-race", "./..."])
    for command in (["go", "vet", "./..."], ["go", "test", "./..."], *(full if os.environ.get("PLM_FULL") == "1" else ())):
        run = subprocess.run(command, cwd=GO_CLIENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert run.returncode == 0, run.stdout.decode()
    with Daemon() as daemon:  # the examples, on the real one
        run = subprocess.run(["go", "test", "-run", "Example", "."], cwd=GO_CLIENT, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env={**os.environ, "PLM_SOCKET": daemon.path}, check=False)
    assert run.returncode == 0, run.stdout.decode()


# ---- the clock ----

class Clock:
    """Stands between an agent and a socket, and sets the minute that the agent's system text tells. What goes on
    has the same length, so that nothing else needs to be understood."""

    def __init__(self, family, target, address):
        self.family, self.target, self.minute, self.seen = family, target, 0, 0
        self.answers = []  # what came back, a bytearray for each connection
        self.listener = socket.socket(family)
        self.listener.bind(address)
        self.listener.listen()
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                agent = self.listener.accept()[0]
            except OSError:
                return
            server = socket.socket(self.family)
            server.connect(self.target)
            self.answers.append(bytearray())
            threading.Thread(target=self.ask, args=(agent, server), daemon=True).start()
            threading.Thread(target=self.answer, args=(server, agent, self.answers[-1]), daemon=True).start()

    def ask(self, agent, server):
        """Passes on what comes, once no more came for a moment."""
        data = b""
        while True:
            agent.settimeout(0.05 if data else None)
            try:
                more = agent.recv(1 << 20)
            except TimeoutError:
                data, n = re.subn(rb"(## Current Time\\n[0-9-]+ [0-9]+:)[0-9][0-9]", rb"\g<1>%02d" % self.minute, data)
                self.seen += n
                server.sendall(data)
                data = b""
                continue
            except OSError:
                more = b""
            if not more:
                server.shutdown(socket.SHUT_RDWR)
                return
            data += more

    @staticmethod
    def answer(server, agent, kept):
        try:
            while data := server.recv(1 << 20):
                kept += data
                agent.sendall(data)
            agent.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def usages(self):
        """Of all generations that were answered."""
        lines = [line for kept in self.answers for line in bytes(kept).split(b"\n") if b'"usage"' in line]
        return [json.loads(line)["result"]["usage"] for line in lines]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def turns_in_other_minutes(agent, clock):
    for minute, text in ((10, COPY), (11, "Thank you."), (12, COPY)):
        clock.minute = minute
        status, out = agent.say(text)
        assert status == 0, out


def costs_little(prefilled):
    assert len(prefilled) >= 4 and prefilled[0] > 1000 and max(prefilled[1:]) <= 400, prefilled
    print(f"  tokens prefilled: {prefilled}")


@test
def a_new_minute_costs_little_through_the_bridge():
    with Daemon() as daemon, Bridge(daemon) as bridge, \
            Clock(socket.AF_INET, ("127.0.0.1", bridge.port), ("127.0.0.1", 0)) as clock:
        agent = Agent(AGENT, {"model": "plm/smollm2", "api_base": f"http://127.0.0.1:{clock.address[1]}/v1"})
        turns_in_other_minutes(agent, clock)
        assert clock.seen == len(bridge.answers()), (clock.seen, bridge.logged())
        costs_little([prefilled for _, _, prefilled, _, _ in bridge.answers()])


@test
def a_new_minute_costs_little_natively():
    if not os.path.exists(NATIVE):
        return
    with Daemon() as daemon, Clock(socket.AF_UNIX, daemon.path, os.path.join(daemon.folder, "clock")) as clock:
        turns_in_other_minutes(Agent(NATIVE, native(clock.address)), clock)
        usages = clock.usages()
        assert clock.seen == len(usages), (clock.seen, usages)
        costs_little([usage["prompt_tokens"] - usage["cached_tokens"] for usage in usages])


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
def captured_requests_with_other_minutes():
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

def wait_until(daemon, reached):
    """Waits for a state of the daemon; returns it."""
    end = time.monotonic() + 30 * harness.PATIENCE
    with daemon.client() as client:
        while time.monotonic() < end:
            state = client.call("health")
            if reached(state):
                return state
            time.sleep(0.003)
    raise AssertionError(f"never: {state}")


def killed_in_mid_prefill(agent, daemon):
    """Kills an agent whose first prompt is being read; returns the tokens that were computed by then."""
    process = agent.start("hi")
    wait_until(daemon, lambda state: state["active"] > 0)
    time.sleep(0.2 * harness.PATIENCE)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    daemon.idle(10)
    with daemon.client() as client:
        return 32 * client.call("stats")["kv"]["blocks_used"]


def is_found(computed, prompt, cached):
    print(f"  {computed} of {prompt} tokens were computed when the agent was killed; then {cached} were found")
    assert 0 < computed < prompt, "not in mid-prefill"
    assert cached >= min(computed, prompt - 200), cached  # but for the clock's minute and what follows


@test
def what_was_computed_survives_a_killed_agent():
    with Daemon("--threads", "1") as daemon, Bridge(daemon) as bridge:
        agent = Agent(AGENT, over(bridge))
        computed = killed_in_mid_prefill(agent, daemon)
        status, out = agent.say("hi", "two")
        assert status == 0, out
        _, prompt, prefilled, _, _ = bridge.answers()[-1]
        is_found(computed, prompt, prompt - prefilled)


@test
def what_was_computed_survives_a_killed_native_agent():
    if not os.path.exists(NATIVE):
        return
    with Daemon("--threads", "1") as daemon:
        with Clock(socket.AF_UNIX, daemon.path, os.path.join(daemon.folder, "clock")) as clock:
            agent = Agent(NATIVE, native(clock.address))
            computed = killed_in_mid_prefill(agent, daemon)
            status, out = agent.say("hi", "two")
            assert status == 0, out
            usage = clock.usages()[-1]
        is_found(computed, usage["prompt_tokens"], usage["cached_tokens"])


def on_disk(daemon):
    """Tokens there, and those of the prompt."""
    with daemon.client() as client:
        stats = client.call("stats")
        return 32 * stats["cache"]["disk_written_blocks"], stats["engine"]["prompt_tokens"]


def is_on_disk(daemon):
    kept, prompt = on_disk(daemon)
    return kept > prompt - 40


def survives_a_killed_daemon(binary, daemon, model):
    """The agent's first answer is being written when the daemon dies; it asks the next one, which finds what the
    first had computed. Returns that."""
    agent, outcome = Agent(binary, model, max_tokens=120), []
    thread = threading.Thread(target=lambda: outcome.append(agent.say("Count to one hundred.")))
    thread.start()
    wait_until(daemon, lambda state: state["active"] > 0 and state["last_token_age_ms"] is not None)
    state = wait_until(daemon, lambda state: state["active"] == 0 or is_on_disk(daemon))
    kept, prompt = on_disk(daemon)
    daemon.process.kill()
    daemon.process.wait()
    assert state["active"] > 0, "not in mid-answer"
    second = Daemon("--cache-dir", daemon.folder + "/kv", path=daemon.path)
    thread.join(120 * harness.PATIENCE)
    if not outcome or outcome[0][0]:
        second.stop()
        raise AssertionError(outcome)
    with second.client() as client:
        found = client.call("stats")["engine"]["cached_tokens"]
    print(f"  {kept} of {prompt} tokens were on disk when the daemon was killed; then {found} were found")
    assert found >= prompt - 40, found
    return agent, second


@test
def a_killed_daemon_and_a_restarted_bridge_are_survived():
    daemon = Daemon()
    with Bridge(daemon) as bridge:  # ends here; another takes its port
        agent, second = survives_a_killed_daemon(AGENT, daemon, over(bridge))
        assert "503" in bridge.logged(), bridge.logged()
    with second, Bridge(second, bridge.port) as bridge:
        status, out = agent.say("hi")
        assert status == 0, out
        assert bridge.answers()[0][2] <= 400, bridge.answers()
    daemon.stop()


@test
def a_killed_daemon_is_survived_natively():
    if not os.path.exists(NATIVE):
        return
    daemon = Daemon()
    _, second = survives_a_killed_daemon(NATIVE, daemon, native(daemon.path))
    with second, second.client() as client:
        assert client.call("stats")["engine"]["generations"] == 1
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
def a_schema_that_cannot_be_honoured_does_not_fail_the_request():
    """As servers of MCP have them: one keyword is dropped, named in warnings, and the call is validated."""
    schema = {"type": "object", "properties": {"id": {"type": "string", "pattern": r"^(x)y\1$"}}, "required": ["id"]}
    ask = {"messages": [{"role": "user", "content": "Use the id xyx."}], "temperature": 0, "max_tokens": 60}
    with Daemon() as daemon, Bridge(daemon) as bridge, daemon.client() as client:
        assert client.error("tool_call", {**ask, "tools": [{"name": "f", "parameters": schema}]})["code"] == 1004
        body = {**ask, "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]}
        answer = bridge.ok({**body, "tool_choice": "auto"})
        assert "pattern" in str(answer["plm"]["warnings"]), answer
        status, text = bridge.ask({**body, "tool_choice": "required"})  # a call that is valid, or an error
        assert status == 200 and json.loads(text)["choices"][0]["message"]["tool_calls"] or \
            status == 500 and "output_invalid" in text, (status, text)


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


def gateway_turn(binary, model, enough):
    """A turn through PicoClaw's gateway, for a web client; returns what that client is shown, until enough says so."""
    port = free_port()
    agent = Agent(binary, {**model, "streaming": {"enabled": True}},
                  channel_list={"pico": {"enabled": True, "type": "pico",
                                         "settings": {"token": "tok12345", "streaming": {"enabled": True}}}},
                  gateway={"host": "127.0.0.1", "port": port}, heartbeat={"enabled": False})
    log = open(os.path.join(agent.home, "log"), "w+", encoding="utf-8")
    gateway = subprocess.Popen([binary, "gateway"], env=agent.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    contents = []
    try:
        web = connect(port, gateway)
        web.send({"type": "message.send", "id": "m1", "payload": {"content": COPY}})
        while not enough(contents):
            message = web.receive()
            if message["type"] in ("message.create", "message.update"):
                contents.append(message["payload"].get("content", ""))
        assert "zebra.txt" in agent.history(), agent.history()[-1500:]
    finally:
        gateway.terminate()
        gateway.wait(20)
        log.close()
    return contents


@test
def a_turn_over_sse_through_the_gateway():
    with Daemon() as daemon, Bridge(daemon) as bridge:
        contents = gateway_turn(AGENT, over(bridge), lambda contents: len(bridge.answers()) >= 2 and contents)
        assert bridge.answers()[0][0] == "tool_calls" and len(contents) >= 2, (contents, bridge.logged())
        assert bridge.logged().count("streamed") == 2, bridge.logged()
        assert not any("<tool_call" in content for content in contents), contents


@test
def a_streamed_turn_through_the_gateway_natively():
    if not os.path.exists(NATIVE):
        return
    with Daemon() as daemon, daemon.client() as client:
        contents = gateway_turn(NATIVE, native(daemon.path), lambda contents: len(contents) >= 3 and
                                client.call("stats")["engine"]["generations"] >= 2)
        assert not any("<tool_call" in content for content in contents), contents


def connect(port, gateway):
    end = time.monotonic() + 20 * harness.PATIENCE
    while time.monotonic() < end and gateway.poll() is None:
        try:
            return WebSocket(port, "/pico/ws", "tok12345")
        except (ConnectionRefusedError, AssertionError):
            time.sleep(0.1)
    raise AssertionError("the gateway did not start")


if __name__ == "__main__":
    agents.main(with_agent=True)
