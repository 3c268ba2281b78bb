#!/usr/bin/env python3
"""plmd.conf from outside: check and print, SIGHUP, and what the log looks like."""

import os
import re
import signal
import subprocess
import tempfile
import time

import harness
from harness import MODEL, PATIENCE, PLMD, Daemon, test

EXAMPLE = os.path.join(harness.ROOT, "packaging", "plmd.conf.example")
MODELS = f"[models]\nsmall = {MODEL}\n"
SETTING = re.compile(r"^#?([a-z-]+) = (.*)$")


class Conf:
    """A file of its own."""

    def __init__(self, text):
        self.folder = tempfile.mkdtemp(prefix="plmd-")
        self.path = os.path.join(self.folder, "plmd.conf")
        self.write(text)

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)


def run(*flags, env=None):
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PLMD_")}
    done = subprocess.run([PLMD, *flags], capture_output=True, text=True, timeout=20 * PATIENCE,
                          env={**bare, "PLMD_CONFIG": os.devnull, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def settings(text):
    """{key: (value, origin, is it commented out)}"""
    found, origin = {}, None
    for line in text.splitlines():
        if line.startswith("# origin: "):
            origin = line[len("# origin: "):]
        match = SETTING.match(line)
        if match:
            found[match[1]] = (match[2], origin, line.startswith("#"))
    return found


def wait_for_log(daemon, text, seconds=10):
    end = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < end:
        if text in daemon.logged():
            return
        time.sleep(0.01)
    raise AssertionError(f"not logged: {text!r}: {daemon.logged()}")


def limits(daemon):
    with daemon.client() as client:
        return client.call("hello")["limits"]


# ---- check and print ----

@test
def check():
    conf = Conf(MODELS)
    assert run("--config", conf.path, "--check-config") == (0, "ok\n", "")
    conf.write(MODELS + "[engine]\nthreads = 0\nspeed = 9\nctx\n[limits\n")
    status, said, problems = run("--config", conf.path, "--check-config")
    assert (status, said) == (2, "")
    wanted = ["4: threads: '0' is not a number from 1 to 256", "5: unknown key 'speed' in [engine]",
              "6: expected KEY = VALUE", "7: expected a [section]"]
    assert problems.splitlines() == [f"plmd: {conf.path}:{line}" for line in wanted], problems
    status, _, problems = run("--config", conf.path + "x", "--check-config")
    assert status == 2 and conf.path + "x: No such file" in problems, problems
    status, _, problems = run("--config", conf.path)  # serving refuses in the same words
    assert status == 2 and len(problems.splitlines()) == 4


@test
def check_touches_nothing():
    conf = Conf(f"[models]\nm = /no/such.gguf\n[server]\nsocket = /no/such/folder/s\n")
    assert run("--config", conf.path, "--check-config") == (0, "ok\n", "")
    assert os.listdir(conf.folder) == ["plmd.conf"]


@test
def print_origins():
    conf = Conf(MODELS + "[engine]\nctx = 512\nthreads = 1\n[limits]\nmax-line = 2M\n")
    status, text, _ = run("--config", conf.path, "--threads", "2", "--print-config",
                          env={"PLMD_MAX_QUEUE_JOBS": "5"})
    assert status == 0
    found = settings(text)
    assert found["threads"] == ("2", "--threads", False)
    assert found["ctx"] == ("512", f"{conf.path}:4", False)
    assert found["max-line"] == ("2M", f"{conf.path}:7", False)
    assert found["max-queue-jobs"] == ("5", "$PLMD_MAX_QUEUE_JOBS", False)
    assert found["max-in-flight"] == ("64", "default", False)
    assert found["socket"][1:] == ("default", True)
    assert found["small"] == (MODEL, f"{conf.path}:2", False)


@test
def print_round_trip():
    """What is printed, read back, is the same but for the origins."""
    flags = ["--model", f"a={MODEL}", "--model", MODEL, "--socket", "/tmp/s; t", "--threads", "1",
             "--kv-bytes", "100M", "--isa", "scalar", "--log-prompts", "--stall-timeout", "3"]
    status, first, _ = run(*flags, "--print-config")
    assert status == 0
    conf = Conf(first)
    assert run("--config", conf.path, "--check-config") == (0, "ok\n", "")
    status, second, _ = run("--config", conf.path, "--print-config")
    without = [[line for line in text.splitlines() if not line.startswith(("# origin", "# file"))]
               for text in (first, second)]
    assert status == 0 and without[0] == without[1]
    status, text, _ = run("--model", "a:b=/x", "--print-config")
    assert status == 0 and "a file cannot hold this value" in text
    status, text, _ = run("--print-config")  # a beginning for those who have none
    assert status == 0 and "\n#ALIAS = PATH\n" in text


@test
def example():
    """The example has every key and every default; uncommented it is a good file."""
    _, printed, _ = run("--print-config")
    with open(EXAMPLE, encoding="utf-8") as file:
        text = file.read()
    shown, wanted = settings(text), settings(printed)
    assert set(wanted) <= set(shown), set(wanted) - set(shown)
    for key, (value, _, unset) in wanted.items():
        assert shown[key][2], f"{key} is not commented out"
        assert unset or shown[key][0] == value, (key, shown[key], value)
    assert all(not line or line[0] in "#[" for line in text.splitlines()), "something is set"
    conf = Conf(re.sub(r"(?m)^#([A-Za-z-]+ = )", r"\1", text))
    assert run("--config", conf.path, "--check-config") == (0, "ok\n", "")
    sections = [line for line in printed.splitlines() if line.startswith("[")]
    assert [line for line in text.splitlines() if line.startswith("[")] == sections


@test
def default_file():
    """A user's own file is found without being named."""
    if os.geteuid() == 0 and os.path.exists("/etc/plm/plmd.conf"):
        return
    conf = Conf(MODELS)
    os.mkdir(os.path.join(conf.folder, "plm"))
    os.rename(conf.path, os.path.join(conf.folder, "plm", "plmd.conf"))
    env = {name: value for name, value in os.environ.items() if name != "PLMD_CONFIG"}
    env["XDG_CONFIG_HOME"] = conf.folder
    done = subprocess.run([PLMD, "--print-config"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    name = "none" if os.geteuid() == 0 else f"{conf.folder}/plm/plmd.conf"
    assert f"# file: {name}\n" in done.stdout, done.stdout


# ---- SIGHUP ----

@test
def reload():
    conf = Conf("[limits]\nmax-in-flight = 8\n[engine]\nthreads = 2\n")
    with Daemon("--config", conf.path, "--max-queue-jobs", "50") as daemon:
        assert limits(daemon)["in_flight"] == 8
        with daemon.client() as client:  # one connection from before
            client.call("health")
            conf.write("[limits]\nmax-in-flight = 3\nmax-queue-jobs = 9\nmax-line = 2K\n"
                       "[engine]\nthreads = 1\n[server]\nlog-level = debug\n")
            daemon.signal(signal.SIGHUP)
            wait_for_log(daemon, "configuration read again")
            log = daemon.logged()
            assert "SIGHUP: max-in-flight: 3, was 8" in log, log
            assert "SIGHUP: threads: 1 needs a restart, 2 is kept" in log, log
            assert "max-queue-jobs" not in log, log  # the flag wins, now as before
            found = limits(daemon)
            assert (found["in_flight"], found["queue_jobs"], found["max_line"]) == (3, 50, 2048)
            assert "debug: connection" in daemon.logged()
            client.send_raw('{"jsonrpc":"2.0","id":"' + 3000 * "x" + '"}\n')
            assert client.receive()["error"]["data"]["limit"] == 2048
            client.call("health")
        conf.write("[server]\nlog-level = error\n")
        daemon.signal(signal.SIGHUP)
        end = time.monotonic() + 10 * PATIENCE
        while limits(daemon)["in_flight"] != 64 and time.monotonic() < end:
            time.sleep(0.01)
        assert limits(daemon)["in_flight"] == 64  # what the file no longer says is the default
        quiet = len(daemon.logged())
        limits(daemon)
        assert len(daemon.logged()) == quiet


@test
def broken_reload():
    good = "[limits]\nmax-in-flight = 8\n"
    conf = Conf(good)
    with Daemon("--config", conf.path) as daemon:
        for text, why in (("[limits]\nmax-in-flight = 2\nmax-line = huge\n",
                           ":3: max-line: 'huge' is not a size"),
                          ("[limit]\n", ":1: unknown section [limit]"),
                          ("max-in-flight = 2\n", "before any [section]"), (None, "No such file")):
            if text is None:
                os.remove(conf.path)
            else:
                conf.write(text)
            daemon.signal(signal.SIGHUP)
            wait_for_log(daemon, f"error: SIGHUP: {conf.path}")
            wait_for_log(daemon, why)
            assert limits(daemon)["in_flight"] == 8
        conf.write("[limits]\nmax-in-flight = 5\n")
        daemon.signal(signal.SIGHUP)
        wait_for_log(daemon, "max-in-flight: 5, was 8")


@test
def many_reloads():
    """Signals during work lose nothing."""
    conf = Conf("")
    with Daemon("--config", conf.path) as daemon, daemon.client() as client:
        ids = [client.request("complete", {"prompt": harness.prompt(20, 1000), "max_tokens": 20,
                                           "temperature": 0}) for _ in range(8)]
        for i in range(50):
            conf.write(f"[limits]\nmax-in-flight = {64 + i}\nmax-queue-jobs = {20 + i}\n")
            daemon.signal(signal.SIGHUP)
            time.sleep(0.002)
        got = [client.receive() for _ in ids]
        assert sorted(message["id"] for message in got) == ids
        assert all("result" in message for message in got), got


def holds_hangup(process):
    """Waits until SIGHUP is blocked or caught; True if it is blocked."""
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            masks = {name: int(mask, 16) for name, mask in
                     (line.split(":\t") for line in file if line.startswith("Sig") and "/" not in line)}
        if masks["SigBlk"] & 1:
            return True
        if masks["SigCgt"] & 1:
            return False
    raise AssertionError("plmd ended")


@test
def reload_during_start():
    """A SIGHUP that comes before the loop runs neither ends the daemon nor is lost."""
    conf = Conf("[limits]\nmax-in-flight = 8\n")
    for _ in range(200):
        with Daemon("--config", conf.path, wait=False, wrapper=False) as daemon:
            held = holds_hangup(daemon.process)
            daemon.signal(signal.SIGHUP)
            daemon.wait_for("ok")
            wait_for_log(daemon, "configuration read again")
            if held:
                return
    raise AssertionError("never held back")


# ---- limits from flags ----

@test
def limits_hold():
    with Daemon("--max-connections", "3", "--max-in-flight", "2", "--max-line", "1K",
                "--line-timeout", "1") as daemon:
        clients = [daemon.client() for _ in range(3)]
        clients[0].call("health")
        with daemon.client() as fourth:
            assert fourth.receive()["error"]["code"] == 1001
            assert fourth.at_end()
        clients[1].send_raw('{"jsonrpc"')
        message = clients[1].receive(8)
        assert message["error"]["code"] == -32700 and clients[1].at_end()
        params = harness.long_generation()
        ids = [clients[2].request("complete", params) for _ in range(3)]
        assert clients[2].receive()["error"]["code"] == 1001
        for id in ids[:2]:
            clients[2].notify("$/cancelRequest", {"id": id})
        assert {clients[2].receive()["id"] for _ in range(2)} == set(ids[:2])
        for client in clients:
            client.close()


# ---- the log ----

def journal_env(file):
    status = os.fstat(file.fileno())
    return f"{status.st_dev}:{status.st_ino}"


def logged_with(stream, *flags):
    """What a daemon logs to a file, with $JOURNAL_STREAM set."""
    with tempfile.NamedTemporaryFile("r") as file, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        env = {**os.environ, "PLMD_CONFIG": os.devnull, "JOURNAL_STREAM": stream(file)}
        with open(file.name, "w") as out:
            process = subprocess.Popen([PLMD, "--model", MODEL, "--socket", path, *flags],
                                       stderr=out, env=env)
        while not os.path.exists(path):
            assert process.poll() is None
            time.sleep(0.005)
        harness.Client(path).call("health")
        process.terminate()
        assert process.wait(20 * PATIENCE) == 0
        return file.read().splitlines()


@test
def journal_prefixes():
    lines = logged_with(journal_env, "--log-level", "debug")
    assert any(line.startswith("<6>listening on ") for line in lines), lines
    assert any(line.startswith("<7>connection 1: ") for line in lines), lines
    assert all(re.match(r"<[3467]>[a-z]", line) for line in lines), lines


@test
def no_journal():
    """$JOURNAL_STREAM that means another file changes nothing."""
    for stream in (lambda file: "1:2", lambda file: journal_env(file) + "0", lambda file: ""):
        for line in logged_with(stream):
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ plmd: (info|warn|error): ", line), line


@test
def prompts():
    """Never in the log, unless asked for: then short and escaped."""
    secret = "s3cret\n\x1b[31m\u00e9" + 500 * "x"
    params = {"messages": [{"role": "user", "content": secret}], "max_tokens": 1}
    for flags, wanted in ((["--log-level", "debug"], False), (["--log-prompts"], True)):
        with Daemon(*flags) as daemon, daemon.client() as client:
            client.request("chat", params)
            client.receive()
            client.request("complete", {"prompt": secret, "max_tokens": 1})
            client.receive()
            log = daemon.logged()
            assert ("s3cret" in log) == wanted, log
            assert not wanted or log.count(r's3cret\n\x1b[31m\xc3\xa9xxx') == 2, log
            assert 300 * "x" not in log


harness.main()
