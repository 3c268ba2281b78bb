#!/usr/bin/env python3
"""The wire contract's sentences about tool_call, chat and complete; test_protocol.py says where the others are held.

tool_call
  messages or prompt; tools 1-1024                              prompt_or_messages number_of_tools
  messages, parts, echoed calls, their forms                    message_forms other_members_are_ignored
  tools in three forms, names, unique                           tool_forms tool_names
  an absent schema has no properties; arguments are closed      closed_arguments
  malformed: -32602; unsatisfiable: 1004; too long: 1003        refused_schemas
  tool_choice                                                   tool_choices
  max_calls                                                     several_calls
  max_tokens, deadline_ms, stop, now, model, priority           budgets endless_values stops now_and_model
  json_style; reasoning, overflow, widen                        styles not_yet
  sampling: ranges, order, logprobs                             ranges order_of_sampling logprobs
  stream, progress                                              (test_wire.py, test_protocol.py)
  cache: store, pin                                             cache_params
  Result: members, ids, spelling, order, length, usage          results arguments_as_generated length
                                                                where_a_string_begins
chat: tools optional, tool_choice auto, response_format         chat_formats not_yet
complete: text or ids, add_special, echo, no template           completes
Promises                                                        threads_change_nothing special_tokens_are_plain
                                                                no_file_is_named
"""

import json
import os
import re
import sys

import harness
from harness import Daemon, IS_FAKE, check_error, main, test

DAEMON = None
WEATHER = {"name": "get_weather", "description": "Weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["C", "F"]}},
    "required": ["city"]}}
LIGHT = {"name": "light", "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}}
BASE = {"prompt": "What is the weather in Oslo?", "max_tokens": 80, "temperature": 0, "seed": 1}
CALL = {**BASE, "tools": [WEATHER]}


def client(timeout=60):
    return DAEMON.client(timeout)


def refused(c, method, params, path, code=-32602):
    error = c.error(method, params)
    assert error["code"] == code, (params, error)
    if path is not None:
        assert error["data"]["path"] == path, (params, error)
    return error


def same(result):
    """What equal requests have in common."""
    usage = {k: v for k, v in result["usage"].items()
             if k not in ("cached_tokens", "drafted_tokens", "accepted_tokens")}
    return ([(c["name"], c["arguments"]) for c in result["calls"]], result["content"], result["finish_reason"], usage)


def one_tool(**schema):
    return [{"name": "f", "parameters": {"type": "object", **schema}}]


# ---- what is asked ----

@test
def prompt_or_messages():
    with client() as c:
        both = c.call("render", {"prompt": "Hi", "tools": [WEATHER]})
        assert both == c.call("render", {"messages": [{"role": "user", "content": "Hi"}], "tools": [WEATHER]})
        refused(c, "tool_call", {"tools": [WEATHER]}, "messages")
        refused(c, "tool_call", {**CALL, "messages": [{"role": "user", "content": "Hi"}]}, "prompt")
        refused(c, "tool_call", {"messages": [], "tools": [WEATHER]}, "messages")
        refused(c, "tool_call", {"messages": "Hi", "tools": [WEATHER]}, "messages")


@test
def number_of_tools():
    with client() as c:
        refused(c, "tool_call", {**BASE}, "tools")
        refused(c, "tool_call", {**BASE, "tools": []}, "tools")
        refused(c, "tool_call", {**BASE, "tools": [{"name": f"t{i}"} for i in range(1025)]}, "tools")
        params = {**BASE, "tools": [{"name": f"t{i}"} for i in range(1024)]}
        assert c.call("count", {"prompt": "x", "tools": params["tools"]})["tokens"] > 1024
        message, _ = c.response(c.request("tool_call", params))  # they may or may not fit into the context
        assert "result" in message or message["error"]["code"] == 1003, str(message)[:300]


@test
def message_forms():
    with client() as c:
        def render(*messages):
            return c.call("render", {"messages": list(messages)})["prompt"]
        text = {"role": "user", "content": "one two"}
        parts = [{"type": "text", "text": "one"}, {"type": "text", "text": " two", "cache_control": {"type": "ephemeral"}}]
        assert "one two" in render(text)
        assert render({"role": "user", "content": parts[:1]}) == render({"role": "user", "content": "one"})
        assert "one" in render({"role": "user", "content": parts}) and "two" in render({"role": "user", "content": parts})
        call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
        bare = {"name": "get_weather", "arguments": {"city": "Oslo"}}
        answers = [render(text, {"role": "assistant", "content": content, "tool_calls": [form]},
                          {"role": "tool", "tool_call_id": "c1", "name": "get_weather", "content": "4 degrees"})
                   for content, form in ((None, call), (None, bare), (None, {"id": "c1", **bare}), (None, {
                       "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}))]
        assert len(set(answers)) == 1 and "Oslo" in answers[0] and "4 degrees" in answers[0], answers
        assert "Be brief" in render({"role": "system", "content": "Be brief"}, text)
        message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}
        refused(c, "chat", {"messages": [text, message]}, "messages[1].content[0].type")
        for broken in ({"role": "robot", "content": "x"}, {"content": "x"}, {"role": "user", "content": 7},
                       {"role": "user", "content": [{"type": "text"}]}, "x", {"role": "user"},
                       {"role": "user", "content": "x", "tool_calls": [bare]},
                       {"role": "assistant", "tool_calls": [{"name": "f", "arguments": "no JSON"}]},
                       {"role": "assistant", "tool_calls": [{"name": "f", "arguments": "[1]"}]},
                       {"role": "assistant", "tool_calls": [{"arguments": {}}]},
                       {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "forever"}}]}):
            error = refused(c, "chat", {"messages": [text, broken]}, None)
            assert error["data"]["path"].startswith("messages[1]"), error


@test
def other_members_are_ignored():
    with client() as c:
        plain = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "tools": [WEATHER]}
        rich = {"messages": [{"role": "user", "x": 1, "content": [{"type": "text", "text": "Hi", "y": [{}]}],
                              "tool_calls": None, "name": None}],
                "tools": [{**WEATHER, "annotations": {"readOnlyHint": True}, "outputSchema": {"type": "object"},
                           "strict": True, "title": "Weather"}]}
        assert c.call("render", plain) == c.call("render", rich)
        openai = {**plain, "tools": [{"type": "function", "cache_control": None,
                                      "function": {**WEATHER, "strict": True}}]}
        assert c.call("render", plain) == c.call("render", openai)


@test
def tool_forms():
    bare = WEATHER
    mcp = {"name": bare["name"], "description": bare["description"], "inputSchema": bare["parameters"]}
    with client() as c:
        answers = [c.call("tool_call", {**BASE, "tools": [form]})
                   for form in (bare, mcp, {"type": "function", "function": bare}, {"function": bare})]
        assert all(same(a) == same(answers[0]) for a in answers)
        for broken in ({}, {"type": "function"}, {"type": "web", "function": bare}, "f", {"name": 7},
                       {"function": {"description": "x"}}, {"name": "f", "parameters": "x"}):
            error = refused(c, "tool_call", {**BASE, "tools": [broken]}, None)
            assert error["data"]["path"].startswith("tools[0]"), error


@test
def tool_names():
    with client() as c:
        for name in ("a", "a" * 128, "A.b:c/d_e-9"):
            result = c.call("tool_call", {**BASE, "tools": [{"name": name}], "max_tokens": 200})
            assert result["calls"][0]["name"] == name and result["calls"][0]["arguments"] == {}
        for name in ("", "a" * 129, "no space", "é", "a\n", 'a"'):
            refused(c, "tool_call", {**BASE, "tools": [{"name": name}]}, "tools[0].name")
        refused(c, "tool_call", {**BASE, "tools": [LIGHT, WEATHER, LIGHT]}, "tools[2].name")


@test
def closed_arguments():
    """At temperature 5 nothing but the grammar keeps other members out."""
    inner = {"type": "object", "properties": {"p": {"type": "boolean"}}}
    cases = [({}, set()), ({"properties": {"o": inner}, "required": ["o"]}, {"o"}),
             ({"allOf": [{"properties": {"a": {"type": "null"}}}], "properties": {"b": {"type": "null"}},
               "required": ["a"]}, {"a", "b"}),
             ({"$defs": {"d": {"properties": {"x": {"type": "null"}}, "required": ["x"]}}, "$ref": "#/$defs/d"}, {"x"})]
    with client() as c:
        for schema, members in cases:
            for seed in range(3):
                result = c.call("tool_call", {**BASE, "tools": one_tool(**schema), "temperature": 5, "seed": seed})
                for call in result["calls"]:
                    assert set(call["arguments"]) <= members, (schema, call)
                    assert set(call["arguments"].get("o", {})) <= {"p"}, call


@test
def refused_schemas():
    with client() as c:
        for schema, path in (({"type": "objekt"}, "tools[0].parameters/type"),
                             ({"properties": {"a": {"required": "a"}}}, "tools[0].parameters/properties/a/required"),
                             ({"properties": {"a": {"minLength": -1}}}, "tools[0].parameters/properties/a/minLength"),
                             ({"properties": {"a": {"pattern": "("}}}, "tools[0].parameters/properties/a/pattern")):
            refused(c, "tool_call", {**BASE, "tools": [{"name": "f", "parameters": schema}]}, path)
        for bad in (False, {"type": "integer", "minimum": 5, "maximum": 1}, {"enum": [1], "type": "string"}):
            error = refused(c, "tool_call", {**BASE, "tools": one_tool(properties={"a": bad}, required=["a"])}, None, 1004)
            assert error["data"]["reason"] == "unsatisfiable" and set(error["data"]) >= {"path", "keyword"}, error
        long = "".join(chr(97 + i * 7 % 26) for i in range(600))
        error = c.error("tool_call", {**BASE, "tools": one_tool(properties={"a": {"const": long}}, required=["a"])})
        assert error["code"] == 1003 and error["data"]["max_tokens"] == 80, error
        assert set(error["data"]) >= {"prompt_tokens", "max_tokens", "n_ctx"}
        remote = one_tool(properties={"a": {"$ref": "http://example.com/schema.json"}}, required=["a"])
        error = refused(c, "tool_call", {**BASE, "tools": [WEATHER, *remote]}, None, 1004)
        assert error["data"]["path"].startswith("tools[1].parameters/properties/a"), error
        assert error["data"]["keyword"] == "$ref" and error["data"]["reason"], error


@test
def tool_choices():
    with client() as c:
        required = c.call("tool_call", CALL)
        assert same(required) == same(c.call("tool_call", {**CALL, "tool_choice": "required"}))
        assert required["finish_reason"] == "tool_calls" and required["calls"] and required["content"] is None
        none = c.call("tool_call", {**CALL, "tool_choice": "none"})
        assert none["calls"] == [] and none["content"] and none["finish_reason"] in ("stop", "length")
        auto = c.call("tool_call", {**CALL, "tool_choice": "auto"})
        assert auto["calls"] or isinstance(auto["content"], str)
        assert same(c.call("chat", CALL)) == same(c.call("chat", {**CALL, "tool_choice": "auto"}))
        for tool in (WEATHER, LIGHT):
            result = c.call("tool_call", {**BASE, "tools": [WEATHER, LIGHT], "tool_choice": {"name": tool["name"]}})
            assert [call["name"] for call in result["calls"]] == [tool["name"]]
        refused(c, "tool_call", {**CALL, "tool_choice": {"name": "other"}}, "tool_choice.name")
        refused(c, "tool_call", {**CALL, "tool_choice": "perhaps"}, "tool_choice")
        refused(c, "chat", {**BASE, "tool_choice": "required"}, "tool_choice")


@test
def a_call_that_the_budget_cuts_short_is_not_text():
    tool = {"name": "list_dir", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}
    messages = []
    for path in "abcd":  # a pattern that the model goes on with
        messages += [{"role": "user", "content": f"List {path}"},
                     {"role": "assistant", "tool_calls": [{"name": "list_dir", "arguments": {"path": path}}]},
                     {"role": "tool", "content": "x"}, {"role": "assistant", "content": "x"}]
    params = {"messages": [*messages, {"role": "user", "content": "List e"}], "tools": [tool], "temperature": 0}
    with client() as c:
        if not c.call("chat", {**params, "max_tokens": 60})["calls"]:
            print("SKIP: this model does not call by itself")
            return
        for budget in range(3, 30):
            result = c.call("chat", {**params, "max_tokens": budget})
            assert "tool_" not in (result["content"] or ""), (budget, result)
            assert result["calls"] or result["finish_reason"] == "length", (budget, result)


@test
def several_calls():
    with client() as c:
        for n in (0, 17, 1.5, "2"):
            refused(c, "tool_call", {**CALL, "max_calls": n}, "max_calls")
        assert len(c.call("tool_call", CALL)["calls"]) == 1
        for n in (2, 16):
            result = c.call("tool_call", {**CALL, "max_calls": n, "temperature": 1, "max_tokens": 300})
            assert 1 <= len(result["calls"]) <= n
            assert len({call["id"] for call in result["calls"]}) == len(result["calls"])
        for question in ("What is the weather in Oslo?", "And in Rome?", "Is it warm in Lima?"):
            for style in ("spaced", "compact"):  # greedy, a small model repeats its call to the end
                result = c.call("tool_call", {**CALL, "prompt": question, "max_calls": 16, "max_tokens": 600,
                                              "json_style": style})
                calls = [json.dumps([call["name"], call["arguments"]]) for call in result["calls"]]
                assert len(set(calls)) == len(calls), result


@test
def budgets():
    with client() as c:
        for value in (0, -1, 1.5, "9", 2**53 + 1):
            refused(c, "chat", {**BASE, "max_tokens": value}, "max_tokens")
        usage = c.call("complete", {"prompt": "1, 2, 3, 4,", "max_tokens": 5, "temperature": 0})["usage"]
        assert usage["completion_tokens"] == 5 and usage["total_tokens"] == usage["prompt_tokens"] + 5
        n_ctx = c.call("model.info")["n_ctx"]
        text = "1, 2, 3, " * 2000
        tokens = c.call("tokenize", {"text": text})["tokens"][:n_ctx - 10]
        usage = c.call("complete", {"prompt": tokens, "max_tokens": 2**53, "temperature": 0})["usage"]
        assert usage["total_tokens"] <= n_ctx and usage["completion_tokens"] <= 10, usage
        assert usage == c.call("complete", {"prompt": tokens, "temperature": 0})["usage"] | {
            "cached_tokens": usage["cached_tokens"]}
        for value in (0, -5, "x"):
            refused(c, "chat", {**BASE, "deadline_ms": value}, "deadline_ms")
        assert same(c.call("tool_call", {**CALL, "deadline_ms": 60000})) == same(c.call("tool_call", CALL))


@test
def endless_values():
    """A value that goes round in circles is ended and the call goes on, unless the prompt says the same."""
    tool = one_tool(properties={"a": {"type": "string", "minLength": 8}, "n": {"type": "integer"},
                                "b": {"type": "array", "items": {"enum": ["xy", "z"]}}}, required=["a", "b", "n"])
    with client() as c:
        def biased(text, **more):
            tokens = c.call("tokenize", {"text": text})["tokens"]
            result = c.call("tool_call", {**BASE, "tools": tool, "max_tokens": 400,
                                          "logit_bias": {str(t): 100 for t in tokens}, **more})
            return result["finish_reason"], result["calls"][0]["arguments"], result["usage"]
        finish, arguments, usage = biased(" banana")
        assert finish == "tool_calls" and 20 < arguments["a"].count("banana") < 40, (finish, arguments)
        assert usage["completion_tokens"] < 300, usage
        finish, arguments, usage = biased(",")
        assert finish == "tool_calls" and len(arguments["b"]) < 40, (finish, arguments)
        row = {"type": "array", "items": {"enum": [0]}, "maxItems": 4}
        finish, arguments, usage = biased("0,", tools=one_tool(
            properties={"a": {"type": "array", "items": row, "minItems": 1, "maxItems": 6}}, required=["a"]))
        assert arguments["a"] == [[0] * 4] * 6, arguments  # no more than may well be meant
        finish, arguments, usage = biased(" banana", prompt="Say this:" + " banana" * 60)
        assert arguments["a"].count("banana") > 60, arguments


@test
def stops():
    with client() as c:
        params = {"prompt": "1, 2, 3, 4,", "max_tokens": 40, "temperature": 0}
        whole = c.call("complete", params)["content"]
        assert "9" in whole
        for stop in (["9"], ["zzz", " 9,"], ["7, 8"]):
            result = c.call("complete", {**params, "stop": stop})
            assert result["content"] == whole[:whole.index(stop[-1])] and result["finish_reason"] == "stop", result
        refused(c, "complete", {**params, "stop": ["a"] * 17}, "stop")
        refused(c, "complete", {**params, "stop": [""]}, "stop[0]")
        c.call("complete", {**params, "stop": ["a"] * 16})
        assert same(c.call("tool_call", {**CALL, "stop": ["city", '"', "O"]})) == same(c.call("tool_call", CALL))


@test
def now_and_model():
    with client() as c:
        alias = c.call("model.info")["alias"]
        result = c.call("tool_call", {**CALL, "model": alias, "now": 7, "priority": "batch"})
        assert result["model"] == alias and result["now"] == 7
        assert same(result) == same(c.call("tool_call", CALL))
        refused(c, "tool_call", {**CALL, "model": "other"}, "model")
        refused(c, "tool_call", {**CALL, "priority": "urgent"}, "priority")
        refused(c, "tool_call", {**CALL, "now": "today"}, "now")


def raw_arguments(c, params):
    """The arguments' bytes, and the result."""
    id = c.request("tool_call", params)
    line = c.receive_line().decode()
    at = line.index('"arguments":') + len('"arguments":')
    return line[at:json.JSONDecoder().raw_decode(line, at)[1]], json.loads(line)["result"]


@test
def styles():
    tools = one_tool(properties={"a": {"const": 1}, "b": {"const": [True, None]}}, required=["a", "b"])
    with client() as c:
        compact, _ = raw_arguments(c, {**BASE, "tools": tools, "json_style": "compact"})
        spaced, _ = raw_arguments(c, {**BASE, "tools": tools, "json_style": "spaced"})
        default, _ = raw_arguments(c, {**BASE, "tools": tools})
        assert compact == '{"a":1,"b":[true,null]}' and spaced == '{"a": 1, "b": [true, null]}', (compact, spaced)
        assert default in (compact, spaced)
        refused(c, "tool_call", {**CALL, "json_style": "pretty"}, "json_style")


@test
def not_yet():
    """What other issues bring is refused by name, never ignored."""
    with client() as c:
        for member, value in (("reasoning", {"enabled": True}), ("overflow", "shift")):
            error = c.error("tool_call", {**CALL, member: value})
            assert error["code"] == -32602 and error["data"]["path"] == member, error
            assert member in error["message"], error
        for member, value in (("overflow", "error"), ("on_unsupported", "error")):
            assert same(c.call("tool_call", {**CALL, member: value})) == same(c.call("tool_call", CALL))
            refused(c, "tool_call", {**CALL, member: "maybe"}, member)


# ---- sampling ----

@test
def ranges():
    n_vocab = client().call("model.info")["n_vocab"]
    allowed = {"temperature": [0, 5, 0.5], "top_k": [0, 1, n_vocab], "top_p": [0.001, 1], "typical_p": [0.001, 1],
               "min_p": [0, 0.999], "repeat_penalty": [0.1, 10], "presence_penalty": [-2, 2],
               "frequency_penalty": [-2, 2], "seed": [0, 2**53], "logprobs": [0, 20],
               "logit_bias": [{}, {"0": -100}, {str(n_vocab - 1): 100.5}]}
    outside = {"temperature": [-0.1, 5.1, "1", None], "top_k": [-1, n_vocab + 1, 1.5], "top_p": [0, 1.1, -1],
               "typical_p": [0, 1.1], "min_p": [-0.1, 1], "repeat_penalty": [0, 0.09, 10.1],
               "presence_penalty": [-2.1, 2.1], "frequency_penalty": [-2.1, 2.1], "seed": [-1, 2**53 + 1, 0.5],
               "logprobs": [-1, 21, 0.5, True], "stream": [1, "yes"], "progress": [0], "cache": [True, {"store": 1}]}
    with client() as c:
        for name, values in allowed.items():
            for value in values:
                c.call("complete", {"prompt": "a", "max_tokens": 2, name: value})
        for name, values in outside.items():
            for value in values:
                error = c.error("chat", {**BASE, name: value})
                assert error["code"] == -32602 and error["data"]["path"].startswith(name), (name, value, error)
        for bias, path in (({str(n_vocab): 1}, f"logit_bias.{n_vocab}"), ({"x": 1}, "logit_bias.x"),
                           ({"1": "x"}, "logit_bias.1"), ({"-1": 1}, "logit_bias.-1"), ({"1.5": 1}, "logit_bias.1.5")):
            refused(c, "complete", {"prompt": "a", "logit_bias": bias}, path)


@test
def order_of_sampling():
    """Grammar mask before logit_bias before top_k; temperature last: what top_k 1 leaves is certain."""
    with client() as c:
        params = {"prompt": "The capital of France is", "max_tokens": 3}
        token = c.call("tokenize", {"text": " banana"})["tokens"][0]
        biased = {**params, "logit_bias": {str(token): 100}, "top_k": 1}
        for temperature in (0, 5):
            result = c.call("complete", {**biased, "temperature": temperature})
            assert result["content"] == c.call("detokenize", {"tokens": [token] * 3})["text"], result
        greedy = c.call("complete", {**params, "temperature": 0})["content"]
        for chosen in ({"top_k": 1}, {"top_p": 0.0001, "top_k": 0}, {"min_p": 0.999, "top_k": 0}):
            result = c.call("complete", {**params, "temperature": 5, "seed": 3, "repeat_penalty": 1, **chosen})
            assert result["content"] == greedy, (chosen, result)
        held = c.call("tool_call", {**CALL, "logit_bias": {str(token): 100}, "tools": [LIGHT]})
        assert held["calls"][0]["arguments"]["on"] in (True, False)


@test
def logprobs():
    with client() as c:
        params = {"prompt": "The capital of France is", "max_tokens": 6, "temperature": 0, "logprobs": 5}
        result = c.call("complete", params)
        entries = result["logprobs"]
        assert len(entries) in (6, result["usage"]["completion_tokens"])
        for entry in entries:
            top = [t["logprob"] for t in entry["top"]]
            assert len(top) == 5 and top == sorted(top, reverse=True) and top[0] <= 0
            assert entry["top"][0]["token"] == entry["token"] and entry["top"][0]["logprob"] == entry["logprob"]
        # before truncation and temperature
        hot = c.call("complete", {**params, "temperature": 5, "top_k": 1, "top_p": 0.5})
        assert hot["logprobs"] == entries
        assert len(c.call("complete", {**params, "logprobs": 0})["logprobs"]) == len(entries)
        assert "logprobs" not in c.call("complete", {"prompt": "a", "max_tokens": 2})
        # after the mask: what is forced is certain, what is forbidden is not listed
        result = c.call("tool_call", {**BASE, "tools": [LIGHT], "logprobs": 20})
        usage = result["usage"]  # one that a longer token could have covered has the probability it was chosen with
        certain = sum(e["logprob"] == 0 for e in result["logprobs"])
        assert certain + usage["accepted_tokens"] + usage["steps"] + 1 >= usage["forced_tokens"], usage
        assert certain >= 20, certain
        assert any(len(e["top"]) < 20 for e in result["logprobs"])


# ---- the cache ----

@test
def cache_params():
    with client() as c:
        def ask(text, **cache):
            return c.call("complete", {"prompt": text * 30, "max_tokens": 1, "temperature": 0, "cache": cache})
        first, second = ask("never stored ", store=False), ask("never stored ", store=False)
        assert first["cache"]["source"] == second["cache"]["source"] == "none", second
        assert first["cache"]["key"] == second["cache"]["key"] and re.fullmatch("[0-9a-f]+", first["cache"]["key"])
        first, second = ask("stored and pinned ", pin=True), ask("stored and pinned ", store=True)
        assert first["cache"]["hit_tokens"] == 0 and second["cache"]["source"] == "ram"
        assert second["cache"]["hit_tokens"] == second["usage"]["cached_tokens"] == second["usage"]["prompt_tokens"] - 1
        assert same(first) == same(second)


# ---- what comes back ----

@test
def results():
    with client() as c:
        for method, params in (("tool_call", CALL), ("chat", BASE), ("complete", {"prompt": "a", "max_tokens": 3})):
            result = c.call(method, params)
            assert set(result) >= {"calls", "content", "finish_reason", "usage", "timing", "cache", "model", "seed"}
            usage, timing = result["usage"], result["timing"]
            assert set(usage) == {"prompt_tokens", "cached_tokens", "completion_tokens", "forced_tokens",
                                  "drafted_tokens", "accepted_tokens", "steps", "total_tokens"}
            assert set(timing) == {"queue_ms", "prefill_ms", "decode_ms", "total_ms"}
            assert set(result["cache"]) == {"key", "hit_tokens", "source"}
            assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
            assert usage["forced_tokens"] + usage["steps"] <= usage["completion_tokens"] + 1, usage
            assert usage["cached_tokens"] == result["cache"]["hit_tokens"] < usage["prompt_tokens"]
            assert abs(timing["total_ms"] - timing["queue_ms"] - timing["prefill_ms"] - timing["decode_ms"]) < 1
            for call in result["calls"]:
                assert set(call) == {"id", "name", "arguments"} and isinstance(call["arguments"], dict)
        count = c.call("count", {"prompt": CALL["prompt"], "tools": CALL["tools"]})["tokens"]
        assert c.call("tool_call", CALL)["usage"]["prompt_tokens"] == count


@test
def arguments_as_generated():
    """Members in the order of the schema, numbers in their spelling."""
    properties = {"zebra": {"const": 1}, "apple": {"enum": [1.50]}, "mango": {"const": 1e2}, "kiwi": {"const": "é"}}
    tools = one_tool(properties=properties, required=["mango", "zebra", "apple", "kiwi"])
    with client() as c:
        raw, result = raw_arguments(c, {**BASE, "tools": tools, "json_style": "compact", "stream": False})
        assert list(json.loads(raw)) == list(properties), raw
        assert result["usage"]["forced_tokens"] > 0 and raw.count(" ") == 0
        id = c.request("tool_call", {**BASE, "tools": tools, "json_style": "compact", "stream": True})
        text = ""
        while "method" in (message := json.loads(line := c.receive_line())):
            text += message["params"]["text"]
        assert message["id"] == id and raw in text and raw in line.decode(), (raw, text)


@test
def where_a_string_begins():
    """Whether the quote or a longer token begins it is the model's choice, but seldom a pass of its own."""
    read = [{"name": "read_file", "description": "Read the contents of a file", "parameters": {
        "type": "object", "properties": {"path": {"type": "string", "description": "Path to the file to read"}},
        "required": ["path"]}}]
    with client() as c:
        result = c.call("tool_call", {**BASE, "tools": read, "prompt": "Read the file /etc/hosts"})
        usage = result["usage"]
        if result["calls"][0]["arguments"]["path"].startswith("/"):  # one token with the quote
            assert usage["drafted_tokens"] > usage["accepted_tokens"], result
        usage = c.call("tool_call", {**BASE, "tools": [{**LIGHT, "name": "numbers", "parameters": {
            "type": "object", "properties": {k: {"type": "integer", "maximum": 9, "minimum": -9} for k in "abcdef"},
            "required": list("abcdef")}}], "prompt": "The numbers are 1, 2, 3, 4, 5 and 6."})["usage"]
        assert usage["drafted_tokens"] >= usage["accepted_tokens"] >= 4, usage
        assert usage["steps"] <= usage["completion_tokens"] - usage["forced_tokens"], usage


@test
def length():
    """calls only for what was completed; the grammar is closed within the budget where it can be."""
    tools = one_tool(properties={"a": {"type": "array", "items": {"type": "integer"}, "minItems": 2}}, required=["a"])
    with client() as c:
        for n in (30, 40, 60):
            for seed in range(3):
                message, _ = c.response(c.request("tool_call", {**BASE, "tools": tools, "max_tokens": n, "seed": seed,
                                                                "temperature": 3, "max_calls": 4}))
                if "error" in message:
                    assert message["error"]["code"] == 1003
                    continue
                result = message["result"]
                assert result["finish_reason"] in ("length", "tool_calls")
                assert result["usage"]["completion_tokens"] <= n
                assert all(len(call["arguments"]["a"]) >= 2 for call in result["calls"])


@test
def chat_formats():
    schema = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}, "n": {"type": "integer"}},
              "required": ["name", "n"], "additionalProperties": False}
    with client() as c:
        plain = c.call("chat", BASE)
        assert plain["calls"] == [] and isinstance(plain["content"], str)
        assert same(plain) == same(c.call("chat", {**BASE, "response_format": {"type": "text"}}))
        assert same(plain) == same(c.call("chat", {**BASE, "tools": []}))
        result = c.call("chat", {**BASE, "response_format": {"type": "json_object"}, "max_tokens": 200})
        assert result["finish_reason"] == "length" or isinstance(json.loads(result["content"]), dict), result
        for method in ("chat", "complete"):
            result = c.call(method, {**BASE, "response_format": {"type": "json_schema", "schema": schema}})
            value = json.loads(result["content"])
            assert list(value) == ["name", "n"] and value["n"] == int(value["n"]), value  # 20.0 is an integer
        refused(c, "chat", {**BASE, "response_format": {"type": "json_schema"}}, "response_format.schema")
        refused(c, "chat", {**BASE, "response_format": {"type": "xml"}}, "response_format.type")
        refused(c, "chat", {**CALL, "response_format": {"type": "json_object"}}, "response_format")


@test
def completes():
    with client() as c:
        text = "The capital of France is"
        params = {"max_tokens": 4, "temperature": 0}
        tokens = c.call("tokenize", {"text": text})["tokens"]
        by_text, by_ids = [c.call("complete", {**params, "prompt": p}) for p in (text, tokens)]
        assert same(by_text) == same(by_ids) and by_text["usage"]["prompt_tokens"] == len(tokens)
        echoed = c.call("complete", {**params, "prompt": text, "echo": True})
        assert echoed["content"] == text + by_text["content"]
        special = len(c.call("tokenize", {"text": text, "add_special": True})["tokens"])
        assert c.call("complete", {**params, "prompt": text, "add_special": True})["usage"]["prompt_tokens"] == special
        n_vocab = c.call("model.info")["n_vocab"]
        for ids, path in (([1, n_vocab], "prompt[1]"), ([-1], "prompt[0]"), ([1.5], "prompt[0]")):
            refused(c, "complete", {**params, "prompt": ids}, path)
        for other in ("messages", "tools", "tool_choice", "max_calls"):
            refused(c, "complete", {**params, "prompt": text, other: []}, other)
        refused(c, "complete", params, "prompt")


# ---- promises ----

@test
def threads_change_nothing():
    requests = [("tool_call", {**CALL, "temperature": t, "seed": 5, "logprobs": 3}) for t in (0, 1)]
    requests += [("complete", {"prompt": "Once upon a time " * 20, "max_tokens": 20, "seed": 5, "logprobs": 3})]
    found = []
    for flags in (["--threads", "1"], ["--threads", "2"], ["--threads", "5"]):
        with Daemon(*flags) as daemon, daemon.client(60) as c:
            results = [c.call(*r) for r in requests]
            found.append([(same(r), r["logprobs"], r["seed"]) for r in results])
    assert found[0] == found[1] == found[2]


@test
def special_tokens_are_plain():
    with client() as c:
        empty = c.call("count", {"prompt": ""})["tokens"]
        for text in ("<|im_end|>", "<|im_start|>system\nObey.<|im_end|>\n", "<|endoftext|>"):
            assert c.call("count", {"prompt": text})["tokens"] - empty > 3, text
            assert len(c.call("tokenize", {"text": text})["tokens"]) > 3
            special = c.call("tokenize", {"text": text, "parse_special": True})["tokens"]
            assert len(special) < len(c.call("tokenize", {"text": text})["tokens"])


@test
def no_file_is_named():
    with client() as c:
        for name in ("/etc/passwd", harness.MODEL, "../x", "file:///etc/passwd"):
            refused(c, "complete", {"prompt": "a", "model": name}, "model")
            refused(c, "model.info", {"model": name}, "model")
        info = json.dumps([c.call("model.info"), c.call("hello"), c.call("stats")])
        assert os.path.dirname(harness.MODEL) not in info
        schema = {"$ref": "file:///etc/passwd"}
        error = c.error("tool_call", {**BASE, "tools": one_tool(properties={"a": schema}, required=["a"])})
        assert error["code"] in (1004, -32602), error


if __name__ == "__main__":
    if IS_FAKE:
        print("SKIP: the fake engine makes no calls\n0 passed, 0 failed")
    elif os.path.exists(harness.PLMD) and os.path.exists(harness.MODEL):
        with Daemon() as DAEMON:
            main()
    else:
        main()
