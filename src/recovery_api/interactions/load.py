"""Loading: resources that an operator brings in, with the ids that they have.

Structure and invariants apply, life cycles and access rules do not. Each resource stands for itself. What is there already with
the same content stays as it is, so the same run again changes nothing, and one that was ended anywhere is finished by running it again.
"""
import asyncio
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NoReturn, cast

import msgspec

from recovery_api.fhir.errors import Conflict, FhirError, Issue, PreconditionFailed, Rule, ServiceUnavailable, Unprocessable
from recovery_api.fhir.json import Json, JsonObject, dump
from recovery_api.fhir.json import load as loads
from recovery_api.fhir.json_types import is_array, is_object
from recovery_api.fhir.labels import closed, mask_of, unknown
from recovery_api.interactions import validate
from recovery_api.interactions.audit_events import TYPE as AUDIT
from recovery_api.interactions.context import Server
from recovery_api.interactions.load_links import relink
from recovery_api.interactions.load_sources import Incoming, Place, Reject
from recovery_api.interactions.make import stated
from recovery_api.policy.facets import facets
from recovery_api.store.loading import Draft, contents, write

BATCH: Final = 1_000
ATTEMPTS: Final = 8
SERVERS: Final = frozenset({"versionId", "lastUpdated"})
"""The elements of `meta` that are the server's."""

_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


@dataclass(slots=True)
class Report:
    """What a run did with its resources."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    patients: list[str] = field(default_factory=list[str])
    """The ids of the Patients that are there now."""

    @property
    def stored(self) -> int:
        return self.created + self.updated


class Loader:
    """One run. Resources are handed to `add` and `finish` stores what is left; what can't be stored goes to `reject`."""

    def __init__(
        self, server: Server, reject: Callable[[Reject], None], *, links: Mapping[str, str] | None = None, notify: bool = False
    ) -> None:
        """`links` are the references that urns and criteria mean beyond a resource's own Bundle. `notify`: raise events."""
        self.report = Report()
        self._server = server
        self._reject = reject
        self._links = dict(links or {})
        self._notify = notify
        self._seen: dict[str, set[str]] = {}
        self._batch: dict[tuple[str, str], Incoming] = {}

    async def add(self, item: Incoming | Reject) -> None:
        """Take one more resource."""
        if isinstance(item, Reject):
            self._refuse(item)
            return
        type, id = item.resource.get("resourceType"), item.resource["id"]
        if type == AUDIT:
            self._refuse(Reject(item.place, AUDIT, (AUDIT_IS_OURS.issue(),)))
            return
        if not isinstance(type, str) or type not in self._server.interactions:
            self._refuse(Reject(item.place, "", (Issue("not-supported", f"{str(type)[:64]} is not a type that this server holds."),)))
            return
        if not isinstance(id, str):
            self._refuse(Reject(item.place, type, (Issue("structure", "An id is a text.", f"{type}.id"),)))
            return
        if (type, id) in self._batch or len(self._batch) == BATCH:
            await self.finish()
        self._batch[type, id] = item

    async def finish(self) -> None:
        """Store what was taken and is not stored yet."""
        batch, self._batch = self._batch, {}
        there = await contents(self._server.store, batch)
        drafts: list[Draft] = []
        updated = 0
        for key, item in batch.items():
            resource, body = item.resource, there.get(key)
            if item.links or self._links or item.absolute:
                relink(resource, ChainMap(item.links, self._links), self._server.base)
            again = self._again(*key)
            if body is not None and is_unchanged(resource, body):
                self.report.unchanged += 1
            elif again and body is not None:
                self._refuse(Reject(item.place, item.reference, (ANOTHER.issue(),)))
                continue
            elif (draft := self._draft(item)) is None:
                continue
            else:
                drafts.append(draft)
                updated += body is not None
            if key[0] == "Patient" and not again:
                self.report.patients.append(key[1])
        if drafts:
            await self._write(drafts)
        self.report.updated += updated
        self.report.created += len(drafts) - updated

    async def _write(self, drafts: Sequence[Draft]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await write(self._server.store, self._server.labeller, drafts, notify=self._notify)
            except (Conflict, PreconditionFailed, ServiceUnavailable):
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(0.05 * 2**attempt)
        return None

    def _draft(self, item: Incoming) -> Draft | None:
        resource, type = item.resource, cast("str", item.resource["resourceType"])
        try:
            validate.check(resource, type)
        except FhirError as error:
            self._refuse(Reject(item.place, item.reference, error.issues))
            return None
        about = facets(resource, self._server.matrix, self._server.zone)
        id, rows = resource["id"], self._server.extract(_without_labels(resource))
        return Draft(type, id, about, rows, partial(stated, resource, id))

    def _refuse(self, reject: Reject) -> None:
        self.report.rejected += 1
        self._reject(reject)

    def _again(self, type: str, id: str) -> bool:
        """It came before in this run."""
        seen = self._seen.setdefault(type, set())
        if id in seen:
            return True
        seen.add(id)
        return False



async def load_all(server: Server, resources: Iterable[JsonObject], *, notify: bool = False) -> Report:
    """Load resources that are to be right. Raises the FhirError of one that is not; what came before it may be stored."""
    loader = Loader(server, _raise, notify=notify)
    for number, resource in enumerate(resources, start=1):
        await loader.add(Incoming(Place("", number), resource, {}))
    await loader.finish()
    return loader.report


def _raise(reject: Reject) -> NoReturn:
    raise Unprocessable(*reject.issues)


AUDIT_IS_OURS: Final = Rule("audit-is-ours", Unprocessable, "The server alone makes AuditEvents.", "not-supported")
ANOTHER: Final = Rule("load-twice", Unprocessable, "A resource with this id, and other content, came earlier in this run.", "duplicate")


def _without_labels(resource: JsonObject) -> JsonObject:
    """The resource with those codings of `meta.security` alone that are no labels known here."""
    meta: JsonObject = resource.get("meta", {})
    if "security" not in meta:
        return resource
    others = unknown(meta["security"])
    rest = {name: value for name, value in meta.items() if name != "security"}
    return resource | {"meta": rest | ({"security": others} if others else {})}


def is_unchanged(resource: JsonObject, stored: bytes) -> bool:
    """Storing the resource would say what is stored, save for the server's own elements of `meta` and the labels that it has set."""
    meta: Json = resource.get("meta", {})
    if not is_object(meta) or not is_array(meta.get("security", [])):
        return False
    said = stated(resource, resource["id"], 1, 0)
    if _around_stamps(dump(said)) == _around_stamps(stored):
        return True
    there = loads(stored)
    if mask_of(meta.get("security")) & ~closed(mask_of(there["meta"].get("security"))):
        return False
    return _sorted(_content(_without_labels(said))) == _sorted(_content(_without_labels(there)))


def _around_stamps(body: bytes) -> tuple[bytes, bytes]:
    """A stored body before and after version and time, with which its `meta` begins."""
    start = body.index(b'"meta":{"versionId":"')
    return body[:start], body[body.index(b'"', body.index(b'"lastUpdated":"', start) + 15) :]


def _content(resource: JsonObject) -> JsonObject:
    return resource | {"meta": {name: value for name, value in resource["meta"].items() if name not in SERVERS}}
