#!/usr/bin/env python3
"""OpenAI's own clients, for Python and for Go, talk to plmd through plm-bridge.

Their packages come from the network: build/openai (tools/fetch-openai), and tests/openai-go's modules. Where they
can't be had the tests say SKIP.
"""

import json
import os
import subprocess
import sys

import agents
import harness
from agents import Bridge
from harness import Daemon, test

PACKAGE = os.path.join(harness.ROOT, "build", "openai")
GO_TESTS = os.path.join(harness.ROOT, "tests", "openai-go")
WEATHER = [{"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
ASK = {"messages": [{"role": "user", "content": "What is the weather in Oslo?"}], "temperature": 0, "max_tokens": 12}
CALL = {**ASK, "tools": WEATHER, "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 100}


def package():
    """The module openai, or None."""
    if os.path.isdir(PACKAGE):
        sys.path.insert(0, PACKAGE)
    try:
        import openai
    except ImportError:
        print("SKIP: there is no Python package openai (make agents fetches it)")
        return None
    return openai


def chats(client, model):
    whole = client.chat.completions.create(model=model, **ASK)
    text = whole.choices[0].message.content
    assert text and whole.usage.completion_tokens <= 12, whole
    chunks = list(client.chat.completions.create(model=model, **ASK, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens, chunks[-1]
    done = client.completions.create(model=model, prompt="The capital of France is", max_tokens=4, temperature=0)
    assert "Paris" in done.choices[0].text, done


def calls(client, model):
    made = client.chat.completions.create(model=model, **CALL).choices[0]
    function = made.message.tool_calls[0].function
    assert made.finish_reason == "tool_calls" and isinstance(json.loads(function.arguments)["city"], str)
    parts = [chunk.choices[0].delta for chunk in client.chat.completions.create(model=model, **CALL, stream=True)]
    assert [part.tool_calls[0].function.arguments for part in parts if part.tool_calls] == [function.arguments]
    assert not "".join(part.content or "" for part in parts), parts  # no markup
    # The call and its result go back as the package's own objects.
    messages = [*ASK["messages"], made.message, {"role": "tool", "tool_call_id": made.message.tool_calls[0].id,
                                                 "content": "4 degrees, rain"}]
    answer = client.chat.completions.create(model=model, **{**CALL, "messages": messages, "tool_choice": "none"})
    assert answer.choices[0].message.content, answer
    with client.chat.completions.stream(model=model, **CALL) as stream:  # the package's own assembly
        for _ in stream:
            pass
        final = stream.get_final_completion().choices[0].message
    assert final.tool_calls[0].function.arguments == function.arguments, final


def errors(openai, client, model):
    for bad, kind in (({"n": 2}, openai.BadRequestError), ({"max_tokens": 0}, openai.BadRequestError),
                      ({"messages": [{"role": "user", "content": "word " * 9000}]}, openai.BadRequestError),
                      ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
                       openai.BadRequestError)):
        for stream in (False, True):
            try:
                client.chat.completions.create(**{"model": model, **ASK, **bad, "stream": stream})
            except kind as error:
                assert error.code and error.body["message"], error
            else:
                raise AssertionError(bad)


@test
def the_python_package():
    openai = package()
    if not openai:
        return
    daemon = Daemon()
    with Bridge(daemon) as bridge:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{bridge.port}/v1", api_key="none", max_retries=0)
        model = client.models.list().data[0].id
        chats(client, model)
        calls(client, model)
        errors(openai, client, model)
        daemon.stop()
        try:
            client.chat.completions.create(model=model, **ASK)
        except openai.InternalServerError as error:
            assert error.status_code == 503, error
        else:
            raise AssertionError("nobody was there")


@test
def the_go_package():
    fetched = subprocess.run(["go", "mod", "download"], cwd=GO_TESTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, check=False)
    if fetched.returncode:
        print(f"SKIP: the modules of OpenAI's Go client can't be fetched: {fetched.stdout[-200:]!r}")
        return
    with Daemon() as daemon, Bridge(daemon) as bridge:
        run = subprocess.run(["go", "test", "-count=1", "-v", "."], cwd=GO_TESTS, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False,
                             env={**os.environ, "PLM_BRIDGE": f"http://127.0.0.1:{bridge.port}/v1"})
        assert run.returncode == 0 and "--- SKIP" not in run.stdout, run.stdout
        assert run.stdout.count("--- PASS") == 3, run.stdout


if __name__ == "__main__":
    agents.main(with_agent=False)
