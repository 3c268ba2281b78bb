#!/usr/bin/env python3
"""What a schema can't be honoured for, and the formats that are no JSON, over the socket.

  tool_call  on_unsupported            widen_one widen_lifted widen_one_bad_tool widen_invalid widen_refused error_paths
  chat, complete                       widen_format
  schema.check  on_unsupported         widen_check
  hello                                capability
"""

import harness
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
    items = {"type": "array", "minItems": 2, "maxItems": 2, "uniqueItems": True,
             "items": {"type": "array", "items": {"const": 1}, "minItems": 1, "maxItems": 1}}
    with client() as c:
        refusal = c.response(c.request("tool_call", {**BASE, "tools": [tool({"a": items})]}))[0]
        if refusal.get("error", {}).get("data", {}).get("keyword") != "uniqueItems":
            return  # the decoder knows better than when this was written
        result = widened(c, [tool({"a": items})])
        assert result["calls"] == [] and result["finish_reason"] == "invalid", result
        assert dropped(result) == [("tools[0].parameters/properties/a/uniqueItems", "uniqueItems", True)], result
        form = {"type": "json_schema", "schema": items}
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
    tools = [tool({"x": {"const": 1}}, "good"), tool({"y": {"type": "string", "format": 5}}, "bad")]
    with client() as c:
        error = check_error(c.error("tool_call", {**BASE, "tools": tools}), -32602)
        assert error["data"]["path"].startswith("tools[1].parameters/properties/y"), error
        for choice in ("required", {"name": "bad"}):
            error = c.error("tool_call", {**BASE, "tool_choice": choice,
                                          "tools": [tools[0], tool({"y": REMOTE}, "bad")]})
            assert error["data"]["path"] == "tools[1].parameters/properties/y/$ref", error


if __name__ == "__main__":
    main()
    if DAEMON:
        DAEMON.stop()
