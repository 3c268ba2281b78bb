#!/usr/bin/env python3
"""Everything wrong that a client can send: each is answered by its error, and the daemon lives on.

Tables of lines, params, conversations, tools and schemas with the code (and the path) they must get,
then mutations at random; health and the daemon's memory are watched throughout. Under a sanitizer
(BUILD=build/asan) the same run ends with its verdict in the exit status.
"""

import json
import os
import random
import sys
import tempfile

import harness
import random_model
from harness import Closed, Daemon, Tally, anonymous_kib, check_error

SANITIZED = "asan" in harness.PLMD or "asan" in os.environ.get("BUILD", "")
PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602
CONTEXT, SCHEMA, TOO_LARGE, PROTOCOL = 1003, 1004, 1009, 1012
CODES = (-32700, -32600, -32601, -32602, *range(1001, 1014))  # neither internal_error nor output_invalid
OK = 0
SOME = "some path"
LIMIT = 4 * 1024 * 1024
HUGE = "the number 1e400"  # Python can't write it


TALLY = Tally()


def cut(value):
    text = value if isinstance(value, (str, bytes)) else json.dumps(value)
    return text if len(text) < 160 else f"{text[:120]!r}... ({len(text)})"


# ---- lines ----

def call(method="health", params=None, **more):
    message = {"jsonrpc": "2.0", "id": 1, "method": method}
    if params is not None:
        message["params"] = params
    return {**message, **more}


def text(value):
    return json.dumps(value).encode()


def padded(size):
    """A valid request of exactly so many bytes."""
    head, tail = b'{"jsonrpc":"2.0","id":1,"method":"health","params":{"_meta":"', b'"}}'
    return head + b"a" * (size - len(head) - len(tail)) + tail


def lines():
    """(line, code, id of the answer)."""
    for junk in (b"nope", b"{", b"}", b"[", b"]", b'"', b"'a'", b"{]", b'{"a"}', b'{"a":}', b'{"a":1,}', b"[1,]",
                 b"{,}", b'{"a":1}x', b'{"a":1} {"a":2}', b"tru", b"nul", b"NaN", b"Infinity", b"-", b"+1", b"01",
                 b"1.", b".5", b"1e", b"0x10", b"--1", b"1e+", b'"\\x"', b'"\\u12"', b'"\\ud800"', b'"\\udc00"',
                 b'"\\ud800\\ud800"', b'"\\', b'"a\tb"', b'"a\x1fb"', b"// x", b"/**/1", b"\xef\xbb\xbf{}", b"\x00",
                 b'{"\x00":1}', b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'[{"x":{"b":1,"b":2}}]', b"\xff\xfe{}",
                 b'"\xff"', b'"\xc3"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xf8\x88\x80\x80\x80"',
                 b'"\xe2\x82"', b"[" * 65 + b"]" * 65, b"[" * 100000, b'{"a":' * 65 + b"1" + b"}" * 65,
                 b'{"a":' * 50000, b"[" * 2000000, b'"' + b"\\" * 99999, b"GET / HTTP/1.1"):
        yield junk, PARSE, None
    # A value, but no request.
    for value in (1, 0, -1.5, "x", True, None, {}, {"a": 1}, {"jsonrpc": "2.0"}, {"jsonrpc": "2.0", "id": None},
                  {"result": 1}, []):
        yield text(value), REQUEST, None
    yield b"1" * 100000, REQUEST, None
    yield b"1e999999999", REQUEST, None
    yield b"-" + b"9" * 400 + b"e-400", REQUEST, None
    for version in ("1.0", "2", "", 2, 2.0, None, [], {}, True, "2.0 "):
        yield text(call(jsonrpc=version)), REQUEST, 1
    yield text({"id": 1, "method": "health"}), REQUEST, 1
    for method in (None, 1, True, [], {}):
        yield text(call(method=method)), REQUEST, 1
    for method in ("", "x", "Health", "health ", "tool_call\u0000", "a" * 100000, "rpc.", "$/", "é", "__proto__"):
        yield text(call(method=method)), METHOD, 1
    for params in ([], [1], "x", 1, True, False):
        yield text(call(params=params)), PARAMS if isinstance(params, list) else (REQUEST, PARAMS), 1
    for id in (1.5, -0.5, 1e300, 2**53 + 1, -2**53 - 1, 2**63, 2**64, 10**30, True, False, None, [], {}, "a" * 129,
               "é" * 65):
        yield text(call(id=id)), REQUEST, None
    yield padded(LIMIT + 1), TOO_LARGE, None
    yield padded(LIMIT + 100000), TOO_LARGE, None
    yield b"x" * (3 * LIMIT), TOO_LARGE, None
    yield padded(LIMIT), OK, 1
    yield b"\t " + text(call()) + b" \t", OK, 1
    yield text(call(extra=1)), (OK, REQUEST), 1


def batches():
    """(batch, how many answers or the code of the one error)."""
    yield [call(id=i) for i in range(65)], REQUEST
    yield [call(id=i) for i in range(10000)], REQUEST
    yield [1] * 65, REQUEST
    yield [1] * 64, 64
    yield [[]] * 64, 64
    yield [[call()]], 1
    yield [None, True, "x", {}, [], call()], 6
    yield [call(id=1)] * 64, 64
    yield [call("no")] * 3 + [call(id=i, params={"x": 1}) for i in range(2, 10)], 11
    yield [call("complete", {"prompt": "x", "max_tokens": 1, "n_ctx": 1}, id=i) for i in range(64)], 64


# ---- params ----

PROMPT = {"prompt": "x"}
BOOLEAN = ("true", 1, 0, None, [], {})
WRONG = {  # of generations; each value must get -32602 with this path
    "temperature": ("1", -0.1, 5.01, 1e300, None, [], True, {}),
    "top_k": (-1, 1.5, 2**31, 2**53 + 1, 10**30, 1e20, "40", None, True, 10**9),
    "top_p": (0, -1, 1.0001, "x", None, [], 1e308, False),
    "typical_p": (0, -0.5, 1.5, "x", {}),
    "min_p": (-0.01, 1, 2, "x", None),
    "repeat_penalty": (0, 0.09, 10.1, -1, "x", None),
    "presence_penalty": (-2.1, 2.1, "x", None, 1e9),
    "frequency_penalty": (-2.1, 2.1, "x", [], True),
    "seed": (-1, 1.5, 2**53 + 1, 2**64, 10**40, "x", None, True),
    "logprobs": (-1, 21, 1.5, "5", None, True),
    "logit_bias": (1, "x", [], None, {"a": 1}, {"-1": 1}, {"1": "x"}, {"1": None}, {"": 1}, {"1.5": 1},
                   {"99999999999999999999": 1}, {"49152": 1}, {"4294967296": 1}, {" 1": 1}, {"1 ": 1}, {"+1": 1},
                   {"0x1": 1}),
    "max_tokens": (0, -1, 1.5, "x", None, True, 2**53 + 1, 10**25, 1e300),
    "deadline_ms": (0, -1, 1.5, "x", None, 2**53 + 1, 1e300),
    "stop": ("x", 1, {}, None, [1], [None], [[]], [""], ["x"] * 17),
    "now": ("x", 1.5, None, True, 2**60, -2**60, 1e300),
    "model": (1, None, "no such model", "", [], "../../etc/passwd", "a" * 100000),
    "priority": ("low", 1, None, True, ""),
    "json_style": ("pretty", 1, None, ""),
    "stream": BOOLEAN, "progress": BOOLEAN,
    "cache": (1, "x", [], None, {"store": 1}, {"pin": "x"}, {"other": True}, {"store": None}),
    "overflow": ("cut", 1, None),
}
WRONG_CALL = {  # of tool_call and chat
    "max_calls": (0, 17, 1.5, "1", None, True, -1, 2**64),
    "tool_choice": (1, None, [], "any", "", {}, {"name": 1}, {"name": "nosuch"}, {"name": ""}, True,
                    {"type": "function", "function": {"name": "f"}}),
    "reasoning": (1, "x", [], None, {"enabled": 1}, {"max_tokens": -1}, {"other": 1}, {"max_tokens": "x"}),
    "on_unsupported": ("ignore", 1, None),
}
WRONG_FORMAT = (1, "json", [], None, True, {}, {"type": "xml"}, {"type": 1}, {"type": "json_schema"},
                {"type": "json_schema", "schema": 1}, {"type": "json_schema", "schema": []},
                {"type": "json_schema", "schema": None}, {"type": "json_schema", "schema": {"type": 1}})
UNKNOWN = ("Temperature", "messages ", "max_token", "n", "tools[0]", "functions", "", "a" * 200, "\u0000", "é",
           "__proto__", "response_formats", "user", "prompt.text")


def generation_params():
    tool = {"tools": [{"name": "f"}]}
    for method, base in (("complete", PROMPT), ("chat", PROMPT), ("tool_call", {**PROMPT, **tool})):
        tables = [WRONG] if method == "complete" else [WRONG, WRONG_CALL]
        for name, values in ((n, v) for table in tables for n, v in table.items()):
            for value in values:
                more = tool if name == "tool_choice" else {}
                yield method, {"max_tokens": 1, **base, **more, name: value}, PARAMS, name
        for name in UNKNOWN:
            yield method, {"max_tokens": 1, **base, name: 1}, PARAMS, name
        yield method, {"max_tokens": 60, **base, "_meta": {"anything": [1]}}, OK, None
    for value in WRONG_FORMAT:
        for method in ("complete", "chat"):
            yield method, {**PROMPT, "max_tokens": 1, "response_format": value}, PARAMS, SOME
    for pattern in (1, None, "(", "[", "a{2,1}", "*", "a**", "\\", "(?<", "[z-a]", "\\u{110000}"):
        yield "complete", {**PROMPT, "max_tokens": 1, "response_format": {"type": "regex", "pattern": pattern}}, \
            (PARAMS, SCHEMA), None
    for grammar in (1, None, "", "root", "root ::=", "root ::= x", 'root ::= "a', "x ::= root", "root ::= root",
                    "root ::= " + "(" * 10000, 'root ::= "\\x"', "root ::= [a", "::=", 'root ::= "a"{5,2}'):
        yield "complete", {**PROMPT, "max_tokens": 1, "response_format": {"type": "gbnf", "grammar": grammar}}, \
            (PARAMS, SCHEMA), None


def service_params():
    for prompt in (None, 1, True, {}, ["x"], [[1]], [1.5], [-1], [2**40], [99999999], [None]):
        yield "complete", {"prompt": prompt, "max_tokens": 1}, PARAMS, "prompt"
    yield "complete", {"prompt": "word " * 200000, "max_tokens": 1}, CONTEXT, None
    yield "complete", {"prompt": [5] * 100000, "max_tokens": 1}, CONTEXT, None
    yield "complete", {"max_tokens": 1}, PARAMS, "prompt"
    yield "complete", {**PROMPT, "add_special": 1}, PARAMS, "add_special"
    yield "complete", {**PROMPT, "echo": "x", "max_tokens": 1}, PARAMS, "echo"
    for method in ("chat", "tool_call", "render", "count"):
        tools = {"tools": [{"name": "f"}]}
        yield method, {**tools}, PARAMS, None
        for prompt in (None, 1, [], {}, True):
            yield method, {**tools, "prompt": prompt}, PARAMS, "prompt"
        yield method, {**tools, "prompt": "x", "messages": [{"role": "user", "content": "x"}]}, (PARAMS, OK), None
    yield "chat", {"prompt": "word " * 200000, "max_tokens": 1}, CONTEXT, None
    for value in (None, 1, [], {}, True):
        yield "tokenize", {"text": value}, PARAMS, "text"
    yield "tokenize", {}, PARAMS, "text"
    yield "tokenize", {"text": "x", "add_special": "x"}, PARAMS, "add_special"
    yield "tokenize", {"text": "x", "parse_special": 1}, PARAMS, "parse_special"
    yield "tokenize", {"text": "x", "tokens": []}, PARAMS, "tokens"
    yield "tokenize", {"text": "\u0000\ud7ff\ufffe\U0010ffff<|im_start|>"}, OK, None
    for value in (None, 1, "x", {}, [1.5], [-1], ["1"], [2**31], [2**64], [99999999], [None], [True], [[]]):
        yield "detokenize", {"tokens": value}, PARAMS, "tokens"
    yield "detokenize", {"tokens": []}, OK, None
    yield "detokenize", {}, PARAMS, "tokens"
    for value in (1.5, None, True, {}, [], "a" * 129, 2**60):
        yield "cancel", {"id": value}, PARAMS, "id"
    yield "cancel", {}, PARAMS, "id"
    for value in (None, 1.5, "x", True, -1):
        yield "hello", {"protocol": value}, PARAMS, "protocol"
    yield "hello", {"protocol": 0}, (OK, PROTOCOL), None
    for value in (2, 999, 2**53):
        yield "hello", {"protocol": value}, PROTOCOL, None
    for method in ("health", "hello", "stats", "model.info", "rpc.discover", "metrics", "model.list"):
        yield method, {"unknown": 1}, PARAMS, "unknown"
    for value in (1, None, "no such", []):
        yield "model.info", {"model": value}, PARAMS, "model"


# ---- conversations ----

WRONG_MESSAGES = (
    ([], ""), ("x", ""), (1, ""), (None, ""), ({}, ""), (True, ""), ([1], "[0]"), ([None], "[0]"), (["x"], "[0]"),
    ([[]], "[0]"), ([{}], "[0]"), ([{"role": "user"}, {}], "[1]"), ([{"role": "root", "content": "x"}], "[0].role"),
    ([{"role": 1, "content": "x"}], "[0].role"), ([{"role": None, "content": "x"}], "[0].role"),
    ([{"role": "User", "content": "x"}], "[0].role"), ([{"content": "x"}], "[0]"),
    ([{"role": "user", "content": 1}], "[0].content"), ([{"role": "user", "content": {}}], "[0].content"),
    ([{"role": "user", "content": True}], "[0].content"), ([{"role": "user", "content": [1]}], "[0].content"),
    ([{"role": "user", "content": ["x"]}], "[0].content"), ([{"role": "user", "content": [{}]}], "[0].content"),
    ([{"role": "user", "content": [{"type": "text"}]}], "[0].content"),
    ([{"role": "user", "content": [{"type": "text", "text": 1}]}], "[0].content"),
    ([{"role": "user", "content": [{"type": "text", "text": None}]}], "[0].content"),
    ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}], "[0].content"),
    ([{"role": "user", "content": [{"type": "input_audio", "text": "x"}]}], "[0].content"),
    ([{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": 1}]}], "[0].content"),
    ([{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "forever"}}]}],
     "[0].content"),
    ([{"role": "user", "content": "x", "name": 1}], "[0].name"),
    ([{"role": "tool", "content": "x", "tool_call_id": 1}], "[0].tool_call_id"),
    ([{"role": "assistant", "tool_calls": 1}], "[0].tool_calls"),
    ([{"role": "assistant", "tool_calls": [1]}], "[0].tool_calls"),
    ([{"role": "assistant", "tool_calls": [{}]}], "[0].tool_calls"),
    ([{"role": "assistant", "tool_calls": [{"function": 1}]}], "[0].tool_calls"),
    ([{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}], "[0].tool_calls"),
    ([{"role": "assistant", "tool_calls": [{"function": {"name": 1, "arguments": "{}"}}]}], "[0].tool_calls"),
    ([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 1}}]}], "[0].tool_calls"),
    ([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": []}]}], "[0].tool_calls"),
    ([{"role": "assistant", "tool_calls": [{"id": 1, "name": "f", "arguments": {}}]}], "[0].tool_calls"),
)
ODD_MESSAGES = (  # strange, but nothing is wrong with them
    [{"role": "user", "content": ""}], [{"role": "assistant", "content": None}], [{"role": "tool", "content": "x"}],
    [{"role": "user", "content": []}], [{"role": "user", "content": "\u0000<|im_end|><|im_start|>system\n"}],
    [{"role": "system", "content": "a"}] * 50, [{"role": "user", "content": "x", "refusal": 1, "x": {"y": []}}],
    [{"role": "user", "content": [{"type": "text", "text": "x", "annotations": [], "citations": 1}]}],
    [{"role": "assistant", "tool_calls": [{"id": None, "name": "unknown", "arguments": {"a": HUGE}}]},
     {"role": "tool", "content": "{\"a\":", "tool_call_id": "none"}],
    [{"role": "assistant", "content": "", "tool_calls": []}, {"role": "user", "content": "\U0001F980" * 50}],
)


def conversations():
    for method, more in (("chat", {"max_tokens": 1}), ("tool_call", {"max_tokens": 60, "tools": [{"name": "f"}]}),
                         ("render", {}), ("count", {})):
        for messages, place in WRONG_MESSAGES:
            yield method, {**more, "messages": messages}, PARAMS, "messages" + place
        for messages in ODD_MESSAGES:
            yield method, {**more, "messages": messages}, OK, None
    bad = [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
           for arguments in ("", "{", "[]", "1", '{"a":1,"a":2}', "nope", '"{}"', "{}x", "[" * 5000, '{"a":"\ud800"}')]
    for message in bad:  # models write such things and agents echo them: refused or shown as text, never fatal
        yield "chat", {"max_tokens": 1, "messages": [message]}, (OK, PARAMS, 1013), None


# ---- tools and schemas ----

WRONG_TOOLS = (
    [], 1, "x", None, {}, True, [1], [None], ["f"], [[]], [{}], [{"name": 1}], [{"name": None}], [{"name": ""}],
    [{"name": "a b"}], [{"name": "é"}], [{"name": "a" * 129}], [{"name": "f\u0000"}], [{"name": "f\n"}],
    [{"name": "f"}, {"name": "f"}], [{"name": "f", "description": 1}], [{"name": "f", "parameters": 1}],
    [{"name": "f", "parameters": "{}"}], [{"name": "f", "parameters": []}], [{"name": "f", "inputSchema": 1}],
    [{"type": "function"}], [{"type": "function", "function": 1}], [{"type": "function", "function": {}}],
    [{"type": "web_search", "function": {"name": "f"}}], [{"type": "function", "function": {"name": "a b"}}],
    [{"type": "function", "function": {"name": "f", "parameters": 3}}],
    [{"name": f"f{i}"} for i in range(1025)],
)
MALFORMED = (  # no JSON Schema at all
    {"type": 1}, {"type": "int"}, {"type": ["string", "strin"]}, {"type": []}, {"type": {}}, {"type": None},
    {"properties": 1}, {"properties": []}, {"properties": {"a": 1}}, {"properties": {"a": "string"}},
    {"properties": {"a": None}}, {"properties": {"a": []}}, {"required": "a"}, {"required": [1]},
    {"required": [None]}, {"items": 1}, {"items": "x"}, {"items": None}, {"prefixItems": {}}, {"prefixItems": [1]},
    {"enum": 1}, {"enum": "x"}, {"enum": {}}, {"anyOf": {}}, {"anyOf": [1]}, {"anyOf": []}, {"oneOf": 1},
    {"allOf": "x"}, {"allOf": []}, {"not": 1}, {"minimum": "1"}, {"maximum": None}, {"multipleOf": 0},
    {"multipleOf": -1}, {"minLength": -1}, {"minLength": 1.5}, {"minLength": "1"}, {"maxLength": -1},
    {"maxItems": "x"}, {"minItems": -5}, {"uniqueItems": 1}, {"pattern": 1}, {"pattern": "("}, {"pattern": "[z-a]"},
    {"pattern": "a{3,1}"}, {"$ref": 1}, {"$ref": "#/nowhere"}, {"$defs": 1}, {"$defs": {"a": 1}},
    {"additionalProperties": 1}, {"additionalProperties": "no"}, {"patternProperties": {"(": {}}},
    {"patternProperties": 1}, {"minProperties": -1}, {"dependentRequired": 1}, {"if": 1},
    {"properties": {"a": {"properties": {"b": {"items": {"type": "nope"}}}}}},
)


def chain(n):
    """Definitions that each refer twice to the next: 2^n when spelled out."""
    defs = {f"d{i}": {"type": "array", "prefixItems": [{"$ref": f"#/$defs/d{i + 1}"}] * 2, "minItems": 2}
            for i in range(n)}
    return {"$defs": {**defs, f"d{n}": {"type": "integer"}}, "$ref": "#/$defs/d0"}


def nested(n, wrap):
    schema = {"type": "integer"}
    for _ in range(n):
        schema = wrap(schema)
    return schema


BOMBS = (  # any refusal or answer, but soon and without harm
    nested(50, lambda s: {"items": s}), nested(28, lambda s: {"properties": {"a": s}, "required": ["a"]}),
    nested(11, lambda s: {"anyOf": [s, s]}), nested(11, lambda s: {"allOf": [s, s]}),
    nested(11, lambda s: {"oneOf": [s, s]}), nested(30, lambda s: {"not": s}),
    {"type": "string", "maxLength": 10**8}, {"type": "string", "minLength": 10**8},
    {"type": "string", "minLength": 2**62}, {"type": "string", "minLength": 10**30}, {"type": "array", "minItems": 10**8},
    {"type": "array", "items": {"type": "array", "minItems": 10**5}, "minItems": 10**5},
    {"type": "array", "maxItems": 2**64}, {"type": "array", "minItems": 500, "uniqueItems": True},
    {"type": "object", "minProperties": 10**9}, {"type": "integer", "minimum": 10**200, "maximum": 10**201},
    {"type": "number", "minimum": 1e-300, "maximum": 1.1e-300}, {"type": "integer", "minimum": -(10**18), "maximum": 10**18},
    {"type": "integer", "multipleOf": 999999999989, "minimum": 1}, {"type": "number", "multipleOf": 1e-300},
    {"type": "integer", "minimum": 0.1, "maximum": 0.9}, {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 6},
    {"enum": list(range(20000))}, {"enum": ["x" * 200000]}, {"enum": [{"a": [i] * 50} for i in range(500)]},
    {"enum": []}, {"const": nested(40, lambda s: [s])}, {"enum": [HUGE, 1]},
    {"properties": {f"p{i}": {"type": "integer"} for i in range(5000)}},
    {"properties": {f"p{i}": {"type": "integer"} for i in range(3000)}, "required": [f"p{i}" for i in range(3000)]},
    {"properties": {f"p{i}": {"enum": [f"v{j}" for j in range(40)]} for i in range(250)}},
    {"required": [f"p{i}" for i in range(2000)]}, {"anyOf": [{"const": i} for i in range(5000)]},
    {"anyOf": [{"properties": {f"a{i}": {"type": "integer"}}, "required": [f"a{i}"]} for i in range(500)]},
    {"allOf": [{"properties": {f"a{i}": {"type": "integer"}}} for i in range(500)]},
    {"allOf": [{"minimum": i} for i in range(3000)]}, {"oneOf": [{"multipleOf": i} for i in range(1, 200)]},
    {"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    {"properties": {"a": {"$ref": "#"}}, "required": ["a"], "type": "object"}, {"items": {"$ref": "#"}, "type": "array"},
    {"items": {"$ref": "#"}, "type": "array", "minItems": 1}, {"anyOf": [{"$ref": "#"}]}, {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    {"$ref": "#/properties/a/properties/a/properties/a", "properties": {"a": {"$ref": "#"}}}, chain(10), chain(30), chain(400),
    {"$ref": "http://example.com/x.json"}, {"$ref": "file:///etc/passwd"}, {"$ref": "#/%zz"}, {"$ref": "#/" + "a/" * 50000},
    {"$dynamicRef": "#x"}, {"$recursiveRef": "#"}, {"$anchor": "a", "$ref": "#a"}, {"$id": "x", "$ref": "x"},
    {"pattern": "(a*)*b"}, {"pattern": "(a|a)*" * 50}, {"pattern": "(.{1,500}){1,500}"}, {"pattern": "a{100000}"},
    {"pattern": "^(a{0,1000}b{0,1000}){0,1000}$"}, {"pattern": "(?=a)(?!b)(?<=c)"}, {"pattern": "\\1(a)"},
    {"pattern": "(" * 5000 + ")" * 5000}, {"pattern": "[\\u0000-\\u{10ffff}]{3000}"}, {"pattern": "\\p{L}{50,100}"},
    {"pattern": ".*a.{20}"}, {"pattern": "x" * 100000}, {"pattern": "^[^\\s\\S]$"}, {"pattern": "$^a"},
    {"patternProperties": {"^(a|b)*c$": {"type": "integer"}, ".*a.{18}": {"type": "string"}}, "minProperties": 2},
    {"propertyNames": {"pattern": "^a{50}$"}, "minProperties": 1, "additionalProperties": True}, {"contains": {"const": 1}, "minContains": 10**6},
    {"not": {}}, False, {"type": "string", "enum": [1]}, {"const": 1, "enum": [2]}, {"minimum": 2, "maximum": 1},
    {"type": "string", "minLength": 5, "maxLength": 4}, {"format": "date", "const": "x"}, {"format": "nosuchformat"},
    {"unevaluatedProperties": False}, {"if": {"const": 1}, "then": False, "else": False}, {"dependentSchemas": {"a": {"required": ["b"]}}},
    {"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": True, "minimum": 1},
    {"properties": {"": {}, "\u0000": {}, "\"\\": {}, "\ud83e\udd80" * 200: {}, "a/b~c": {"$ref": "#/properties/a~1b~0c"}}},
    {"description": "x" * 300000}, {"title": ["x"], "default": nested(20, lambda s: {"a": s}), "examples": 1},
    {"type": ["null", "boolean", "object", "array", "number", "string", "integer"]}, {"minLength": 1e2, "maxLength": 100.0},
)


def tool_of(schema):
    return {"prompt": "x", "max_tokens": 40, "temperature": 0, "tools": [{"name": "f", "parameters": {
        "type": "object", "properties": {"a": schema}, "required": ["a"]}}]}


def tools():
    for value in WRONG_TOOLS:
        yield "tool_call", {**PROMPT, "max_tokens": 1, "tools": value}, PARAMS, "tools"
        if value != []:
            yield "count", {**PROMPT, "tools": value}, PARAMS, "tools"
    yield "tool_call", PROMPT, PARAMS, "tools"
    names = [{"name": f"f{i}"} for i in range(1024)]
    yield "tool_call", {**PROMPT, "max_tokens": 1, "tools": names}, (OK, CONTEXT), None
    extra = {"annotations": {"x": 1}, "outputSchema": {"type": 5}, "strict": "maybe", "title": 7}
    yield "tool_call", {**PROMPT, "max_tokens": 60, "tools": [{"name": "f", **extra}]}, OK, None
    yield "schema.check", {}, PARAMS, None
    for value in (1, "x", None, []):
        yield "schema.check", {"schema": value}, PARAMS, "schema"
    yield "schema.check", {"schema": {}, "instance": 1}, PARAMS, "instance"
    for value in ("", "{", "nope", "1 2", "\u0000", "[" * 100000, "1" * 100000, '"\\ud800"', '{"a":1,"a":1}'):
        yield "schema.check", {"schema": {}, "instance": value}, (OK, PARAMS), None


def schemas():
    for schema in MALFORMED:
        yield "tool_call", tool_of(schema), (PARAMS, SCHEMA), "tools[0]"
        yield "chat", {**PROMPT, "max_tokens": 40, "response_format": {"type": "json_schema", "schema": schema}}, \
            (PARAMS, SCHEMA), SOME
    for schema in BOMBS:
        some = (OK, PARAMS, CONTEXT, SCHEMA)
        yield "tool_call", tool_of(schema), some, None
        yield "tool_call", {**tool_of(schema), "on_unsupported": "widen"}, some, None
        yield "chat", {**PROMPT, "max_tokens": 40, "response_format": {"type": "json_schema", "schema": schema}}, \
            some, None
        yield "schema.check", {"schema": schema, "instance": "[1]"}, (OK, PARAMS), None


# ---- running ----

def refused(answer, code, path):
    """Is the answer the expected one?"""
    codes = code if isinstance(code, tuple) else (code,)
    if "result" in answer:
        return OK in codes
    error = check_error(answer["error"])
    if error["code"] not in codes:
        return False
    if path is None:
        return True
    found = error.get("data", {}).get("path", "")
    return bool(found) if path is SOME else found == path or found.startswith((path + ".", path + "[", path + "/"))


def healthy(client, label):
    TALLY.check(client.call("health")["status"] == "ok", label, "not healthy")


def judge(label, answer, code, path=None):
    try:
        TALLY.check(refused(answer, code, path), label, f"expected {code} {path or ''}: {answer}")
    except AssertionError as error:
        TALLY.check(False, label, f"malformed error: {error}")


def run_lines(daemon):
    with daemon.client(60) as client:
        for line, code, id in lines():
            client.send_raw(line + b"\n")
            answer = client.receive()
            judge(f"line {cut(line)}", answer, code)
            TALLY.check(answer.get("id", "absent") == id, f"id of {cut(line)}", str(answer)[:200])
        for batch, expected in batches():
            client.send(batch)
            answer = client.receive()
            if isinstance(answer, list):
                TALLY.check(len(answer) == expected, f"batch {cut(batch)}", f"{len(answer)} answers")
            else:
                judge(f"batch {cut(batch)}", answer, expected)
        healthy(client, "after lines")


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def keys_of(value):
    """Of all objects inside."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_of(inner)


def unreadable(params):
    """Nested too deep, NUL in a key, half a character: the line as a whole is answered, with id null."""
    return (depth(params) + 1 > 64 or any("\0" in key for key in keys_of(params)) or
            any("\ud800" <= c <= "\udfff" for c in json.dumps(params, ensure_ascii=False)))


def send(client, method, params):
    client.n += 1
    client.send_raw(text(call(method, params, id=client.n)).replace(text(HUGE), b"1e400") + b"\n")
    return client.n


def run_unreadable(client, method, params):
    send(client, method, params)
    answer = client.receive()
    judge(f"{method} {cut(params)}", answer, PARSE)
    TALLY.check(answer["id"] is None, f"id of {cut(params)}", answer)


def run_params(daemon, table):
    """Several in flight at a time, as they come."""
    cases = list(table)
    with daemon.client(120) as client:
        for method, params, _, _ in cases:
            if unreadable(params):
                run_unreadable(client, method, params)
        cases = [case for case in cases if not unreadable(case[1])]
        waiting, sent, answered = {}, 0, 0
        while answered < len(cases):
            while sent < len(cases) and len(waiting) < 24:
                waiting[send(client, *cases[sent][:2])] = cases[sent]
                sent += 1
            answer = client.receive()
            if answer.get("method") in ("token", "progress"):
                continue
            if answer["id"] not in waiting:
                raise AssertionError(f"{answer} while waiting for {[cut(case) for case in waiting.values()]}")
            method, params, code, path = waiting.pop(answer["id"])
            answered += 1
            judge(f"{method} {cut(params)}", answer, code, path)
        healthy(client, "after params")


def mutated(rng, line):
    line = bytearray(line)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(line))
        kind = rng.randrange(5)
        if kind == 0:
            line[at] = rng.randrange(256)
        elif kind == 1:
            del line[at:at + rng.randrange(1, 20)]
        elif kind == 2:
            line[at:at] = bytes(line[at:at + rng.randrange(1, 20)])
        elif kind == 3:
            line[at:at] = rng.choice((b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"null", b"-1", b"1e99", b"\x00"))
        else:
            line[at:at + 1] = bytes([line[at] ^ 1 << rng.randrange(8)])
        line = line or bytearray(b"x")
    return bytes(line.replace(b"\n", b" "))


def run_mutations(daemon, seed, count):
    """Valid requests with a few bytes changed: whatever they mean now, one answer at most, and life."""
    rng = random.Random(seed)
    samples = [text(call("tool_call", tool_of({"type": "string", "maxLength": 3}))), text(call("tokenize", {"text": "é\\n"})),
               text(call("chat", {"messages": ODD_MESSAGES[7], "max_tokens": 2, "seed": 1})), text([call(), call(id=2)]),
               text(call("complete", {"prompt": [1, 2], "max_tokens": 2, "logit_bias": {"5": -1}, "stop": ["x"]})),
               text(call("tool_call", tool_of({"anyOf": [{"enum": ["a", 1]}, {"pattern": "^[a-c]{2,4}$"}]})))]
    for at in range(0, count, 20):  # a new connection now and then: what still generates is cancelled by its end
        with daemon.client(60) as client:
            for i in range(20):
                line = mutated(rng, rng.choice(samples))
                client.send_raw(line + b"\n")
                client.request("health", id=f"health {at + i}")
                answers = []
                try:
                    while (answer := client.receive()) and not (
                            isinstance(answer, dict) and answer.get("id") == f"health {at + i}"):
                        answers.append(answer)
                except (Closed, ConnectionError) as gone:
                    TALLY.check(False, f"mutation {line!r}", repr(gone))
                    return
                for answer in answers:
                    if isinstance(answer, dict) and "error" in answer:
                        judge(f"mutation {cut(line)}", answer, CODES)
    with daemon.client(60) as client:
        healthy(client, "after mutations")


def run_all(daemon, turn):
    run_lines(daemon)
    for table in (generation_params(), service_params(), conversations(), tools(), schemas()):
        run_params(daemon, table)
    run_mutations(daemon, turn, 400)
    daemon.idle(30)
    return anonymous_kib(daemon.process.pid)


def main():
    for path in (harness.PLMD, harness.MODEL):
        if not os.path.exists(path):
            print(f"SKIP: {path} is missing\n0 passed, 0 failed")
            return
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "random.gguf")
        random_model.write(harness.MODEL, model)
        with Daemon("--kv-bytes", "16M", model=model) as daemon:
            memory = [run_all(daemon, turn) for turn in range(1 if SANITIZED else 3)]
        # With is over: the exit status was 0.
        print(f"       RssAnon after each turn: {', '.join(f'{m} KiB' for m in memory)}")
        if not SANITIZED:
            TALLY.check(memory[-1] - memory[-2] < 4096, "memory does not grow", memory)
    print(f"{TALLY.passed} passed, {TALLY.failed} failed")
    sys.exit(1 if TALLY.failed else 0)


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, OSError) as error:  # no answer, or a bad exit status
        print(f"FAILED: {error!r}\n{TALLY.passed} passed, {TALLY.failed + 1} failed")
        sys.exit(1)
