#!/usr/bin/env python3
"""Models come and go under load: unloading beside work that needs the model, cancelled, and by a peer
that goes away; schemas checked without any model in memory."""

from harness import Daemon, MODEL, main, test

TINY = {"prompt": "x", "max_tokens": 1}


def serve():
    return Daemon("--model", f"b={MODEL}", model=f"a={MODEL}")


def gather(client, ids):
    got = {answer["id"]: answer for answer in (client.receive(100) for _ in ids)}
    assert set(got) == set(ids)
    return [got[id]["error"]["code"] if "error" in got[id] else 0 for id in ids]


@test
def work_waits_for_the_model():
    with serve() as daemon, daemon.client(100) as c:
        for _ in range(3):
            ids = [c.request("model.unload", {"model": "b"}), c.request("chat", {**TINY, "model": "b"}),
                   c.request("tokenize", {"text": "x", "model": "b"}), c.request("model.unload", {"model": "b"})]
            *done, again = gather(c, ids)
            assert done == [0, 0, 0] and again in (0, 1001, 1005), (done, again)


@test
def unloading_is_cancelled():
    with serve() as daemon, daemon.client(100) as c:
        for _ in range(3):
            id = c.request("model.unload", {"model": "b"})
            assert gather(c, [id, c.request("cancel", {"id": id})]) in ([0, 0], [1010, 0])
            assert c.call("tokenize", {"text": "x", "model": "b"}, 100)["tokens"]


@test
def the_admin_goes_away():
    with serve() as daemon:
        with daemon.client() as c:
            c.request("model.unload", {"model": "b"})
        with daemon.client(100) as c:
            assert c.call("chat", {**TINY, "model": "b"}, 100)["model"] == "b"


@test
def nothing_loaded():
    with serve() as daemon, daemon.client(100) as c:
        before = c.call("chat", TINY)["usage"]["prompt_tokens"]
        for alias in "ab":
            assert c.call("model.unload", {"model": alias}) == {"unloaded": True}
        assert c.call("model.unload", {"model": "a"}) == {"unloaded": False}
        assert c.call("hello")["model"] == {"alias": "a", "loaded": False}
        assert c.call("health")["status"] == "ok"
        assert c.call("stats")["engine"]["prompt_tokens"] == before  # what was counted stays counted
        assert c.error("model.info")["data"]["reason"] == "unloaded"
        assert c.call("schema.check", {"schema": True}, 100)["supported"]
        c.request("model.unload", {"model": "a"})
        c.request("shutdown")


if __name__ == "__main__":
    main()
