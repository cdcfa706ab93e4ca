"""References as search sees them (https://hl7.org/fhir/R4/references.html)."""

import re
from functools import lru_cache
from typing import NamedTuple

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?", re.ASCII)
_SHORT = 300
"""The characters of references that are kept in the cache."""


class Reference(NamedTuple):
    """A resource of this server: its type and id. Anything else: type '' and the absolute URL; nothing at all: both ''."""

    type: str
    id: str


def read_reference(text: str, base_url: str) -> Reference:
    """The resource that a literal reference names, without its version; a contained one ("#…") is nothing that can be searched."""
    return _read_short(text, base_url) if len(text) <= _SHORT else _read(text, base_url)


def _read(text: str, base_url: str) -> Reference:
    local = text.removeprefix(f"{base_url}/")
    found = _LOCAL.fullmatch(local)
    if found:
        return Reference(found[1], found[2])
    return Reference("", "" if text.startswith("#") else text)


_read_short = lru_cache(maxsize=4096)(_read)


def read_canonical(text: str) -> tuple[str, str | None]:
    """The URL of a canonical, and its version where it states one."""
    url, _, version = text.partition("|")
    return url, version.partition("#")[0] or None
