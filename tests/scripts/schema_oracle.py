"""A small validator of JSON Schema, written independently of the engine's, for the scripts that judge
its output. What it does not know, it says: unknown keywords raise Unsure."""

import re

ANNOTATIONS = {"title", "description", "default", "examples", "example", "format", "$schema", "$id",
               "id", "$comment", "deprecated", "readOnly", "writeOnly", "nullable", "definitions",
               "$defs", "optional", "contentEncoding", "contentMediaType"}
TYPES = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: TYPES["number"](v) and (v % 1 == 0 or abs(v) == float("inf")),
}
IN_PLACE = ("allOf", "anyOf", "oneOf")


class Unsure(Exception):
    """The schema says something this validator does not know."""


class Invalid(Exception):
    """Where and why."""


def equal(a, b):
    """JSON's equality: 1 equals 1.0, true does not equal 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b or TYPES["number"](a) and TYPES["number"](b) and a == b


def found(pattern, text):
    """ECMA-262's \\d and \\w know ASCII only."""
    return re.search(pattern, text, re.ASCII)


def require(condition, path, why):
    if not condition:
        raise Invalid(f"{path or '(whole)'}: {why}")


class Oracle:
    """closed: members that no schema at their place declares are refused, as a tool's arguments are
    (protocol.md, `tools`)."""

    def __init__(self, root, closed=False):
        self.root, self.closed = root, closed

    def check(self, value, schema=None, path=""):
        """Raises Invalid or Unsure."""
        schema = self.root if schema is None else schema
        self.apply(value, schema, path)
        if self.closed and isinstance(value, dict):
            self.check_closed(value, schema, path)

    # ---- references ----

    def resolve(self, ref):
        if ref == "#":
            return self.root
        if not ref.startswith("#/"):
            raise Unsure(f"$ref {ref}")
        at = self.root
        for step in ref[2:].split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            at = at[int(step)] if isinstance(at, list) else at[step]
        return at

    # ---- closed objects ----

    def parts(self, schema, depth=0):
        """The schema and what it applies to the same value."""
        if not isinstance(schema, dict) or depth > 20:
            return
        yield schema
        inner = [s for key in IN_PLACE for s in schema.get(key, [])]
        inner += [schema[key] for key in ("then", "else", "if") if key in schema]
        if "$ref" in schema:
            inner.append(self.resolve(schema["$ref"]))
        for part in inner:
            yield from self.parts(part, depth + 1)

    def check_closed(self, value, schema, path):
        parts = list(self.parts(schema))
        speaks = any("properties" in p or p.get("type") == "object" for p in parts)
        said = any("additionalProperties" in p or "unevaluatedProperties" in p for p in parts)
        if not speaks or said:
            return
        names = {n for p in parts for n in [*p.get("properties", {}), *p.get("required", [])]}
        patterns = [x for p in parts for x in p.get("patternProperties", {})]
        for name in value:
            require(name in names or any(found(x, name) for x in patterns), path,
                    f"member {name!r} is not declared")

    # ---- keywords ----

    def apply(self, value, schema, path):
        if isinstance(schema, bool):
            return require(schema, path, "nothing is allowed here")
        for key, argument in schema.items():
            if key in ANNOTATIONS or key in ("additionalProperties", "then", "else"):
                continue
            method = getattr(self, "k_" + key.replace("$", ""), None)
            if not method:
                raise Unsure(f"keyword {key}")
            method(value, argument, path, schema)
        if isinstance(value, dict) and "additionalProperties" in schema:
            self.additional(value, schema, path)

    def k_ref(self, value, ref, path, _):
        self.apply(value, self.resolve(ref), path)

    def k_type(self, value, types, path, schema):
        types = types if isinstance(types, list) else [types]
        if value is None and schema.get("nullable") is True:
            return
        require(any(TYPES[t](value) for t in types), path, f"{value!r} is not {types}")

    def k_enum(self, value, values, path, _):
        require(any(equal(value, v) for v in values), path, f"{value!r} is not in the enum")

    def k_const(self, value, constant, path, _):
        require(equal(value, constant), path, f"{value!r} is not the constant")

    def holds(self, value, schema, path):
        try:
            self.apply(value, schema, path)
            return True
        except Invalid:
            return False

    def k_allOf(self, value, schemas, path, _):
        for schema in schemas:
            self.apply(value, schema, path)

    def k_anyOf(self, value, schemas, path, _):
        require(any(self.holds(value, s, path) for s in schemas), path, "no branch of anyOf")

    def k_oneOf(self, value, schemas, path, _):
        n = sum(self.holds(value, s, path) for s in schemas)
        require(n == 1, path, f"{n} branches of oneOf")

    def k_not(self, value, schema, path, _):
        require(not self.holds(value, schema, path), path, "not")

    def k_if(self, value, schema, path, whole):
        branch = whole.get("then" if self.holds(value, schema, path) else "else")
        if branch is not None:
            self.apply(value, branch, path)

    # numbers

    def bound(self, value, path, holds, what):
        require(not TYPES["number"](value) or holds(), path, f"{value!r}: {what}")

    def k_minimum(self, value, bound, path, _):
        self.bound(value, path, lambda: value >= bound, f"minimum {bound}")

    def k_maximum(self, value, bound, path, _):
        self.bound(value, path, lambda: value <= bound, f"maximum {bound}")

    def k_exclusiveMinimum(self, value, bound, path, _):
        self.bound(value, path, lambda: value > bound, f"exclusiveMinimum {bound}")

    def k_exclusiveMaximum(self, value, bound, path, _):
        self.bound(value, path, lambda: value < bound, f"exclusiveMaximum {bound}")

    def k_multipleOf(self, value, step, path, _):
        self.bound(value, path, lambda: abs(value / step - round(value / step)) < 1e-9, f"multiple of {step}")

    # strings

    def k_minLength(self, value, n, path, _):
        require(not isinstance(value, str) or len(value) >= n, path, f"shorter than {n}")

    def k_maxLength(self, value, n, path, _):
        require(not isinstance(value, str) or len(value) <= n, path, f"longer than {n}")

    def k_pattern(self, value, pattern, path, _):
        require(not isinstance(value, str) or found(pattern, value), path, f"{value!r}: pattern {pattern}")

    # arrays

    def k_items(self, value, schema, path, whole):
        if not isinstance(value, list):
            return
        if isinstance(schema, list):  # draft 7
            for i, (item, one) in enumerate(zip(value, schema)):
                self.check(item, one, f"{path}[{i}]")
            return
        for i in range(len(whole.get("prefixItems", [])), len(value)):
            self.check(value[i], schema, f"{path}[{i}]")

    def k_prefixItems(self, value, schemas, path, _):
        if isinstance(value, list):
            for i, (item, schema) in enumerate(zip(value, schemas)):
                self.check(item, schema, f"{path}[{i}]")

    def k_minItems(self, value, n, path, _):
        require(not isinstance(value, list) or len(value) >= n, path, f"fewer than {n} items")

    def k_maxItems(self, value, n, path, _):
        require(not isinstance(value, list) or len(value) <= n, path, f"more than {n} items")

    def k_uniqueItems(self, value, unique, path, _):
        if unique and isinstance(value, list):
            require(not any(equal(a, b) for i, a in enumerate(value) for b in value[:i]), path, "not unique")

    # objects

    def k_required(self, value, names, path, _):
        if isinstance(value, dict) and isinstance(names, list):
            for name in names:
                require(name in value, path, f"{name!r} is missing")

    def k_properties(self, value, properties, path, _):
        if isinstance(value, dict):
            for name, schema in properties.items():
                if name in value:
                    self.check(value[name], schema, f"{path}.{name}")

    def k_patternProperties(self, value, patterns, path, _):
        if isinstance(value, dict):
            for name, member in value.items():
                for pattern, schema in patterns.items():
                    if found(pattern, name):
                        self.check(member, schema, f"{path}.{name}")

    def k_propertyNames(self, value, schema, path, _):
        if isinstance(value, dict):
            for name in value:
                self.apply(name, schema, f"{path}.{name}")

    def k_minProperties(self, value, n, path, _):
        require(not isinstance(value, dict) or len(value) >= n, path, f"fewer than {n} members")

    def k_maxProperties(self, value, n, path, _):
        require(not isinstance(value, dict) or len(value) <= n, path, f"more than {n} members")

    def additional(self, value, schema, path):
        patterns = schema.get("patternProperties", {})
        for name, member in value.items():
            if name not in schema.get("properties", {}) and not any(found(p, name) for p in patterns):
                self.check(member, schema["additionalProperties"], f"{path}.{name}")
