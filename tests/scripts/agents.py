"""plm-bridge and PicoClaw, for the scripts that run them on plmd.

Needs Go for the bridge (tools/fetch-go) and ../shared/picoclaw for the agent. The agent with the native
provider is built here from its source, without the chat networks that need most of the time (a minute of two
cores, some seconds the next time); PLM_FULL=1 builds the whole.
"""

import glob
import http.client
import json
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import time

import harness

SHARED = os.environ.get("PLM_SHARED", os.path.join(harness.ROOT, "..", "shared"))
GO_CLIENT = os.path.join(harness.ROOT, "clients", "go")
AGENT_XZ = os.path.join(SHARED, "picoclaw", "picoclaw-linux-amd64.xz")
SOURCE = os.path.join(SHARED, "picoclaw", "picoclaw-src.tar.gz")
REQUESTS = os.path.join(SHARED, "data", "picoclaw", "small_model_requests.jsonl")
NATIVE_WORK = os.path.join(harness.BUILD, "picoclaw")
KIND, NATIVE = ("agent", "picoclaw-plm") if os.environ.get("PLM_FULL") == "1" else ("small", "picoclaw-small")
NATIVE = os.path.join(NATIVE_WORK, NATIVE)
LINE = re.compile(r"200 (\w+), (?:streamed, )?(\d+) prompt tokens, (\d+) of them prefilled, (\d+) generated, (\d+) calls")

WORK = tempfile.mkdtemp(prefix="plm-picoclaw-")
BRIDGE = os.path.join(WORK, "plm-bridge")
AGENT = os.path.join(WORK, "picoclaw")


def missing(with_agent):
    """Why nothing here can run, or None."""
    found = subprocess.run([os.path.join(harness.ROOT, "tools", "fetch-go")], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        return "there is no Go of 1.25.11 or newer (make agents fetches one)"
    os.environ["PATH"] = os.path.dirname(found.stdout.strip()) + os.pathsep + os.environ["PATH"]
    if "HOME" not in os.environ:  # Go wants a place for its caches
        os.environ["HOME"] = os.path.join(harness.ROOT, "build", "home")
    for path in (AGENT_XZ, SOURCE, REQUESTS) if with_agent else ():
        if not os.path.exists(path):
            return f"{path} is missing"
    return "this needs a real model" if harness.IS_FAKE else None


def build_bridge():
    subprocess.run(["go", "build", "-trimpath", "-buildvcs=false", "-o", BRIDGE, "./cmd/plm-bridge"], cwd=GO_CLIENT, check=True,
                   env={**os.environ, "CGO_ENABLED": "0"})


def unpack_agent():
    with lzma.open(AGENT_XZ) as packed, open(AGENT, "wb") as out:
        shutil.copyfileobj(packed, out)
    os.chmod(AGENT, 0o755)


def build_native():
    """The agent with the native provider; its modules come from the network, or from Go's cache."""
    run = subprocess.run([os.path.join(GO_CLIENT, "picoclaw", "build.sh"), SOURCE, NATIVE_WORK, KIND],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode == 0:
        return
    if not re.search(r"dial tcp|no such host|i/o timeout|proxy\.golang\.org|connection re", run.stdout):
        raise AssertionError(run.stdout[-3000:])
    print(f"SKIP: the modules of the agent with the native provider can't be fetched: {run.stdout[-200:]!r}")
    if os.path.exists(NATIVE):
        os.remove(NATIVE)  # of another source


def main(with_agent):
    """harness.main, with what it needs; or why not."""
    try:
        reason = missing(with_agent)
        if reason:
            print(f"SKIP: {reason}")
            print("0 passed, 0 failed")
            return
        build_bridge()
        if with_agent:
            unpack_agent()
            build_native()
        harness.main()
    finally:
        shutil.rmtree(WORK, ignore_errors=True)


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

    def __init__(self, binary, model, max_tokens=40, **config):
        self.binary, self.home = binary, tempfile.mkdtemp(dir=WORK)
        self.workspace = os.path.join(self.home, "workspace")
        self.config = os.path.join(self.home, "config.json")
        defaults = {"workspace": self.workspace, "model_name": "plm", "max_tokens": max_tokens, "context_window": 8192,
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
    """The model entry of an unmodified agent."""
    return {"model": "plm/smollm2", "api_base": f"http://127.0.0.1:{bridge.port}/v1", **more}


def native(path, **more):
    """The one of the native provider."""
    return {"provider": "plm", "model": "smollm2", "api_base": "unix://" + path, **more}
