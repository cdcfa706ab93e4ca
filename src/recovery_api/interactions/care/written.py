"""A change of one resource, as the rules of recovery work see it."""
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.fhir.instants import moment
from recovery_api.fhir.json import JsonObject, load
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import Server
from recovery_api.store.writer import Writer


class Written(NamedTuple):
    """A version that somebody writes, whole and with its id, and the one before it (None for a new resource).

    `writer` is theirs; `server.grants.system` is the sight of the server itself.
    """

    server: Server
    actor: Actor
    writer: Writer
    before: JsonObject | None
    after: JsonObject
    beside: Mapping[tuple[str, str], JsonObject] = MappingProxyType({})
    """What the same transaction has made, by type and id: it may not be stored yet. Tasks come last."""

    @property
    def type(self) -> str:
        return self.after["resourceType"]

    @property
    def now(self) -> datetime:
        """The moment of the write, in the agency's zone."""
        return moment(self.writer.stamp, self.server.zone)

    @property
    def today(self) -> date:
        """The day of the write in the agency's zone."""
        return self.now.date()

    def became(self, element: str, *values: str) -> bool:
        """The element has one of the values now, and had none of them before."""
        return self.after.get(element) in values and (self.before is None or self.before.get(element) not in values)

    async def there(self, reference: str) -> JsonObject | None:
        """What is at a reference ("Type/id"), whoever may see it, made in this transaction or before."""
        type, _, id = reference.partition("/")
        if (type, id) in self.beside:
            return self.beside[type, id]
        record = await self.writer.seeing(self.server.grants.system).read(type, id)
        return load(record.body) if record and record.body else None
