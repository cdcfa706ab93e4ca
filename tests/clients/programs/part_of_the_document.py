"""Write a document that has the paths of some tags of an OpenAPI document, and what they refer to: what schemathesis does in seconds.

    part_of_the_document.py URL FILE
"""
import json
import sys
from pathlib import Path
from typing import Any

import httpx

TAGS = {"ServiceRequest", "Task", "System", "Questionnaire"}


def main(url: str, output: Path) -> None:
    document: dict[str, Any] = httpx.get(url, timeout=60).json()
    document["paths"] = {path: item for path, item in document["paths"].items() if TAGS & tags(item)}
    components, used = document["components"], set[str]()
    waiting: list[Any] = [document["paths"]]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            place = value.get("$ref")
            if isinstance(place, str) and place not in used:
                used.add(place)
                _, _, kind, name = place.split("/")
                waiting.append(components[kind][name])
    for kind in components.keys() - {"securitySchemes"}:
        components[kind] = {name: value for name, value in components[kind].items() if f"#/components/{kind}/{name}" in used}
    output.write_text(json.dumps(document))


def tags(item: dict[str, Any]) -> set[str]:
    return {tag for operation in item.values() if isinstance(operation, dict) for tag in operation["tags"]}


main(sys.argv[1], Path(sys.argv[2]))
