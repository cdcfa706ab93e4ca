"""What a job was asked for and by whom, as it is kept until the job is done."""
from collections.abc import Sequence
from typing import Self

import msgspec

from recovery_api.identity.actor import Actor
from recovery_api.identity.scopes import Scopes
from recovery_api.interactions.context import FhirRequest
from recovery_api.telemetry import request_id

EXPORT, IMPORT = "export", "import"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """An Actor, as JSON holds one."""

    role: str
    holder: str
    organization: str | None
    patient: str | None
    client_id: str | None
    scopes: str
    purpose: str
    jti: str
    expires: int
    grant: str | None

    @classmethod
    def of(cls, actor: Actor) -> Self:
        """The caller that an actor is."""
        kept = {name: getattr(actor, name) for name in cls.__struct_fields__ if name != "scopes"}
        return cls(scopes=actor.scopes.text, **kept)

    @property
    def actor(self) -> Actor:
        """The actor, whose emergencies are over."""
        said = {name: getattr(self, name) for name in self.__struct_fields__ if name != "scopes"}
        return Actor(scopes=Scopes.parse(self.scopes), medical_personnel=False, **said)


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """An export. `since` and `until` are stamps (microseconds, UTC)."""

    by: Caller
    request: str
    """The address that was asked for."""
    trace: str
    """The X-Request-Id of that request, and where it came from."""
    address: str
    types: Sequence[str]
    group: str = ""
    """The recipient whose group it is, a reference; '': all whom the caller sees."""
    patients: Sequence[str] | None = None
    """The ids of the only clients that it is about."""
    since: int | None = None
    until: int | None = None
    filters: Sequence[str] = ()
    elements: Sequence[str] = ()
    associated: bool = False
    """Of Provenances, those of what is exported."""


class Source(msgspec.Struct, frozen=True):
    """A file that is brought in: what it holds ('': whatever), and its address."""

    type: str
    url: str


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """What is brought in."""

    by: Caller
    request: str
    trace: str
    address: str
    sources: Sequence[Source]
    notify: bool = False


def owner(actor: Actor) -> str:
    """Whose a job is: of nobody who calls as anybody else, or for another purpose."""
    said = (actor.role, actor.holder, actor.organization, actor.patient, actor.client_id, actor.purpose)
    return msgspec.json.encode(said).decode()


def asking(request: FhirRequest, address: str) -> dict[str, object]:
    """What is kept of whoever asks. `address` is what they asked for."""
    return {"by": Caller.of(request.actor), "request": address, "trace": request_id.get(), "address": request.address}
