"""Words that may hurt, and better ones (domain.md 7): found in a text, each at its place. The words are `definitions/language.toml`."""
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from recovery_api.fhir.errors import Issue


class Phrase(NamedTuple):
    """What to write instead of a phrase, what harm it does, and who advises so."""

    instead: str
    why: str
    says_why: str
    source: str


class Wordlist(NamedTuple):
    """The phrases, by their words in lower case, and what finds any of them."""

    phrases: Mapping[str, Phrase]
    pattern: re.Pattern[str]


def hurting(text: str, place: str) -> list[Issue]:
    """A warning for each phrase in the text, which stands at the FHIRPath `place`: its own place is a substring of that."""
    words = wordlist()
    found: list[Issue] = []
    for match in words.pattern.finditer(text):
        phrase = words.phrases[" ".join(match[0].lower().split())]
        says = f'"{match[0]}" (character {match.start()}): {phrase.says_why} Better: {phrase.instead}. Source: {phrase.source}.'
        at = f"{place}.substring({match.start()}, {len(match[0])})"
        found.append(Issue("business-rule", says, at, "warning", f"language-{phrase.why}"))
    return found


@cache
def wordlist() -> Wordlist:
    """The words as the file says them. Raises KeyError where it names a reason or source that it does not tell."""
    said = tomllib.loads((files("recovery_api") / "definitions" / "language.toml").read_text("utf-8"))
    phrases = {
        words: Phrase(one["instead"], one["why"], said["why"][one["why"]], said["source"][one["source"]])
        for one in said["phrase"]
        for words in one["says"]
    }
    longest = sorted(phrases, key=len, reverse=True)
    any_of = "|".join(r"\s+".join(map(re.escape, words.split())) for words in longest)
    return Wordlist(phrases, re.compile(rf"(?<![\w-])(?:{any_of})(?![\w-])", re.IGNORECASE))
