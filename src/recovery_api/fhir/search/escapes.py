r"""The separators of search values and their escapes: `\,` `\|` `\$` `\\` (https://hl7.org/fhir/R4/search.html#escaping)."""

import re

_SEPARATOR = re.compile(r"([,|$\\])")
_ESCAPE = re.compile(r"\\([,|$\\])")


def split(text: str, separator: str, most: int = -1) -> list[str]:
    """The parts between unescaped separators, escapes kept; at most `most` + 1 parts where that is not negative."""
    if "\\" not in text:
        return text.split(separator, most)
    parts: list[str] = []
    start = place = 0
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        if text[place] == separator and (most < 0 or len(parts) < most):
            parts.append(text[start:place])
            start = place + 1
        place += 1
    return [*parts, text[start:]]


def escaped(text: str) -> str:
    """The text as a part of a search value."""
    return _SEPARATOR.sub(r"\\\1", text)


def unescaped(text: str) -> str:
    """The text that is meant."""
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text
