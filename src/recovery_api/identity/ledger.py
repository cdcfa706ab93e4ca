"""What this floor asks of whoever keeps its records: the ledger, and a view of it in which each kind of record has its type."""

from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

import msgspec

NEVER: Final = (1 << 63) - 1
"""The stamp of what does not expire."""

R = TypeVar("R", bound=msgspec.Struct)


class Entry(Protocol):
    """One entry. Stamps are microseconds since the epoch; `used`: when it was first used."""

    @property
    def key(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def expires(self) -> int: ...
    @property
    def used(self) -> int | None: ...
    @property
    def content(self) -> bytes: ...


class Ledger(Protocol):
    """Entries of many kinds, each under a key of its own, until they expire. Each call holds in every process when it returns."""

    async def find(self, kind: str, key: str) -> Entry | None: ...
    async def entries(self, kind: str) -> Sequence[Entry]: ...
    async def entries_of(self, kind: str, owner: str) -> Sequence[Entry]: ...
    async def add(self, kind: str, key: str, content: bytes = b"", *, owner: str = "", expires: int = NEVER) -> bool:
        """False where the key is taken."""
        ...

    async def replace(self, kind: str, key: str, content: bytes, was: bytes) -> bool:
        """False where the content is not what it was."""
        ...

    async def use(self, kind: str, key: str) -> Entry | None:
        """The entry before this use: of all who use it, one finds `used` None."""
        ...

    async def drop(self, kind: str, key: str) -> bool: ...
    async def drop_of(self, kind: str, owner: str) -> None: ...
    async def prune(self) -> None: ...


class Records(Generic[R]):
    """The records of one kind in a ledger."""

    def __init__(self, ledger: Ledger, kind: str, type_: type[R]) -> None:
        self._ledger = ledger
        self._kind = kind
        self._decode = msgspec.json.Decoder(type_).decode

    async def find(self, key: str) -> R | None:
        """The record of the key."""
        found = await self._ledger.find(self._kind, key)
        return None if found is None else self._decode(found.content)

    async def all(self) -> list[R]:
        """Every record, in the order of their keys."""
        return [self._decode(entry.content) for entry in await self._ledger.entries(self._kind)]

    async def add(self, key: str, record: R, *, owner: str = "", expires: int = NEVER) -> bool:
        """Keep a new record; False where the key is taken."""
        return await self._ledger.add(self._kind, key, msgspec.json.encode(record), owner=owner, expires=expires)

    async def replace(self, key: str, record: R, was: R) -> bool:
        """Keep a record in place of what it was; False where that was changed meanwhile."""
        return await self._ledger.replace(self._kind, key, msgspec.json.encode(record), msgspec.json.encode(was))
