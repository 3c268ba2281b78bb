#!/usr/bin/env python3
"""Start, readiness, drain and end of the daemon; its socket file; its footprint when idle."""

import grp
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

from harness import (Closed, Client, Daemon, IS_FAKE, MODEL, PATIENCE, PLMD, WRAPPER, anonymous_kib, check_error,
                     long_generation, main, prompt, test)


def run(*flags, env=None, model=True):
    """Runs plmd to its end; returns status and stderr."""
    command = [PLMD, *(["--model", MODEL] if model else []), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20 * PATIENCE,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stderr, done.stdout


def folder():
    return tempfile.mkdtemp(prefix="plmd-")


# ---- command line ----

@test
def usage():
    for flags in (["--nonsense"], ["--threads"], ["--threads", "0"], ["--threads", "x"],
                  ["--max-line", "12Q"], ["--log-level", "loud"], ["extra"]):
        status, said, _ = run(*flags)
        assert status == 2 and said.startswith("plmd: ") and said.count("\n") == 1, (flags, said)
    status, said, _ = run(model=False)
    assert status == 2 and "--model" in said
    status, _, said = run("--help")
    assert status == 0 and "usage: plmd" in said
    status, _, said = run("--version")
    assert status == 0 and said.startswith("plmd ")
    status, said, _ = run(env={"PLMD_THREADS": "many"})
    assert status == 2 and "PLMD_THREADS" in said


@test
def bad_models():
    path = os.path.join(folder(), "s")
    status, said, _ = run("--model", "/no/such.gguf", "--socket", path, model=False)
    assert status == 1 and said.count("\n") == 1 and "/no/such.gguf" in said, said
    assert not os.path.exists(path)
    garbage = os.path.join(folder(), "garbage.gguf")
    with open(garbage, "wb") as file:
        file.write(b"GGUF" + os.urandom(1000))
    status, said, _ = run("--model", garbage, "--socket", path, model=False,
                          env={"FAKE_LOAD_FAIL": "1"})
    assert status == 1 and "cannot use the model" in said, said
    assert not os.path.exists(path)


@test
def bad_socket_paths():
    status, said, _ = run("--socket", "/tmp/" + "x" * 120)
    assert status == 1 and "too long" in said and said.count("\n") == 1, said
    status, said, _ = run("--socket", "/no/such/folder/plmd.sock")
    assert status == 1 and "/no/such/folder" in said, said
    file = os.path.join(folder(), "file")
    with open(file, "w") as f:
        f.write("precious")
    status, said, _ = run("--socket", file)
    assert status == 1 and "not a socket" in said, said
    with open(file) as f:
        assert f.read() == "precious"
    status, said, _ = run("--socket", os.path.join(folder(), "s"), "--socket-group", "no-such-grp")
    assert status == 1 and "no-such-grp" in said, said


# ---- the socket file ----

@test
def socket_file():
    path = os.path.join(folder(), "new", "plmd.sock")
    with Daemon(path=path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    assert not os.path.exists(path)
    if os.geteuid() == 0:
        group = grp.getgrgid(os.getgid()).gr_name
        path = os.path.join(folder(), "new", "plmd.sock")
        with Daemon("--socket-group", group, path=path):
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o660


@test
def default_places():
    runtime = folder()
    if os.geteuid() == 0:
        return
    daemon = subprocess.Popen([PLMD, "--model", MODEL], env={"XDG_RUNTIME_DIR": runtime})
    time.sleep(0.5)
    assert os.path.exists(runtime + "/plmd/plmd.sock")
    daemon.terminate()
    assert daemon.wait() == 0


@test
def second_start_is_refused():
    with Daemon() as first:
        status, said, _ = run("--socket", first.path)
        assert status == 1 and "already serves" in said and said.count("\n") == 1, said
        with first.client() as c:
            assert c.call("health")["status"] == "ok"


@test
def stale_socket_is_replaced():
    first = Daemon(wrapper=False)
    first.process.kill()
    first.process.wait()
    assert os.path.exists(first.path)
    with Daemon(path=first.path) as second, second.client() as c:
        assert c.call("health")["status"] == "ok"


@test
def foreign_listener_is_left_alone():
    path = os.path.join(folder(), "s")
    other = socket.socket(socket.AF_UNIX)
    other.bind(path)
    other.listen()
    status, said, _ = run("--socket", path)
    assert status == 1 and "already serves" in said, said
    assert os.path.exists(path)


@test
def replaced_socket_is_not_removed():
    daemon = Daemon()
    os.unlink(daemon.path)
    other = socket.socket(socket.AF_UNIX)
    other.bind(daemon.path)
    daemon.signal(signal.SIGTERM)
    daemon.wait()
    assert os.path.exists(daemon.path)
    daemon.stop()


@test
def inherited_socket():
    path = os.path.join(folder(), "s")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    starter = ("import os,sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_FDS']='1';"
               "os.environ['LISTEN_PID']=str(os.getpid());"
               "os.execv(sys.argv[2], sys.argv[2:])")
    daemon = subprocess.Popen([sys.executable, "-c", starter, str(listening.fileno()), PLMD,
                               "--model", MODEL], pass_fds=[listening.fileno()],
                              stderr=subprocess.DEVNULL)
    listening.close()
    with Client(path) as c:
        assert c.call("health")["status"] in ("ok", "loading")
    daemon.terminate()
    assert daemon.wait(10 * PATIENCE) == 0
    assert os.path.exists(path)  # it is not ours to remove


@test
def others_listen_fds_are_ignored():
    path = os.path.join(folder(), "s")
    with Daemon(path=path, env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}):
        assert os.path.exists(path)


@test
def service_manager_is_told():
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(os.path.join(folder(), "notify"))
    manager.settimeout(20 * PATIENCE)
    with Daemon(env={"NOTIFY_SOCKET": manager.getsockname()}) as daemon:
        assert manager.recv(100) == b"READY=1"
        daemon.signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"


# ---- loading ----

@test
def ready_soon():
    """exec to the first health with status ok."""
    if WRAPPER:
        return
    times = []
    for _ in range(5):
        begin = time.monotonic()
        with Daemon():
            times.append(time.monotonic() - begin)
    print(f"       ready after {sorted(times)[2] * 1e3:.0f} ms (median of 5)")


@test
def while_loading():
    if not IS_FAKE:
        return
    with Daemon(wait=False, env={"FAKE_LOAD_MS": "1000"}) as daemon:
        daemon.wait_for("loading")
        with daemon.client() as c:
            assert c.error("model.info")["code"] == 1005
            assert c.call("hello")["server"] == "plmd"
            c.request("tokenize", {"text": "ab"}, id="t")
            c.request("complete", {"prompt": prompt()}, id="g")
            c.request("complete", {"prompt": prompt(), "model": "other"}, id="m")
            c.request("complete", {"prompt": prompt()}, id="x")
            c.request("complete", {"prompt": prompt(), "deadline_ms": 50}, id="d")
            c.request("cancel", {"id": "x"}, id="c")
            answers = {a["id"]: a for a in (c.receive() for _ in range(6))}
            assert answers["x"]["error"]["code"] == 1010
            assert check_error(answers["d"]["error"], 1002)["data"]["phase"] == "queued"
            assert "result" in answers["t"] and "result" in answers["g"]
            assert answers["m"]["error"]["code"] == -32602


@test
def load_that_fails_late():
    if not IS_FAKE:
        return
    daemon = Daemon(wait=False, env={"FAKE_LOAD_MS": "500", "FAKE_LOAD_FAIL": "1"})
    daemon.wait_for("loading")
    with daemon.client() as c:
        c.request("complete", {"prompt": prompt()}, id="g")
        check_error(c.receive()["error"], 1005)
        c.at_end()
    assert daemon.wait() == 1
    daemon.stop()


# ---- the end ----

@test
def drain():
    daemon = Daemon()
    with daemon.client() as c, daemon.client() as idle, daemon.client() as late:
        c.request("complete", long_generation(300, 2000), id="g")
        late.call("health")
        idle.call("health")
        time.sleep(0.05)
        daemon.signal(signal.SIGTERM)
        time.sleep(0.05)
        assert not os.path.exists(daemon.path)
        assert late.call("health")["status"] == "draining"
        assert late.error("complete", {"prompt": prompt()})["code"] == 1006
        answer = c.receive()
        assert answer["id"] == "g" and "result" in answer, answer
        c.at_end()
        idle.at_end()
    assert daemon.wait() == 0
    daemon.stop()


@test
def drain_answers_what_was_sent_before_the_end():
    """Lines that lie in the socket when the daemon ends are answered too."""
    for _ in range(10):
        daemon = Daemon()
        with daemon.client() as c:
            daemon.signal(signal.SIGTERM)
            sent = 0
            try:
                for i in range(200):
                    c.request("tokenize", {"text": "a"}, id=i)
                    sent += 1
            except (BrokenPipeError, ConnectionResetError):
                pass
            got = []
            try:
                while True:
                    got.append(c.receive()["id"])
            except (Closed, ConnectionResetError):
                pass
            assert sorted(got) == list(range(sent)), (sent, len(got))
        assert daemon.wait() == 0
        daemon.stop()


@test
def drain_is_bounded():
    daemon = Daemon("--drain-timeout", "1")
    with daemon.client() as c:
        for i in range(30):
            c.request("complete", long_generation(8000, 2000), id=i)
        c.call("health")
        begin = time.monotonic()
        daemon.signal(signal.SIGTERM)
        for _ in range(30):
            error = check_error(c.receive()["error"])
            assert error["code"] == 1006 or error["data"]["reason"] == "admin", error
        assert 0.9 < time.monotonic() - begin < 1 + 2 * PATIENCE
    assert daemon.wait() == 0
    daemon.stop()


@test
def second_signal_cancels():
    daemon = Daemon()
    with daemon.client() as c:
        c.request("complete", long_generation(8000, 2000), id="g")
        time.sleep(0.1)
        daemon.signal(signal.SIGTERM)
        time.sleep(0.1)
        begin = time.monotonic()
        daemon.signal(signal.SIGTERM)
        error = check_error(c.receive()["error"], 1010)
        assert error["data"]["reason"] == "admin"
        assert time.monotonic() - begin < 1 * PATIENCE
    assert daemon.wait() == 0
    daemon.stop()


@test
def end_while_preparing():
    """A prep worker that is busy does not hold the end up."""
    if not IS_FAKE:
        return
    daemon = Daemon("--drain-timeout", "0")
    with daemon.client() as c:
        c.request("complete", {"prompt": prompt(prep_ms=8000)}, id="g")
        time.sleep(0.1)
        daemon.signal(signal.SIGINT)
        check_error(c.receive()["error"], 1010)
        c.at_end()
    assert daemon.wait(4) == 0
    daemon.stop()


@test
def reader_that_blocks_does_not_hold_the_end_up():
    daemon = Daemon("--drain-timeout", "1")
    with daemon.client() as c:
        for i in range(20):
            c.request("rpc.discover", id=i)
        time.sleep(0.2)
        begin = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(15) == 0
        assert time.monotonic() - begin < 8 * PATIENCE
    daemon.stop()


@test
def killed_client_and_daemon():
    for _ in range(3):
        daemon = Daemon(wrapper=False)
        clients = [daemon.client() for _ in range(3)]
        for c in clients:
            c.request("complete", long_generation(500, 500, stream=True))
            c.receive()
        clients[0].close()
        daemon.process.kill()
        daemon.process.wait()
        with Daemon(path=daemon.path) as again, again.client() as c:
            assert "content" in c.call("complete", {"prompt": prompt(), "max_tokens": 2})


# ---- idle ----

def switches(pid):
    """Voluntary context switches and CPU time (ns) of all threads."""
    n = time_ns = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            n += int(next(l for l in f if l.startswith("voluntary")).split()[1])
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            time_ns += int(f.read().split()[0])
    return n, time_ns


@test
def idle():
    if WRAPPER:
        return
    with Daemon() as daemon, daemon.client() as c:
        fresh = anonymous_kib(daemon.process.pid)
        for i in range(3):
            c.call("complete", {"prompt": prompt(), "max_tokens": 8})
        time.sleep(0.5)
        n, time_ns = switches(daemon.process.pid)
        time.sleep(5)
        n2, time_ns2 = switches(daemon.process.pid)
        print(f"       {n2 - n} wake-ups and {(time_ns2 - time_ns) / 1e6:.3f} ms of CPU in 5 s; "
              f"RssAnon {fresh} KiB fresh, {anonymous_kib(daemon.process.pid)} KiB after work")
        assert n2 - n <= 5


@test
def program_is_small():
    """Stripped, on x86-64, in the usual build: what is added should be seen, and the ceiling moved on purpose."""
    with open(PLMD, "rb") as program:
        content = program.read()
    instrumented = any(word in content for word in (b"__asan_init", b"__tsan_init", b"__ubsan_handle"))
    if IS_FAKE or instrumented or os.uname().machine != "x86_64":
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "plmd")
        subprocess.run(["strip", "-o", copy, PLMD], check=True)
        size = os.path.getsize(copy)
    print(f"       {size} bytes")
    assert size <= 700_000, size


@test
def no_descriptor_leaks():
    if WRAPPER:
        return
    with Daemon() as daemon:
        def descriptors():
            return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        daemon.idle()
        time.sleep(0.1)
        before = descriptors()
        for i in range(200):
            with daemon.client() as c:
                c.request("complete", {"prompt": prompt(), "max_tokens": 2})
                if i % 2:
                    c.receive()
                if i % 3 == 0:
                    c.half_close()
        daemon.idle()
        time.sleep(0.1)
        assert descriptors() == before


@test
def out_of_descriptors():
    """Accepting pauses, what is connected is served, and it goes on when there is room."""
    if WRAPPER:
        return
    path = os.path.join(folder(), "s")
    command = f"ulimit -n 24; exec {PLMD} --model {MODEL} --socket {path}"
    daemon = subprocess.Popen(["sh", "-c", command], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 10 * PATIENCE
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.01)
    first = Client(path)
    first.call("health")
    many = [Client(path) for _ in range(40)]
    time.sleep(0.3)
    assert first.call("health")["uptime_s"] > 0
    for c in many:
        c.close()
    with Client(path) as late:
        assert late.call("health")["uptime_s"] > 0
    first.close()
    daemon.terminate()
    assert daemon.wait(10 * PATIENCE) == 0


if __name__ == "__main__":
    main()
