#!/usr/bin/env python3
"""What a schema can't be honoured for, and the formats that are no JSON, over the socket.

  tool_call  on_unsupported            widen_one widen_lifted widen_one_bad_tool widen_invalid widen_refused error_paths
  chat, complete                       widen_format
  schema.check  on_unsupported         widen_check
  hello                                capability
  response_format regex, gbnf          regex_and_gbnf budgets same_bytes refusals random_texts plmctl
"""

import json
import os
import re
import subprocess
import tempfile

import harness
import random_model
from harness import Daemon, check_error, main, test

REMOTE = {"$ref": "https://example.com/schema.json"}
BEHIND = "^(a|b)\\1$"  # a back-reference: neither the decoder nor the validator can judge it
BASE = {"prompt": "Call f, please.", "max_tokens": 80, "temperature": 0}

DAEMON = None


def client():
    global DAEMON
    if DAEMON is None:
        DAEMON = Daemon()
    return DAEMON.client(120)


def tool(properties, name="f", **more):
    return {"name": name, "parameters": {"type": "object", "properties": properties,
                                         "required": list(properties), **more}}


def widened(c, tools, **more):
    return c.call("tool_call", {**BASE, "tools": tools, "on_unsupported": "widen", **more})


def dropped(result):
    return [(w["path"], w["keyword"], w["validated"]) for w in result.get("warnings", [])]


@test
def capability():
    with client() as c:
        assert any("widen" in word for word in c.call("hello")["capabilities"])


@test
def widen_one():
    """The keyword goes, the rest of the schema and the other members stay exact."""
    tools = [tool({"a": {"type": "string", "pattern": BEHIND, "maxLength": 3}, "b": {"enum": [1, 2]}})]
    with client() as c:
        error = check_error(c.error("tool_call", {**BASE, "tools": tools}), 1004)
        assert error["data"]["path"] == "tools[0].parameters/properties/a/pattern", error
        result = widened(c, tools)
        assert dropped(result) == [("tools[0].parameters/properties/a/pattern", "pattern", False)], result
        arguments = result["calls"][0]["arguments"]
        assert len(arguments["a"]) <= 3 and arguments["b"] in (1, 2), result
        assert result["finish_reason"] == "tool_calls"
        again = widened(c, tools)
        assert again["calls"][0]["arguments"] == arguments
        plain = widened(c, [tool({"b": {"enum": [1, 2]}})])
        assert "warnings" not in plain, plain


@test
def widen_lifted():
    """Inside `not` a keyword less would allow less: the `not` goes. A oneOf around becomes an anyOf."""
    tools = [tool({"a": {"type": "string", "maxLength": 2, "not": {"pattern": BEHIND}},
                   "b": {"oneOf": [{"type": "integer", "maximum": 9, "minimum": 0}, REMOTE | {"type": "null"}]}})]
    with client() as c:
        result = widened(c, tools)
        properties = "tools[0].parameters/properties"
        found = dropped(result)
        assert (properties + "/a/not/pattern", "pattern", False) in found, found
        assert (properties + "/b/oneOf/1/$ref", "$ref", False) in found, found
        assert [f for f in found if f[1] == "oneOf"] == [(properties + "/b/oneOf", "oneOf", False)], found
        arguments = result["calls"][0]["arguments"]
        assert len(arguments["a"]) <= 2 and arguments["b"] in (None, *range(10)), arguments


@test
def widen_one_bad_tool():
    good, bad = tool({"x": {"const": 5}}, "good"), tool({"y": REMOTE}, "bad")
    with client() as c:
        error = check_error(c.error("tool_call", {**BASE, "tools": [good, bad]}), 1004)
        assert error["data"]["path"] == "tools[1].parameters/properties/y/$ref", error
        assert error["data"]["keyword"] == "$ref", error
        result = widened(c, [good, bad], tool_choice={"name": "good"})
        assert result["calls"][0]["arguments"] == {"x": 5} and "warnings" not in result, result
        result = widened(c, [good, bad], tool_choice={"name": "bad"})
        assert list(result["calls"][0]["arguments"]) == ["y"], result
        assert dropped(result) == [("tools[1].parameters/properties/y/$ref", "$ref", False)], result


@test
def widen_invalid():
    """What the decoder cannot hold but the validator can: a call that fails is not returned."""
    x = {"const": "x", "pattern": "(?<=q(?=x))x"}
    path = "tools[0].parameters/properties/a/pattern"
    with client() as c:
        check_error(c.error("tool_call", {**BASE, "tools": [tool({"a": x})]}), 1004)
        result = widened(c, [tool({"a": x})])
        assert result["calls"] == [] and result["finish_reason"] == "invalid", result
        assert dropped(result) == [(path, "pattern", True)], result
        result = widened(c, [tool({"a": {**x, "const": "qx"}})])
        assert result["calls"][0]["arguments"] == {"a": "qx"} and dropped(result) == [(path, "pattern", True)], result
        form = {"type": "json_schema", "schema": x}
        result = c.call("chat", {**BASE, "response_format": form, "on_unsupported": "widen"})
        assert result["content"] is None and result["finish_reason"] == "invalid", result


@test
def widen_refused():
    """Malformed is malformed, and nothing is nothing."""
    with client() as c:
        for schema, code in (({"type": "strin"}, -32602), (False, 1004), ({"enum": []}, 1004)):
            error = c.error("tool_call", {**BASE, "on_unsupported": "widen", "tools": [tool({"a": schema})]})
            check_error(error, code)
            assert error["data"]["path"].startswith("tools[0].parameters"), error
        many = tool({f"p{i}": REMOTE for i in range(2000)})
        check_error(c.error("tool_call", {**BASE, "on_unsupported": "widen", "tools": [many]}))


@test
def format_spelling():
    """An answer in a schema's format is spelled as a call's arguments are: integers without a fraction, members in the
    schema's order. The validator knows formats as the decoder does; other spellings are right as well."""
    schema = {"type": "object", "properties": {"z": {"type": "integer"}, "day": {"type": "string", "format": "date"},
                                               "a": {"type": "array", "items": {"type": "integer"}, "minItems": 2}},
              "required": ["a", "z"]}
    with client() as c:
        for seed in range(12):
            result = c.call("chat", {"messages": [{"role": "user", "content": "Count 1, 2, 3."}], "max_tokens": 80,
                                     "temperature": 1.5, "seed": seed,
                                     "response_format": {"type": "json_schema", "schema": schema}})
            value = json.loads(result["content"], parse_float=lambda text: text)
            declared = [key for key in value if key in schema["properties"]]
            assert isinstance(value["z"], int) and all(isinstance(n, int) for n in value["a"]), value
            assert declared == [key for key in schema["properties"] if key in value], value
        for text, right in (('{"a": [1.0, 2], "z": 3.0}', True), ('{"z": 1, "a": [1, 2], "day": "2024-02-29"}', True),
                            ('{"z": 1, "a": [1, 2], "day": "2023-02-29"}', False)):
            result = c.call("schema.check", {"schema": schema, "instance": text})
            assert (result["accepts"], result["valid"]) == (right, right), (text, result)


@test
def widen_format():
    schema = {"type": "object", "properties": {"a": REMOTE, "b": {"enum": ["x"]}}, "required": ["b"],
              "additionalProperties": False}
    form = {"type": "json_schema", "schema": schema}
    with client() as c:
        check_error(c.error("chat", {**BASE, "response_format": form}), 1004)
        for method in ("chat", "complete"):
            result = c.call(method, {**BASE, "response_format": form, "on_unsupported": "widen"})
            assert dropped(result) == [("/properties/a/$ref", "$ref", False)], result
            assert '"b": "x"' in result["content"] or result["finish_reason"] != "stop", result


@test
def widen_check():
    schema = {"properties": {"a": REMOTE, "b": {"type": "string", "pattern": BEHIND}, "c": {"type": "null"}}}
    with client() as c:
        result = c.call("schema.check", {"schema": schema, "on_unsupported": "widen", "instance": '{"b": "cc"}'})
        assert not result["supported"] and result["accepts"] and "valid" not in result, result
        assert sorted(u["path"] for u in result["unsupported"]) == ["/properties/a/$ref", "/properties/b/pattern"]
        result = c.call("schema.check", {"schema": schema, "on_unsupported": "widen", "instance": '{"c": 1}'})
        assert not result["accepts"], result
        tools = [tool({"x": {"const": 1}}, "good"), tool({"y": REMOTE}, "bad")]
        result = c.call("schema.check", {"tools": tools, "on_unsupported": "widen",
                                         "instance": '{"name": "good", "arguments": {"x": 1}}'})
        assert result["accepts"] and result["valid"], result
        assert [u["path"] for u in result["unsupported"]] == ["tools[1].parameters/properties/y/$ref"], result
        assert len(c.call("schema.check", {"schema": schema})["unsupported"]) == 1


@test
def error_paths():
    """What the validator alone cannot judge is named with its tool too."""
    tools = [tool({"x": {"const": 1}}, "good"), tool({"y": {"$dynamicAnchor": 5}}, "bad")]
    with client() as c:
        error = check_error(c.error("tool_call", {**BASE, "tools": tools}), -32602)
        assert error["data"]["path"].startswith("tools[1].parameters/properties/y"), error
        for choice in ("required", {"name": "bad"}):
            error = c.error("tool_call", {**BASE, "tool_choice": choice,
                                          "tools": [tools[0], tool({"y": REMOTE}, "bad")]})
            assert error["data"]["path"] == "tools[1].parameters/properties/y/$ref", error


# ---- text ----

JSON = r'''root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws
array ::= "[" ws (value ("," ws value)*)? "]" ws
string ::= "\"" ([^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
'''
LETTERS = "abcdefghijklmnopqrstuvwxyz "
# every text leads elsewhere: masks hold the shorter tokens only
PALINDROMES = 'root ::= s "."\ns ::= [a-z ]?' + "".join(f' | "{c}" s "{c}"' for c in LETTERS)
PATTERNS = [r"\d{4}-\d{2}-\d{2}", r"(yes|no), because [a-z ]{5,40}\.", r"[A-Z][a-z]*( [A-Z][a-z]*){0,3}", r"[^a-z\n]{3,9}",
            r"(?=.*\d)[a-z\d]{4,12}", r"\w+@\w+\.(com|org)", r"a|bc|[x-z]{2}", r"[ \n]*[^ \n]+[ \n]*", r".{10,}"]
GRAMMARS = {JSON: json.loads, 'root ::= ("- " [^\\n]+ "\\n"){3}': r"(- [^\n]+\n){3}",
            'root ::= x{2,400} "."\nx ::= "ab" | "a" # two\n': r"(ab|a){2,400}\.",
            'root ::= "\\u00e9" [\\U0001F600-\\U0001F64F]+ "!"': "\u00e9[\U0001f600-\U0001f64f]+!",
            'root ::= (expr "=" num "\\n"){1,3}\nexpr ::= term ([-+*/] term)*\nterm ::= num | "(" expr ")"\nnum ::= [0-9]+':
                r"([-+*/()\d]+=\d+\n){1,3}",
            PALINDROMES: lambda text: text[:-1] == text[-2::-1] or None if re.fullmatch(r"[a-z ]*\.", text) else None}


def matches(form, text):
    if form["type"] == "regex":
        return re.fullmatch(form["pattern"], text, re.ASCII if "\\w" in form["pattern"] else 0)
    check = GRAMMARS[form["grammar"]]
    return re.fullmatch(check, text) if isinstance(check, str) else check(text) is not None


FORMS = [{"type": "regex", "pattern": p} for p in PATTERNS] + [{"type": "gbnf", "grammar": g} for g in GRAMMARS]


def written(c, form, **more):
    return c.call(more.pop("method", "complete"), {"prompt": "Write it down: ", "response_format": form,
                                                   "max_tokens": 40, "seed": 1, **more})


@test
def regex_and_gbnf():
    with client() as c:
        for i, form in enumerate(FORMS):
            result = written(c, form, method=("chat", "complete")[i % 2], temperature=0)
            assert matches(form, result["content"]), (form, result)
            assert result["finish_reason"] in ("stop", "length") and not result["calls"], result
        for form, text in (({"type": "regex", "pattern": "exactly (this|this)"}, "exactly this"),
                           ({"type": "gbnf", "grammar": 'root ::= "<a>" "</a>"'}, "<a></a>"),
                           ({"type": "regex", "pattern": ""}, "")):
            result = written(c, form)
            assert result["content"] == text and result["usage"]["forced_tokens"] == result["usage"]["completion_tokens"]
            assert result["usage"]["steps"] == 0 and result["finish_reason"] == "stop", result


@test
def budgets():
    """Complete within max_tokens, whatever it is; refused if the shortest text does not fit."""
    with client() as c:
        for tokens in (1, 3, 7, 20, 33):
            for form in FORMS:
                message, _ = c.response(c.request("complete", {"prompt": "{", "response_format": form, "seed": tokens,
                                                               "max_tokens": tokens, "temperature": 1.5}))
                if "error" in message:
                    check_error(message["error"], 1003)
                    assert tokens < 20, (form, message)
                else:
                    assert matches(form, message["result"]["content"]), (form, message)
                    assert message["result"]["usage"]["completion_tokens"] <= tokens, message


@test
def same_bytes():
    """Alone or with others, from the cache or not, streamed or not."""
    with client() as c:
        alone = [written(c, form, temperature=1.3, cache={"store": False})["content"] for form in FORMS]
        ids = [c.request("complete", {"prompt": "Write it down: ", "response_format": form, "max_tokens": 40, "seed": 1,
                                      "temperature": 1.3, "stream": True}) for form in FORMS]
        texts, results = {id: "" for id in ids}, {}
        while len(results) < len(ids):
            message = c.receive()
            if "method" in message:
                texts[message["params"]["id"]] += message["params"]["text"]
            else:
                results[message["id"]] = message["result"]["content"]
        assert [results[id] for id in ids] == alone and [texts[id] for id in ids] == alone


@test
def refusals():
    with client() as c:
        for form, code, path, word in (
                ({"type": "regex", "pattern": "("}, -32602, "pattern", "regular"),
                ({"type": "regex", "pattern": r"(a)\1"}, 1004, "pattern", "back-reference"),
                ({"type": "regex", "pattern": "a{99999}"}, 1004, "pattern", "states"),
                ({"type": "regex", "pattern": "[^\\s\\S]"}, 1004, "pattern", "unsatisfiable"),
                ({"type": "regex"}, -32602, "pattern", ""), ({"type": "gbnf"}, -32602, "grammar", ""),
                ({"type": "gbnf", "grammar": "root ::= x"}, -32602, "grammar", "called x"),
                ({"type": "gbnf", "grammar": 'root ::= root "a" | "b"'}, 1004, "grammar", "left recursion"),
                ({"type": "gbnf", "grammar": 'root ::= "a" root'}, 1004, "grammar", "unsatisfiable"),
                ({"type": "gbnf", "grammar": "root ::= <think>"}, 1004, "grammar", "tokens"),
                ({"type": "gbnf", "grammar": "root ::= " + "(" * 200 + '"a"' + ")" * 200}, 1004, "grammar", "deeper")):
            for method in ("chat", "complete"):
                error = check_error(c.error(method, {"prompt": "x", "response_format": form}), code)
                assert error["data"]["path"] == "response_format." + path and word in error["message"], error
                if code == 1004:
                    assert error["data"]["keyword"] == form["type"] and error["data"]["reason"], error
        error = c.error("chat", {"prompt": "x", "tools": [tool({})], "response_format": {"type": "regex", "pattern": "a"}})
        assert error["data"]["path"] == "response_format", error


@test
def random_texts():
    """Weights that know nothing, at temperatures where everything allowed happens."""
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "random.gguf")
        random_model.write(harness.MODEL, model)
        n = 0
        with Daemon("--kv-bytes", "16M", model=model) as daemon, daemon.client(120) as c:
            for seed in range(12):
                ids = {c.request("complete", {"prompt": "x", "response_format": form, "seed": seed, "cache": {"store": False},
                                              "max_tokens": 24 + 9 * (seed % 4), "temperature": 1 + seed % 3 / 2}): form
                       for form in FORMS}
                for _ in range(len(ids)):
                    message = c.receive()
                    assert "result" in message, message
                    assert matches(ids[message["id"]], message["result"]["content"]), (ids[message["id"]], message)
                    n += 1
        print(f"       {n} texts, all of their format")


@test
def kept_is_new():
    """What earlier requests left in a grammar (masks, automata) is in no answer: one daemon compiles each anew."""
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "random.gguf")
        random_model.write(harness.MODEL, model)
        with Daemon(model=model) as keeps, Daemon("--grammar-bytes", "1K", model=model) as forgets, \
                keeps.client(120) as kept, forgets.client(120) as new:
            for seed in range(4):
                for form in FORMS:
                    params = {"prompt": "x", "response_format": form, "seed": seed, "max_tokens": 24, "logprobs": 1,
                              "cache": {"store": False}, "temperature": 1 + seed % 3 / 2}
                    a, b = kept.call("complete", params), new.call("complete", params)
                    for result in a, b:
                        result["usage"].pop("cached_tokens")
                    assert all(a[k] == b[k] for k in ("content", "finish_reason", "usage", "logprobs")), (form, a, b)
            hits = kept.call("stats")["grammars"]["hits"], new.call("stats")["grammars"]["hits"]
            assert hits == (3 * len(FORMS), 0), hits


@test
def plmctl():
    program = os.path.join(harness.BUILD, "plmctl")
    client().close()
    with tempfile.NamedTemporaryFile("w", suffix=".gbnf") as file:
        file.write('root ::= "- " [a-z]+ "\\n"')
        file.flush()

        def run(*words):
            return subprocess.run([program, "--socket", DAEMON.path, "--max-tokens", "12", *words],
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        out = run("complete", "--gbnf", file.name, "A list:")
        assert re.fullmatch(r"- [a-z]+\n+", out.stdout) and out.returncode == 0, out
        out = run("chat", "--regex", "[0-9]{3}", "A number")
        assert re.fullmatch(r"[0-9]{3}\n?", out.stdout), out
        out = run("complete", "--regex", "(", "x")
        assert out.returncode == 1 and "regular expression" in out.stderr, out
        assert run("complete", "--regex", "a", "--gbnf", file.name, "x").returncode == 3
        assert run("tool-call", "--regex", "a", "--tools", file.name, "x").returncode == 3


if __name__ == "__main__":
    try:
        main()
    finally:
        if DAEMON:
            DAEMON.stop()
