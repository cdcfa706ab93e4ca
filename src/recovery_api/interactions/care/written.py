"""A change of one resource, as the rules of recovery work see it."""
from datetime import date, datetime, timedelta
from typing import NamedTuple

from recovery_api.fhir.instants import EPOCH
from recovery_api.fhir.json import JsonObject
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

    @property
    def type(self) -> str:
        return self.after["resourceType"]

    @property
    def now(self) -> datetime:
        """The moment of the write, in the agency's zone."""
        return (EPOCH + timedelta(microseconds=self.writer.stamp)).astimezone(self.server.zone)

    @property
    def today(self) -> date:
        """The day of the write in the agency's zone."""
        return self.now.date()

    def became(self, element: str, *values: str) -> bool:
        """The element has one of the values now, and had none of them before."""
        return self.after.get(element) in values and (self.before is None or self.before.get(element) not in values)
