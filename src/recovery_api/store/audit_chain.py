"""How audit records hang together: pure functions over bytes.

A record's hash covers the hash before it, so that no record can be changed, left out or moved without every later hash being wrong.
An anchor is sealed with a key that is not in the database: who can write to the database alone can't make the chains anew.
"""
import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

UNSEALED: Final = b""
"""What stands for the seal before the first anchor's."""


class Record(NamedTuple):
    """One event; `stamp` in microseconds since the epoch, UTC."""

    id: str
    stamp: int
    body: bytes


class Link(NamedTuple):
    """A record's place in a chain, counted from 1."""

    chain: str
    place: int
    id: str
    hash: bytes


class Anchor(NamedTuple):
    """Where a chain stood: `head` is the hash at `place`. No record with a stamp up to `linked_until` was without a link then."""

    sequence: int
    stamp: int
    event: str
    """start, minute or stop."""
    chain: str
    place: int
    head: bytes
    linked_until: int


def beginning(chain: str) -> bytes:
    """The hash before a chain's first record."""
    return sha256(chain.encode()).digest()


def linked(before: bytes, record: Record) -> bytes:
    """The hash of a record that follows the one whose hash is `before` (32 bytes)."""
    return sha256(b"\n".join((before, record.id.encode(), b"%d" % record.stamp, record.body))).digest()


def continued(chain: str, place: int, head: bytes, records: Iterable[Record]) -> list[Link]:
    """The links of records that follow the place with the hash `head`."""
    links: list[Link] = []
    for number, record in enumerate(records, start=place + 1):
        head = linked(head, record)
        links.append(Link(chain, number, record.id, head))
    return links


def sealed(key: bytes, before: bytes, anchor: Anchor) -> bytes:
    """The seal of an anchor that follows the one whose seal is `before`."""
    said: Sequence[str] = [part.hex() if isinstance(part, bytes) else str(part) for part in anchor]
    return hmac.digest(key, before + "\n".join(said).encode(), "sha256")
