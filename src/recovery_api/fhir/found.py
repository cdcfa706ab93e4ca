"""Problems while they are being found: their places grow from the inside out, so that a sound resource costs no text."""
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import TypeAlias

from recovery_api.fhir.json import Json

_plain = re.compile(r"[A-Za-z][A-Za-z0-9]*").fullmatch


class Found:
    """One problem: its place below what is being checked (".code[0]"), and a sentence that first lacks its subject."""

    __slots__ = ("code", "key", "named", "place", "text")

    def __init__(self, place: str, code: str, text: str, key: str | None = None) -> None:
        """Take the place, an IssueType, what is wrong (to be read after a name), and the key of a broken invariant."""
        self.place = place
        self.code = code
        self.text = text
        self.key = key
        self.named = False


Check: TypeAlias = Callable[[Json, list[Found]], None]
"""Adds what is wrong with a value to a list."""


def put(found: list[Found], start: int, place: str, name: str) -> None:
    """Say that the problems from `start` on stand at an element; those without a subject get its JSON name."""
    for one in found[start:]:
        if not one.named:
            one.text = f"{name}{one.place} {one.text}"
            one.named = True
        one.place = f"{place}{one.place}"


def put_item(found: list[Found], start: int, index: int) -> None:
    """Say that the problems from `start` on stand in an item of an array."""
    for one in found[start:]:
        one.place = f"[{index}]{one.place}"


def unknown_element(name: str, of: str, known: list[str]) -> Found:
    """The problem of a property that a type does not have, with the nearest that it has."""
    nearest = get_close_matches(name[:64], known, 1)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
    text = f"'{name[:64]}' is not an element of {of}{hint}"
    place = name.removeprefix("_")
    one = Found(f".{place}" if len(place) <= 64 and _plain(place) else "", "structure", text)
    one.named = True
    return one
