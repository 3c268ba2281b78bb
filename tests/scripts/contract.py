"""The wire contract as proto/methods/*.json states it: every result, error and notification that a
script receives is held against it (harness.Client does so).

The schemas use few keywords; one that is not known here is an error, not ignored.
"""

import json
import os
import re

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "proto", "methods")
ANYWHERE = {-32600, -32603, 1007, 1009}  # not repeated in every file


class Broken(AssertionError):
    """The daemon sent what the contract does not allow."""


def same(a, b):
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


TYPES = {"string": lambda v: isinstance(v, str), "number": is_number, "boolean": lambda v: isinstance(v, bool),
         "integer": lambda v: is_number(v) and v == int(v), "array": lambda v: isinstance(v, list),
         "object": lambda v: isinstance(v, dict), "null": lambda v: v is None}

# Keyword -> (the type it is about, does the value fit?)
SIMPLE = {"minimum": (is_number, lambda v, k: v >= k), "maximum": (is_number, lambda v, k: v <= k),
          "exclusiveMinimum": (is_number, lambda v, k: v > k), "exclusiveMaximum": (is_number, lambda v, k: v < k),
          "minLength": (TYPES["string"], lambda v, k: len(v) >= k),
          "maxLength": (TYPES["string"], lambda v, k: len(v) <= k),
          "pattern": (TYPES["string"], lambda v, k: re.search(k, v) is not None),
          "minItems": (TYPES["array"], lambda v, k: len(v) >= k),
          "maxItems": (TYPES["array"], lambda v, k: len(v) <= k),
          "maxProperties": (TYPES["object"], lambda v, k: len(v) <= k),
          "required": (TYPES["object"], lambda v, k: all(name in v for name in k)),
          "const": (lambda v: True, same),
          "enum": (lambda v: True, lambda v, k: any(same(v, one) for one in k)),
          "type": (lambda v: True, lambda v, k: any(TYPES[t](v) for t in (k if isinstance(k, list) else [k])))}
NOTES = {"description", "default", "then", "else"}


class Contract:
    def __init__(self, folder=FOLDER):
        self.methods, self.notifications = {}, {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                spec = json.load(file)
            if "method" in spec:
                self.methods[spec["method"]] = spec
            elif "notification" in spec:
                self.notifications[spec["notification"]] = spec
            else:
                self.schemas, self.errors = spec["schemas"], {e["code"]: e for e in spec["errors"]}

    # ---- schemas ----

    def check(self, schema, value, path=""):
        """Raises Broken where the value does not fit."""
        if isinstance(schema, bool):
            if not schema:
                raise Broken(f"{path}: not allowed")
            return
        for keyword, argument in schema.items():
            if keyword in SIMPLE:
                about, fits = SIMPLE[keyword]
                if about(value) and not fits(value, argument):
                    raise Broken(f"{path}: {str(value)[:200]!r} against {keyword} {argument}")
            elif keyword not in NOTES:
                getattr(self, "check_" + keyword.lstrip("$"))(argument, value, path, schema)

    def fits(self, schema, value):
        try:
            self.check(schema, value)
        except Broken:
            return False
        return True

    def check_ref(self, name, value, path, _):
        self.check(self.schemas[name.removeprefix("#/components/schemas/")], value, path)

    def check_items(self, schema, value, path, _):
        for i, item in enumerate(value if isinstance(value, list) else ()):
            self.check(schema, item, f"{path}[{i}]")

    def check_properties(self, schemas, value, path, _):
        for name, schema in schemas.items() if isinstance(value, dict) else ():
            if name in value:
                self.check(schema, value[name], f"{path}.{name}")

    def check_additionalProperties(self, schema, value, path, whole):
        for name, member in value.items() if isinstance(value, dict) else ():
            if name not in whole.get("properties", {}):
                self.check(schema, member, f"{path}.{name}")

    def check_anyOf(self, schemas, value, path, _):
        if not any(self.fits(schema, value) for schema in schemas):
            raise Broken(f"{path}: {str(value)[:200]!r} against anyOf")

    def check_if(self, schema, value, path, whole):
        self.check(whole.get("then" if self.fits(schema, value) else "else", True), value, path)

    # ---- messages ----

    def result(self, method, result):
        if method not in self.methods:
            raise Broken(f"{method} has a result: {str(result)[:200]}")
        self.check(self.methods[method]["result"], result, method)

    def error(self, error, method=None):
        """method: which was asked; None: not known."""
        if set(error) - {"code", "message", "data"} or error.get("code") not in self.errors:
            raise Broken(f"error {error}")
        row = self.errors[error["code"]]
        if not error["message"].startswith(row["name"]):
            raise Broken(f"message of {error}")
        if re.search(r"(?<!\d)[345]\d\d(?!\d)", error["message"]):  # agents read those as HTTP statuses
            raise Broken(f"a status in {error}")
        if "data" in error or "required" in row.get("data", {}):
            self.check(row.get("data", False), error.get("data"), "data")
        known = self.methods.get(method)
        if known and error["code"] not in ANYWHERE | set(known["errors"]):
            raise Broken(f"{method} does not list {error}")

    def notification(self, message):
        spec = self.notifications.get(message["method"])
        if not spec or set(message) != {"jsonrpc", "method", "params"}:
            raise Broken(f"notification {message}")
        self.check(spec["params"], message["params"], message["method"])

    def response(self, message, methods):
        """methods: those asked with this id."""
        if set(message) not in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}):
            raise Broken(f"response {str(message)[:200]}")
        if "error" in message:
            self.error(message["error"], methods[0] if len(methods) == 1 else None)
        elif methods and not any(self.answers(method, message["result"]) for method in methods):
            self.result(methods[0], message["result"])

    def answers(self, method, result):
        try:
            self.result(method, result)
        except Broken:
            return False
        return True


class Conversation:
    """What was asked on one connection, and whether what comes back answers it."""

    def __init__(self, contract):
        self.contract, self.asked, self.unfinished = contract, {}, b""

    def sent(self, data):
        *lines, self.unfinished = (self.unfinished + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            for request in message if isinstance(message, list) else [message]:
                self.note(request)

    def note(self, request):
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return
        methods = self.asked.setdefault(json.dumps(request.get("id")), [])
        if request["method"] not in methods:
            methods.append(request["method"])

    def received(self, line):
        if len(line) >= 64 * 1024 and line.startswith(b'{"jsonrpc":"2.0","method"'):
            raise Broken("a notification of 64 KiB")
        message = json.loads(line)
        for one in message if isinstance(message, list) else [message]:
            if one.get("jsonrpc") != "2.0":
                raise Broken(f"no jsonrpc: {str(one)[:200]}")
            if "method" in one:
                self.contract.notification(one)
            else:
                self.contract.response(one, self.asked.get(json.dumps(one["id"]), []) if one["id"] is not None else [])
