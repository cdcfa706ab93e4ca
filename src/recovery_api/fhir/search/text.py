"""Text as search compares it (https://hl7.org/fhir/R4/search.html#string)."""

import html
import re
import unicodedata
from functools import lru_cache
from hashlib import sha256

LONGEST = 300
"""The characters of an indexed value; a longer token, uri or exact text ends in a hash of the whole, and so stays exact."""
_KEPT = LONGEST - 33
MOST_WORDS = 5000
_WORD = re.compile(r"\w+")
_HIDDEN = re.compile(r"<(script|style)\b", re.IGNORECASE)


def normalised(text: str) -> str:
    """The text without case, accents and surplus white space, in at most 300 characters."""
    return _short(text) if len(text) <= LONGEST else _normalised(text)


def _normalised(text: str) -> str:
    if not text.isascii():
        text = _folded(text)
    return " ".join(text.lower().split())[:LONGEST]


_short = lru_cache(maxsize=8192)(_normalised)


def _folded(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign)).casefold()


def bounded(text: str) -> str:
    """The text itself where it has at most 300 characters; else its beginning and a hash of the whole."""
    return text if len(text) <= LONGEST else f"{text[:_KEPT]}#{sha256(text.encode(errors='surrogatepass')).hexdigest()[:32]}"


def words(text: str) -> list[str]:
    """The distinct normalised words of a text, in order, at most 5,000 of them."""
    if not text or text.isspace():
        return []
    folded = text.lower() if text.isascii() else _folded(text)
    return list(dict.fromkeys(word[:LONGEST] for word in _WORD.findall(folded)))[:MOST_WORDS]


def without_markup(text: str) -> str:
    """The text of an (X)HTML fragment, without scripts and styles; for indexing, never for display."""
    kept: list[str] = []
    place = 0
    while (start := text.find("<", place)) >= 0:
        kept.append(text[place:start])
        hidden = _HIDDEN.match(text, start)
        closing = re.compile(f"</{hidden[1]}", re.IGNORECASE).search(text, start) if hidden else None
        end = text.find(">", closing.start() if closing else start)
        if end < 0 or (hidden and not closing):
            return html.unescape(" ".join(kept))
        place = end + 1
    return html.unescape(" ".join([*kept, text[place:]]))
