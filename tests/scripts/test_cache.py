#!/usr/bin/env python3
"""What was computed outlives the daemon: killed at any instant, stopped, its files damaged, forged or
gone, its directory unusable. The answers are those of a daemon that keeps nothing."""

import os
import random
import shutil
import struct
import tempfile
import time

import harness
from harness import Closed, Daemon, IS_FAKE, main, test

FACTS = " ".join(f"Fact {i}: city {i} lies {i * 7 % 13} miles from river {i * 3}." for i in range(40))
QUESTION = {"messages": [{"role": "system", "content": FACTS}, {"role": "user", "content": "Count to ten."}],
            "max_tokens": 24, "temperature": 0}
BLOCK = 32
SHORT = {"prompt": " one two three four five six seven eight nine ten" * 5, "max_tokens": 10, "temperature": 0}


class Folder:
    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="plm-cache-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def daemon(self, *flags):
        return Daemon(*flags, "--cache-dir", self.path + "/kv")

    def files(self):
        return sorted(os.path.join(at, name) for at, _, names in os.walk(self.path + "/kv") for name in names)


def ask(daemon, method="chat", params=None):
    with daemon.client(60) as client:
        return client.call(method, params or QUESTION)


def said(result):
    """What must be the same wherever the beginning came from."""
    usage = {name: value for name, value in result["usage"].items() if name not in ("cached_tokens",)}
    return result["content"], result["calls"], result["finish_reason"], usage


def disk(daemon):
    with daemon.client() as client:
        return {name[5:]: value for name, value in client.call("cache.stats").items() if name.startswith("disk_")}


def written(daemon, n, seconds=10):
    """Waits until n blocks are on disk."""
    end = time.monotonic() + seconds * harness.PATIENCE
    while disk(daemon)["written_blocks"] < n:
        assert time.monotonic() < end, disk(daemon)
        time.sleep(0.01)


def kill(daemon):
    daemon.process.kill()
    daemon.process.wait()
    daemon.stop()


REFERENCE = {}


def reference(method="chat", params=None):
    """The answer of a daemon that keeps nothing."""
    key = str(params)
    if key not in REFERENCE:
        with Daemon("--cache-dir", "none") as daemon:
            REFERENCE[key] = said(ask(daemon, method, params))
            assert disk(daemon)["written_blocks"] == 0
    return REFERENCE[key]


@test
def killed_in_mid_answer():
    with Folder() as folder:
        daemon = folder.daemon()
        client = daemon.client()
        client.request("chat", {**QUESTION, "max_tokens": 2000, "stream": True})
        while client.receive().get("method") != "token":
            pass
        written(daemon, 20)
        kill(daemon)
        with folder.daemon() as daemon:
            result = ask(daemon)
            usage = result["usage"]
            assert result["cache"]["source"] == "disk", result
            assert usage["cached_tokens"] == (usage["prompt_tokens"] - 1) // BLOCK * BLOCK, usage
            assert said(result) == reference(), result
            again = ask(daemon)
            assert again["cache"]["source"] == "ram" and said(again) == reference()


@test
def killed_at_any_instant():
    with Folder() as folder:
        chance = random.Random(3)
        for _ in range(6):
            daemon = folder.daemon()
            client = daemon.client()
            client.request("chat", {**QUESTION, "max_tokens": 500})
            time.sleep(chance.random() * 0.6)
            kill(daemon)
        with folder.daemon() as daemon:
            assert said(ask(daemon)) == reference()
            assert disk(daemon)["rejected_blocks"] == 0, disk(daemon)
        assert not [name for name in folder.files() if not name.endswith(".kv")][6:]


@test
def stopped_in_order():
    """A short prompt is kept when the daemon ends, or when it comes again."""
    with Folder() as folder:
        with folder.daemon() as daemon:
            ask(daemon, "complete", SHORT)
            assert disk(daemon)["written_blocks"] == 0
        with folder.daemon() as daemon:
            result = ask(daemon, "complete", SHORT)
            assert result["cache"] == {**result["cache"], "source": "disk", "hit_tokens": BLOCK}, result
            assert said(result) == reference("complete", SHORT)
        for name in folder.files():
            os.unlink(name)
        daemon = folder.daemon()
        ask(daemon, "complete", SHORT)
        ask(daemon, "complete", SHORT)
        written(daemon, 1)
        kill(daemon)


@test
def answers_wait():
    """What was generated is written when it is used again, as part of the next prompt, or at the end."""
    with Folder() as folder:
        with folder.daemon() as daemon:
            long = {"prompt": " one two three four five six seven eight nine ten" * 30, "temperature": 0}
            first = ask(daemon, "complete", {**long, "max_tokens": 200})
            prompt = first["usage"]["prompt_tokens"] // BLOCK
            assert first["usage"]["completion_tokens"] == 200, first
            written(daemon, prompt)
            time.sleep(0.3)
            assert disk(daemon)["written_blocks"] == prompt, disk(daemon)
            ask(daemon, "complete", {"prompt": long["prompt"] + first["content"], "max_tokens": 1})
            written(daemon, prompt + 4)
        assert len(folder.files()) >= prompt + 5


@test
def not_to_be_kept():
    with Folder() as folder:
        with folder.daemon() as daemon:
            ask(daemon, params={**QUESTION, "cache": {"store": False}})
        assert folder.files() == []


@test
def damaged():
    with Folder() as folder:
        chance = random.Random(4)
        with folder.daemon() as daemon:
            ask(daemon)
        n = len(folder.files())
        assert n >= 20, n
        rejected = 0
        for _ in range(5):
            for name in chance.sample(folder.files(), 3):
                with open(name, "r+b") as file:
                    size = os.path.getsize(name)
                    at = chance.randrange(size)
                    how = chance.randrange(3)
                    if how == 0:
                        file.truncate(at)
                    else:
                        file.seek(at)
                        byte = file.read(1)[0]
                        file.seek(at)
                        file.write(bytes([byte ^ 1 << chance.randrange(8)]))
            with folder.daemon() as daemon:
                result = ask(daemon)
                assert said(result) == reference(), result
                rejected += disk(daemon)["rejected_blocks"]
        assert rejected > 0
        assert len(folder.files()) >= n, "what was damaged is written again"


@test
def exchanged():
    """Every file under another's name."""
    with Folder() as folder:
        with folder.daemon() as daemon:
            ask(daemon)
        names = folder.files()
        for name in names:
            os.rename(name, name + ".x")
        for name, other in zip(names, names[1:] + names[:1]):
            os.rename(name + ".x", other)
        with folder.daemon() as daemon:
            result = ask(daemon)
            assert result["cache"]["source"] == "none" and said(result) == reference()
            assert disk(daemon)["rejected_blocks"] == 1


# ---- forged: whoever can write there can make good checksums ----

MASK = (1 << 64) - 1


def mix(value, more):
    z = ((value ^ more) + 0x9E3779B97F4A7C15 + (value << 6) + (value >> 2)) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def step(lane, word):
    lane = ((lane ^ word) * 0x9E3779B97F4A7C15) & MASK
    return (lane << 29 | lane >> 35) & MASK


def checksum(seed, data):
    lanes = [seed, ~seed & MASK, seed ^ len(data), seed + 1]
    whole = len(data) // 32 * 32
    words = struct.unpack(f"<{whole // 8}Q", data[:whole])
    for i in range(0, len(words), 4):
        for k in range(4):
            lanes[k] = step(lanes[k], words[i + k])
    rest = struct.unpack("<4Q", data[whole:].ljust(32, b"\0"))
    total = mix(seed, len(data))
    for k in range(4):
        total = mix(total, step(lanes[k], rest[k]))
    return total


@test
def forged():
    """Numbers that are none: the daemon lives, and recovers when the file is gone."""
    with Folder() as folder:
        with folder.daemon() as daemon:
            ask(daemon, "complete", SHORT)
        (name,) = folder.files()
        with open(name, "rb") as file:
            data = file.read()
        n_tokens = struct.unpack_from("<I", data, 72)[0]
        head = (80 + 4 * n_tokens + 63) // 64 * 64
        total = checksum(checksum(1, data[16:head]), data[head:])
        assert total == struct.unpack_from("<Q", data, 8)[0], "the format has changed"
        for value in (0x7E00, 0x7C00, 0xFC00, 0xFFFF, 0x7BFF):  # NaN, infinities, the largest
            numbers = struct.pack("<H", value) * ((len(data) - head) // 2)
            total = checksum(checksum(1, data[16:head]), numbers)
            with open(name, "wb") as file:
                file.write(data[:8] + struct.pack("<Q", total) + data[16:head] + numbers)
            daemon = folder.daemon()
            assert disk(daemon)["rejected_blocks"] == 0
            result = ask(daemon, "complete", SHORT)
            assert result["cache"]["source"] == "disk"
            ask(daemon, "complete", {**SHORT, "temperature": 1, "response_format": {"type": "json_object"}})
            kill(daemon)
        os.unlink(name)
        with folder.daemon() as daemon:
            assert said(ask(daemon, "complete", SHORT)) == reference("complete", SHORT)


# ---- directories ----


@test
def unusable_directory():
    with Folder() as folder:
        os.mkdir(folder.path + "/kv", 0o755)
        with folder.daemon() as daemon:
            assert said(ask(daemon)) == reference()
            assert "closed to others" in daemon.logged()
            assert disk(daemon)["written_blocks"] == 0
        assert folder.files() == []
    with Daemon("--cache-dir", "/proc/none/of/it") as daemon:
        assert said(ask(daemon)) == reference()
        assert "can't be made" in daemon.logged()


@test
def default_directory():
    """Without a word it is the user's own."""
    with Folder() as folder:
        env = {"PLMD_CACHE_DIR": "", "CACHE_DIRECTORY": folder.path + "/of-unit:/other"}
        with Daemon(env=env) as daemon:
            ask(daemon)
        assert os.stat(folder.path + "/of-unit").st_mode & 0o777 == 0o700
        if os.geteuid() != 0:
            with Daemon(env={"PLMD_CACHE_DIR": "", "XDG_CACHE_HOME": folder.path + "/x"}) as daemon:
                ask(daemon)
            assert os.path.isdir(folder.path + "/x/plmd")


@test
def removed_while_running():
    with Folder() as folder:
        with folder.daemon() as daemon:
            ask(daemon)
            shutil.rmtree(folder.path + "/kv")
            assert said(ask(daemon)) == reference()
            ask(daemon, params={**QUESTION, "messages": QUESTION["messages"][:1] + [
                {"role": "user", "content": "Name a river. " * 20}]})
            assert said(ask(daemon)) == reference()


@test
def shared_by_two():
    with Folder() as folder, folder.daemon() as one, folder.daemon() as two:
        for _ in range(3):
            assert said(ask(one)) == said(ask(two)) == reference()
        assert disk(one)["rejected_blocks"] == disk(two)["rejected_blocks"] == 0


@test
def budget():
    """Less room than one prompt takes: never more is used, and the answers are the same."""
    with Folder() as folder:
        for turn in range(3):
            with folder.daemon("--cache-bytes", "8M") as daemon:
                for i in range(3):
                    question = {**QUESTION, "messages": [{"role": "user", "content": f"{turn} {i} " + FACTS}]}
                    ask(daemon, params={**question, "max_tokens": 2})
                assert said(ask(daemon)) == reference()
            used = sum(os.path.getsize(name) for name in folder.files())
            assert 0 < used <= 8 << 20, used


@test
def little_memory():
    """What memory had to give up comes back from the disk."""
    with Folder() as folder, folder.daemon("--kv-bytes", "40M", "--ctx", "1600") as daemon:
        seen = set()
        for i in range(3):
            result = ask(daemon)
            seen.add(result["cache"]["source"])
            assert said(result) == reference()
            written(daemon, 20)
            for k in range(2):
                other = [{"role": "user", "content": f"{i} {k} " + FACTS}]
                ask(daemon, params={**QUESTION, "messages": other, "max_tokens": 2})
        assert "disk" in seen, seen


if __name__ == "__main__":
    if IS_FAKE:
        print("SKIP: the fake engine keeps nothing")
    else:
        main()
