"""Schemas meant to hurt: what compiles them must stay small and quick, whether it takes or refuses them.

`all_of_them()` yields (name, schema text). Run as a program it prints lines {"id", "schema", "tests": []},
the form that plm-schema-bench reads (its compile times are those of these schemas then).
"""

import json


def obj(properties, **more):
    return {"type": "object", "properties": properties, **more}


def nested(depth, inner, wrap):
    for i in range(depth):
        inner = wrap(inner, i)
    return inner


def arrays():
    for bound in (10**8, 10**18, 10**30):
        yield f"maxItems {bound}", {"type": "array", "items": {"type": "integer"}, "maxItems": bound}
        yield f"minItems {bound}", {"type": "array", "items": {"type": "integer"}, "minItems": bound}
        yield f"minContains {bound}", {"type": "array", "contains": {"type": "integer"}, "minContains": bound}
    yield "unique 10^8", {"type": "array", "uniqueItems": True, "minItems": 10**8, "items": {"type": "boolean"}}
    yield "unique enum", {"type": "array", "uniqueItems": True, "items": {"enum": [f"v{i}" for i in range(5000)]},
                          "minItems": 4999}
    yield "unique of unique", nested(20, {"type": "boolean"}, lambda s, _: {"type": "array", "items": s,
                                                                           "uniqueItems": True})
    yield "arrays in arrays", nested(31, {"type": "integer"}, lambda s, _: {"type": "array", "items": s, "minItems": 2})
    yield "minItems to the power", nested(24, {"type": "null"}, lambda s, _: {"type": "array", "items": s,
                                                                             "minItems": 1000})
    yield "many prefixItems", {"type": "array", "prefixItems": [{"enum": [i, str(i)]} for i in range(4000)]}
    yield "many contains", {"allOf": [{"type": "array", "contains": {"const": i}} for i in range(300)]}


def strings():
    for bound in (10**8, 10**18, 10**30):
        yield f"maxLength {bound}", {"type": "string", "maxLength": bound}
        yield f"minLength {bound}", {"type": "string", "minLength": bound}
    for pattern in ("(a+)+$", "^(a|aa)*b$", r"^(([a-z])+.)+[A-Z]([a-z])+$", "^(x?){1000}x{1000}$", "^(a{1000}){1000}$",
                    "(((a{100}){100}){100}){100}", ".*a.{200}", "(a|b)*a(a|b){30}$", ".*.*.*.*.*.*=.*", "^(?!.*foo).*$",
                    "(?=.*a)(?=.*b)(?=.*c)(?=.*d)", r"(\w+\s*)+:", "^" + "(a?" * 500 + ")" * 500 + "$", "(" * 5000,
                    "[" + "".join(chr(0x4e00 + 2 * i) for i in range(3000)) + "]+", "|".join(f"w{i}x" for i in range(4000)),
                    r"^\p{L}{1,64}(\p{N}|\p{L}){0,4096}$", "^[^a]{0,100000}a$", r"(a*)*(b*)*(c*)*\1", "^(.|\n)*$" * 50,
                    "a{999999999}", "a{0,999999999999999999999}", "(?<n>a)" * 1000, "(a|)" * 2000, "^(?:.{0,50}x){0,50}$"):
        yield f"pattern {pattern[:40]}", {"type": "string", "pattern": pattern}
        yield f"keys {pattern[:40]}", {"type": "object", "patternProperties": {pattern: {"type": "integer"}}}
    yield "patterns at once", {"allOf": [{"pattern": f"[{c}{d}].*x"} for c in "abcdef" for d in "ghijkl"]}
    yield "patterns and lengths", {"allOf": [{"pattern": f"(.*{c}){{3}}"} for c in "abcdefgh"], "minLength": 5000,
                                   "maxLength": 6000}
    yield "not patterns", {"type": "string", "allOf": [{"not": {"pattern": f"{c}.{{0,9}}{c}"}} for c in "abcdefghijk"]}
    yield "formats at once", {"allOf": [{"format": f} for f in ("email", "uri", "date-time", "uuid", "hostname", "ipv6")]}
    yield "large enum", {"enum": [f"value number {i} of many" for i in range(5000)]}
    yield "long enum", {"enum": ["x" * 4000 + str(i) for i in range(40)]}
    yield "enum minus enum", {"enum": [str(i) for i in range(5000)], "not": {"enum": [str(2 * i) for i in range(2500)]}}
    yield "enum in enum", {"allOf": [{"enum": list(range(n, n + 20_000))} for n in (0, 1)]}
    yield "deep enum", {"enum": [nested(60, i, lambda v, _: [v]) for i in range(500)]}
    yield "long description", {"type": "integer", "description": "blah " * 200_000}
    yield "descriptions", obj({f"p{i}": {"type": "string", "description": "x" * 400} for i in range(500)})
    yield "escapes", {"enum": ["\u0000\u001f\ud83d\ude00\\\"" * 2000]}


def numbers():
    yield "far bounds", {"type": "integer", "minimum": -10**300, "maximum": 10**300}
    yield "long bounds", {"type": "number", "minimum": int("1" * 3000), "maximum": int("9" * 3000)}
    yield "narrow", {"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.10000000000000001}
    for step in ("1e-300", "1e300", "7.3e-9", "99999999999999999999", "0.1", "1e-2147483648", "1e999999999"):
        yield f"multipleOf {step}", '{"type": "number", "multipleOf": %s, "minimum": 1, "maximum": 1e30}' % step
    yield "multiples at once", {"allOf": [{"type": "integer", "multipleOf": p} for p in (7, 11, 13, 17, 19, 23, 29, 31)]}
    yield "exponents", '{"type": "number", "minimum": 1e-999999999, "maximum": 1e999999999}'


def logic():
    for word in ("oneOf", "anyOf", "allOf"):
        yield f"deep {word}", nested(30, {"type": "integer"}, lambda s, i, w=word: {w: [s, {"type": "string",
                                                                                          "maxLength": i}]})
        yield f"wide {word}", {word: [obj({f"k{i}": {"type": "integer"}}) for i in range(1500)]}
        yield f"overlapping {word}", {word: [obj({"a": {"type": "integer"}, f"k{i}": {"type": "string"}},
                                                 required=["a"]) for i in range(150)]}
        yield f"same {word}", {word: [{"type": "integer", "minimum": i} for i in range(1000)]}
        yield f"{word} to the power", {"allOf": [{word: [obj({f"a{i}": {"const": j}}) for j in range(4)]}
                                                 for i in range(14)]}
    yield "deep not", nested(31, {"type": "integer"}, lambda s, _: {"not": s})
    for word in ("anyOf", "oneOf"):
        yield f"labelled values by {word}", {word: [{"const": f"v{i}", "title": f"V {i}"} for i in range(5000)]}
        yield f"numbers by {word}", {word: [{"const": i} for i in range(5000)]}
    yield "not of all", {"not": {"anyOf": [obj({f"k{i}": {"const": i}}, required=[f"k{i}"]) for i in range(100)]}}
    yield "conditions", {"allOf": [{"if": obj({"kind": {"const": i}}), "then": {"required": [f"r{i}"]},
                                    "else": {"maxProperties": 100 - i}} for i in range(60)]}
    yield "deep conditions", nested(9, {}, lambda s, i: {"if": obj({f"a{i}": {"const": i}}), "then": s,
                                                          "else": obj({f"b{i}": s})})
    yield "unevaluated conditions", {"allOf": [{"if": {"required": [f"k{i}"]}, "then": obj({f"v{i}": {}})}
                                               for i in range(25)], "unevaluatedProperties": False}
    yield "dependent", obj({f"a{i}": {} for i in range(60)}, dependentSchemas={
        f"a{i}": obj({f"a{(i + 1) % 60}": {"type": "integer", "minimum": i}}, required=[f"a{(i + 7) % 60}"])
        for i in range(60)})
    yield "chain of dependents", obj({f"a{i}": {} for i in range(2000)},
                                     dependentRequired={f"a{i}": [f"a{i + 1}"] for i in range(1999)})
    yield "union of all", obj({f"a{i}": {"type": ["string", "number", "object", "array", "null"]} for i in range(500)})


def objects():
    yield "many properties", obj({f"property number {i}": {"type": "integer"} for i in range(4000)})
    yield "many required", obj({}, required=[f"r{i}" for i in range(4000)])
    yield "minProperties", {"type": "object", "minProperties": 10**8}
    yield "all optional", obj({f"k{i}": {"enum": ["a", "b"]} for i in range(3000)}, minProperties=2999)
    yield "pattern keys", {"type": "object", "patternProperties": {f"^{c}{d}.*": {"minimum": i} for i, c in
                                                                   enumerate("abcdefgh") for d in "abcdefgh"}}
    yield "overlapping keys", {"type": "object", "patternProperties": {f"{c}.*{d}": {"type": "integer"} for c in
                                                                       "abcdefgh" for d in "abcdefgh"},
                               "additionalProperties": False}
    yield "names", {"type": "object", "propertyNames": {"pattern": "^(a|b)*a(a|b){12}$"}, "minProperties": 100}
    yield "long key", obj({"k" * 200_000: {}})
    yield "deep objects", nested(31, {"type": "integer"}, lambda s, i: obj({f"a{i}": s}, required=[f"a{i}"]))


def references():
    yield "itself", {"$ref": "#"}
    yield "itself by all", {"allOf": [{"$ref": "#"}]}
    yield "itself by not", {"not": {"$ref": "#"}}
    yield "itself by one", {"oneOf": [{"$ref": "#"}, {"$ref": "#"}]}
    yield "each other", {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    yield "without end", {"$ref": "#/$defs/n", "$defs": {"n": obj({"n": {"$ref": "#/$defs/n"}}, required=["n"])}}
    yield "tree", {"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [{"type": "null"}, obj(
        {k: {"$ref": "#/$defs/n"} for k in "abcdefgh"}, required=list("abcdefgh"))]}}}
    yield "recursive all", {"$ref": "#/$defs/n", "$defs": {"n": {"allOf": [
        obj({"n": {"allOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/m"}]}}), {"$ref": "#/$defs/m"}]},
        "m": obj({"n": {"allOf": [{"$ref": "#/$defs/m"}, {"$ref": "#/$defs/n"}]}, "k": {"type": "integer"}})}}
    yield "chain", {"$ref": "#/$defs/d0", "$defs": {**{f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(3000)},
                                                    "d3000": {"type": "integer"}}}
    yield "doubling", {"$ref": "#/$defs/d0", "$defs": {**{f"d{i}": obj(
        {"a": {"$ref": f"#/$defs/d{i + 1}"}, "b": {"$ref": f"#/$defs/d{i + 1}"}}, required=["a", "b"])
        for i in range(40)}, "d40": {"type": "integer"}}}
    yield "doubling by all", {"$ref": "#/$defs/d0", "$defs": {**{f"d{i}": {"allOf": [
        {"$ref": f"#/$defs/d{i + 1}"}, {"$ref": f"#/$defs/d{i + 1}"}]} for i in range(40)}, "d40": {"type": "integer"}}}
    yield "doubling by one", {"$ref": "#/$defs/d0", "$defs": {**{f"d{i}": {"oneOf": [
        {"$ref": f"#/$defs/d{i + 1}"}, {"type": "string", "pattern": f"^{i}"}]} for i in range(40)},
        "d40": {"type": "integer"}}}
    yield "unused", {"type": "integer", "$defs": {f"d{i}": {"oneOf": [{"pattern": "(a+)+"}, {}]} for i in range(3000)}}
    yield "long pointer", {"$ref": "#" + "/a" * 50_000}
    yield "remote", {"$ref": "https://example.com/schema"}


def texts():
    yield "brackets", "[" * 200_000
    yield "deep", '{"items":' * 60_000 + "{}" + "}" * 60_000
    yield "not closed", '{"type": "object", "properties": {'
    yield "repeated", '{"type": "integer", "type": "string"}'
    yield "a number", "7"
    yield "empty", ""


def all_of_them():
    for group in (arrays, strings, numbers, logic, objects, references, texts):
        for name, schema in group():
            yield name, schema if isinstance(schema, str) else json.dumps(schema)


if __name__ == "__main__":
    for id, text in all_of_them():
        try:
            print(json.dumps({"id": id, "schema": "@", "tests": []}).replace('"@"', text if json.loads(text) else "{}"))
        except (ValueError, RecursionError):
            pass
