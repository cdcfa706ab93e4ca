"""The table of consents (consent_table.md) as tests take it: each line says of one resource of one client who sees it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.callers import CHEN, LEO, MAYA, NOOR, OMAR, SYS_HARBOR, SYS_RIVERBEND, Caller, app, related

PAGE = Path(__file__).with_suffix(".md")
RECORD = "The record"


def callers(client: str) -> Mapping[str, Caller]:
    """Who asks, by the heading of the column."""
    return {
        "companion": LEO,
        "another companion": MAYA,
        "case manager": OMAR,
        "clinician": CHEN,
        "another clinician": NOOR,
        "EHR": SYS_RIVERBEND,
        "another EHR": SYS_HARBOR,
        "aunt": related(f"aunt-{client}", client),
        "client": app(client),
    }


@dataclass(frozen=True)
class Cell:
    """Whether a caller sees a resource, `Type/id`."""

    pattern: str
    caller: Caller
    target: str
    sees: bool


def cells() -> list[Cell]:
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    told = {title: text for title, _, text in (each.partition("\n") for each in sections)}
    record = {name: resource.strip("`") for name, resource in _rows(told.pop(RECORD))}
    return [cell for title, text in told.items() for cell in _cells(title, text, record)]


def _cells(pattern: str, text: str, record: Mapping[str, str]) -> Iterator[Cell]:
    signed = re.search(r"^Client `(\S+)`(?:, asked for (\w+))?\.$", text, re.MULTILINE)
    assert signed, f"{pattern}: no line that names the client"
    client, purpose = signed.groups()
    (_, *columns), *lines = _rows(text, heading=True)
    asking = callers(client)
    for name, *marks in lines:
        for column, mark in zip(columns, marks, strict=True):
            assert mark in ("yes", "-"), f"{pattern}, {name}: {mark}"
            yield Cell(pattern, replace(asking[column], purpose=purpose), record[name].format(client=client), mark == "yes")


def _rows(text: str, *, heading: bool = False) -> list[list[str]]:
    """The lines of the table in a text."""
    rows = [[each.strip() for each in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return (rows[:1] if heading else []) + rows[2:]
