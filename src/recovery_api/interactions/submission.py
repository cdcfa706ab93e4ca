"""A referral that is sent again: the first answer once more, and nothing made anew (domain.md 5, idempotency).

An organization's identifier of a ServiceRequest stands for what was sent with it first. Of that a digest is kept, and the answer; nobody
reads them but whoever sends the same again for the same organization.
"""
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec

from recovery_api.fhir.errors import Conflict, Rule
from recovery_api.fhir.json import Json, JsonObject, dump
from recovery_api.fhir.json_types import is_object
from recovery_api.fhir.paths import objects_at
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import FhirResult
from recovery_api.store.ledger import recall, remember
from recovery_api.store.writer import Writer

KIND = "submission"
SENT = Rule("referral-identifier", Conflict, "This organization has sent something else under this identifier.")


class Submission(NamedTuple):
    """What a clinic sends: the keys of its orders' identifiers, and a digest of its content."""

    organization: str
    keys: tuple[str, ...]
    digest: str


class _Kept(NamedTuple):
    digest: str
    status: int
    body: bytes | None
    version: int | None
    last_updated: int | None
    location: str | None
    outcome: JsonObject | None
    interaction: str
    noticed: bool
    urgent: bool


_decode = msgspec.json.Decoder(_Kept).decode


def submission(actor: Actor, entries: Sequence[JsonObject]) -> Submission | None:
    """What entries of a Bundle, or one resource as such, submit; None where a referrer orders nothing that has an identifier."""
    if actor.role != "referrer" or actor.organization is None:
        return None
    identifiers = {one for entry in entries for one in _identifiers(entry)}
    if not identifiers:
        return None
    keys = tuple(sorted(_digest("\n".join((actor.organization, *one))) for one in identifiers))
    return Submission(actor.organization, keys, _digest(_canonical(entries)))


async def answered_before(writer: Writer, sent: Submission | None) -> FhirResult | None:
    """The answer that the same submission had before; None for a new one, which nobody else can make until this transaction ends.

    Raises Conflict where something else was submitted under one of its identifiers.
    """
    if sent is None:
        return None
    taken = [key for key in sent.keys if not await writer.claim(f"{KIND}:{key}")]
    if not taken:
        return None
    earlier = [_decode(found.content) for key in taken if (found := await recall(writer, KIND, key)) is not None]
    if len(earlier) != len(sent.keys) or any(one.digest != sent.digest for one in earlier):
        raise SENT.broken(at="ServiceRequest.identifier")
    _, *fields = earlier[0]
    named = dict(zip(_Kept._fields[1:], fields, strict=True))
    return FhirResult(**cast("Mapping[str, Json]", named))


async def keep_answer(writer: Writer, sent: Submission | None, result: FhirResult) -> None:
    """Keep the answer of a submission, in the transaction that makes it."""
    if sent is not None:
        kept = _Kept(sent.digest, *(getattr(result, name) for name in _Kept._fields[1:]))
        for key in sent.keys:
            await remember(writer, KIND, key, msgspec.json.encode(kept), owner=sent.organization)


def _identifiers(entry: JsonObject) -> Iterator[tuple[str, str]]:
    """System and value of the identifiers of a new order."""
    asked, order = entry.get("request", {}), entry.get("resource")
    if asked.get("method") == "POST" and is_object(order) and order.get("resourceType") == "ServiceRequest":
        for one in objects_at(order, "identifier"):
            if value := one.get("value"):
                yield str(one.get("system", "")), str(value)


def _canonical(entries: Sequence[JsonObject]) -> str:
    """The entries as text that does not depend on the order of members, or on which UUIDs were made up for the Bundle."""
    text = dump([_sorted(entry) for entry in entries]).decode()
    urls = {str(entry["fullUrl"]): index for index, entry in enumerate(entries) if "fullUrl" in entry}
    for url in sorted(urls, key=len, reverse=True):
        if url.startswith("urn:uuid:"):
            text = text.replace(url, f"urn:entry:{urls[url]}")
    return text


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        members = cast("JsonObject", value)
        return {name: _sorted(members[name]) for name in sorted(members)}
    return [_sorted(one) for one in cast("Iterable[Json]", value)] if isinstance(value, list) else value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
