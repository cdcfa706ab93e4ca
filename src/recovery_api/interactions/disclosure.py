"""What rides along with what a caller from outside is given: the notice, and the consents on which it rests (42 CFR 2.32; domain.md 6)."""
from collections.abc import Iterable
from typing import NamedTuple

from recovery_api.fhir.bundle import outcome_entry
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.paths import objects_at
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import Server
from recovery_api.policy.notice import is_disclosed, is_text
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record


class Disclosure(NamedTuple):
    """What an answer discloses: the consents that open it (references), and whether the notice goes with it."""

    consents: tuple[str, ...] = ()
    noticed: bool = False


def disclosure(actor: Actor, records: Iterable[Record]) -> Disclosure:
    """What giving these records to the caller discloses."""
    consents: set[str] = set()
    noticed = False
    for record in records:
        if record.body is not None:
            if record.basis:
                consents.update(record.basis.split())
            noticed = noticed or is_disclosed(actor, record.labels, record.basis or "")
    return Disclosure(tuple(f"Consent/{id}" for id in sorted(consents)), noticed)


def noticed_entry(server: Server, consents: Iterable[str]) -> bytes:
    """The entry of a searchset that holds the notice and names the Consents (references)."""
    return outcome_entry(dump(server.notice.outcome(each.removeprefix("Consent/") for each in consents)))


def is_ended(actor: Actor, record: Record) -> bool:
    """Whether the notice stands in the copy itself: at the end of its text."""
    return record.type in {"Binary", "DocumentReference"} and is_disclosed(actor, record.labels, record.basis or "")


async def ended(server: Server, reader: Reader, record: Record, resource: JsonObject) -> JsonObject:
    """The copy of a Binary or DocumentReference with the notice at the end of its text, and what tells the size and hash of that."""
    consents = (record.basis or "").split()
    if record.type == "Binary":
        return server.notice.on_binary(resource, consents)
    content: list[JsonObject] = []
    for each in objects_at(resource, "content"):
        attachment: JsonObject = each["attachment"]
        data = await _text_of(reader, attachment)
        content.append(each if data is None else {**each, "attachment": server.notice.on_attachment(attachment, data, consents)})
    return {**resource, "content": content}


async def _text_of(reader: Reader, attachment: JsonObject) -> str | None:
    """The text of an attachment that stands in it, or in the Binary whose size or hash it tells, in base64."""
    if not is_text(attachment.get("contentType", "")):
        return None
    if "data" in attachment:
        return attachment["data"]
    type, _, id = str(attachment.get("url", "")).partition("/")
    record = await reader.read(type, id) if type == "Binary" and attachment.keys() & {"size", "hash"} else None
    return load(record.body).get("data") if record and record.body else None
