"""Starts a private plmd and talks to it, for the black-box scripts in this folder.

Every line received is held against proto/methods (contract.py). Python's standard library only. The daemon is $PLMD (default $BUILD/plmd), its model $PLM_TEST_MODEL
(default models/SmolLM2-135M-Instruct.Q4_1.gguf). The scripts run equally against
build/tests/unit/daemon/plmd_fake, whose engine obeys words like `tokens=100 us=1000` in the prompt;
prompts here carry both such words and a text that a real model goes on with for long.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import contract

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
PLMD = os.environ.get("PLMD", os.path.join(BUILD, "plmd"))
MODEL = os.path.join(ROOT, os.environ.get("PLM_TEST_MODEL",
                                          "models/SmolLM2-135M-Instruct.Q4_1.gguf"))
IS_FAKE = "fake" in os.path.basename(PLMD)
# Under valgrind or a sanitizer everything takes longer.
PATIENCE = float(os.environ.get("PLM_TEST_PATIENCE", "1"))
WRAPPER = os.environ.get("PLM_TEST_WRAPPER", "").split()
CONTRACT = contract.Contract()
COUNTING = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,"


def prompt(tokens=4, us=0, **more):
    """A prompt that takes the fake engine tokens * us microseconds."""
    words = " ".join(f"{name}={value}" for name, value in more.items())
    return f"tokens={tokens} us={us} {words} {COUNTING}"


def long_generation(tokens=1500, us=1000, **params):
    """Params of a `complete` that runs for seconds."""
    return {"prompt": prompt(tokens, us), "max_tokens": tokens, "temperature": 0, **params}


class Closed(Exception):
    """The daemon closed the connection."""


class Client:
    def __init__(self, path, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.timeout = timeout * PATIENCE
        self.socket.settimeout(self.timeout)
        self.socket.connect(path)
        self.buffer = b""
        self.n = 0
        self.conversation = contract.Conversation(CONTRACT)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- lines ----

    def send_raw(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        self.conversation.sent(data)
        self.socket.sendall(data)

    def send(self, value):
        self.send_raw(json.dumps(value) + "\n")

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def receive_line(self, timeout=None):
        self.socket.settimeout(timeout * PATIENCE if timeout else self.timeout)
        while b"\n" not in self.buffer:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Closed()
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.conversation.received(line)
        return line

    def receive(self, timeout=None):
        return json.loads(self.receive_line(timeout))

    def silent(self, seconds=0.2):
        """Nothing comes."""
        try:
            line = self.receive_line(seconds)
        except (socket.timeout, TimeoutError):
            return True
        raise AssertionError(f"unexpected: {line[:300]!r}")

    def at_end(self, timeout=None):
        """The daemon closes and sends nothing more."""
        try:
            line = self.receive_line(timeout)
        except (Closed, ConnectionResetError):
            return True
        raise AssertionError(f"unexpected: {line[:300]!r}")

    # ---- requests ----

    def request(self, method, params=None, id=None):
        """Sends; returns the id."""
        self.n += 1
        id = self.n if id is None else id
        message = {"jsonrpc": "2.0", "id": id, "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)
        return id

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def response(self, id, timeout=None):
        """The response with this id, and the notifications before it."""
        notes = []
        while True:
            message = self.receive(timeout)
            if "method" in message:
                notes.append(message)
            elif message.get("id") == id:
                return message, notes
            else:
                raise AssertionError(f"expected id {id!r}: {str(message)[:300]}")

    def call(self, method, params=None, timeout=None):
        """The result; raises AssertionError for an error."""
        message, _ = self.response(self.request(method, params), timeout)
        assert "result" in message, f"{method}: {message}"
        return message["result"]

    def error(self, method, params=None):
        message, _ = self.response(self.request(method, params))
        assert "error" in message, f"{method}: {str(message)[:300]}"
        return check_error(message["error"])


def check_error(error, code=None):
    """An error of the contract's form; returns it."""
    CONTRACT.error(error)
    if code is not None:
        assert error["code"] == code, error
    return error


class Daemon:
    def __init__(self, *flags, env=None, model=None, path=None, wait=True, wrapper=True):
        self.folder = tempfile.mkdtemp(prefix="plmd-")
        self.path = path or os.path.join(self.folder, "plmd.sock")
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        command = [*(WRAPPER if wrapper else []), PLMD, "--model", model or MODEL, "--socket",
                   self.path, *flags]
        self.process = subprocess.Popen(command, stderr=self.log, stdout=self.log,
                                        env={**os.environ, "PLMD_CACHE_DIR": self.folder + "/kv",
                                             **(env or {})})
        if wait:
            self.wait_for("ok")

    def wait_for(self, status, seconds=20):
        end = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"plmd ended: {self.logged()}")
            try:
                with self.client() as client:
                    if client.call("health")["status"] == status:
                        return
            except (FileNotFoundError, ConnectionError, Closed):
                pass
            time.sleep(0.005)
        raise AssertionError(f"not {status} in time: {self.logged()}")

    def client(self, timeout=20):
        return Client(self.path, timeout)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=15):
        """Exit status."""
        return self.process.wait(seconds * PATIENCE)

    def logged(self):
        self.log.flush()
        with open(self.log.name, "rb") as log:
            return log.read().decode(errors="replace")[-2000:]

    def idle(self, seconds=5):
        """Waits until nothing is in flight."""
        end = time.monotonic() + seconds * PATIENCE
        with self.client() as client:
            while time.monotonic() < end:
                queue = client.call("stats")["queue"]
                if queue == {"depth": 0, "active": 0, "outside": 0}:
                    return
                time.sleep(0.01)
        raise AssertionError(f"still busy: {queue}")

    def stop(self):
        """Ends it; its status must be 0."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        log = self.logged()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode, log

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        status, log = self.stop()
        if kind is None:
            assert status == 0, f"exit status {status}: {log}"
            for word in ("ERROR SUMMARY: 0 errors",) if WRAPPER else ():
                assert word in log or "ERROR SUMMARY" not in log, log


def anonymous_kib(pid):
    """A process's private memory: RssAnon."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("RssAnon")).split()[1])


class Tally:
    """Counts checks and tells of those that fail, the first 40."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, holds, label, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            if self.failed <= 40:
                print(f"FAILED {label}: {str(detail)[:600]}", flush=True)
        return holds


# ---- running tests ----

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def main():
    """Runs what @test collected (or those named on the command line); the exit status says if all
    passed."""
    if not os.path.exists(PLMD) or not os.path.exists(MODEL):
        print(f"SKIP: {PLMD if not os.path.exists(PLMD) else MODEL} is missing")
        print("0 passed, 0 failed")
        return
    wanted = sys.argv[1:]
    passed = failed = 0
    for function in TESTS:
        if wanted and function.__name__ not in wanted:
            continue
        begin = time.monotonic()
        try:
            function()
            passed += 1
            verdict = "ok"
        except Exception:  # noqa: any failure is a failed test
            failed += 1
            verdict = "FAILED"
            traceback.print_exc()
        print(f"{verdict:6} {function.__name__} ({time.monotonic() - begin:.2f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
