"""What the OpenAPI document promises to generated clients and demands of them, a line each, and which lines a change may not touch.

Usage: `python scripts/openapi_promises.py` tells what is broken since the last release; with `--release`, what is said now is promised
from now on (openapi/released.txt).
"""
import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).parents[1] / "openapi"
DOCUMENT, RELEASED = FOLDER / "recovery-api.json", FOLDER / "released.txt"
PROMISE, DEMAND = "+", "!"
METHODS: Final = frozenset({"get", "put", "post", "patch", "delete", "head", "options"})


class Line(NamedTuple):
    """`sign` is PROMISE (it may not vanish) or DEMAND (it may not appear where `subject` is known); `subject` is a request or a schema."""

    sign: str
    subject: str
    what: str

    def __str__(self) -> str:
        return f"{self.sign} {self.subject}: {self.what}"


def lines(document: Mapping[str, Any]) -> set[Line]:
    """All that an OpenAPI 3.1 document promises and demands."""
    components = document["components"]
    said: set[Line] = set()
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            said.update(_request(f"{method.upper()} {path}", item[method], components))
    for name, schema in components["schemas"].items():
        said.update(_schema(name, schema))
    return said


def broken(released: set[Line], now: set[Line]) -> list[Line]:
    """The promises that vanished, and the demands that appeared where there were fewer."""
    known = {line.subject for line in released}
    gone = {line for line in released - now if line.sign == PROMISE}
    new = {line for line in now - released if line.sign == DEMAND and line.subject in known}
    return sorted(gone | new)


def read(path: Path = RELEASED) -> set[Line]:
    """The lines of a file that `--release` wrote."""
    found: set[Line] = set()
    for text in path.read_text("utf-8").splitlines():
        sign, _, rest = text.partition(" ")
        subject, _, what = rest.partition(": ")
        found.add(Line(sign, subject, what))
    return found


def _request(subject: str, operation: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(PROMISE, subject, f"is called {operation['operationId']}")
    for given in operation.get("parameters", ()):
        parameter = _resolved(given, components)
        place = f"{parameter['in']} {parameter['name']}"
        yield Line(PROMISE, subject, f"takes {place}")
        if parameter.get("required"):
            yield Line(DEMAND, subject, f"needs {place}")
    body = _resolved(operation.get("requestBody", {}), components)
    for media, content in body.get("content", {}).items():
        yield Line(PROMISE, subject, f"takes {media} of {_shape(content.get('schema', {}))}")
    if body.get("required"):
        yield Line(DEMAND, subject, "needs a body")
    for status in sorted(status for status in operation["responses"] if status.startswith("2")):
        response = _resolved(operation["responses"][status], components)
        yield Line(PROMISE, subject, f"answers {status}")
        for media, content in response.get("content", {}).items():
            yield Line(PROMISE, subject, f"answers {status} with {media} of {_shape(content.get('schema', {}))}")


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[Line]:
    for value in schema.get("enum", ()):
        yield Line(PROMISE, name, f"may be {value}")
    for element, inner in schema.get("properties", {}).items():
        yield Line(PROMISE, name, f"{element} is {_shape(inner)}")
    for element in schema.get("required", ()):
        yield Line(PROMISE, name, f"{element} is always there")
        yield Line(DEMAND, name, f"needs {element}")


def _resolved(given: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in given:
        return given
    kind, name = given["$ref"].removeprefix("#/components/").split("/")
    return components[kind][name.replace("~1", "/")]


def _shape(schema: Mapping[str, Any]) -> str:
    """A schema in a word: the name of another, its type, or what it is a choice of."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    for word in ("oneOf", "anyOf", "allOf"):
        if word in schema:
            return f"{word} {', '.join(sorted(map(_shape, schema[word])))}"
    if schema.get("type") == "array":
        return f"array of {_shape(schema.get('items', {}))}"
    return str(schema.get("const", schema.get("type", "anything")))


def main() -> int:
    """Run it; 1 where something is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="store_true")
    now = lines(json.loads(DOCUMENT.read_bytes()))
    if parser.parse_args().release:
        RELEASED.write_text("".join(f"{line}\n" for line in sorted(now)), "utf-8")
        return 0
    for line in (found := broken(read(), now)):
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
