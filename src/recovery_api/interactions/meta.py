"""Changes of a resource's profiles, tags and security labels alone, where it stands: no new version
(https://hl7.org/fhir/R4/resource-operation-meta-add.html, -meta-delete.html).

Whoever may update a resource may add, and so raise its labels. Lowering is a privacy officer's act, on any resource, though they
do not read it: the answer is the `meta`, and nothing else of it. Each keeps its audit record in its own transaction.
"""
from typing import Final

from recovery_api.fhir.errors import Forbidden, Issue, NotFound, Rule, Unprocessable
from recovery_api.fhir.json import Json, JsonObject, load
from recovery_api.fhir.json_types import is_object
from recovery_api.fhir.labels import mask_of, raised
from recovery_api.interactions import validate
from recovery_api.interactions.audited import keep
from recovery_api.interactions.context import FhirRequest, FhirResult, Server
from recovery_api.interactions.present import copied
from recovery_api.interactions.shown import shown
from recovery_api.interactions.unit import Transaction, Writing
from recovery_api.interactions.write import check_writable
from recovery_api.policy.decide import decide
from recovery_api.store.records import Record
from recovery_api.store.reindex import restate
from recovery_api.store.writer import Writer

LISTS: Final = ("profile", "security", "tag")
"""The elements of `meta` that the operations change."""
LOWERS: Final = "auditor"
LOWERED: Final = Rule("label-lowered", Forbidden, "Only a privacy officer lowers a security label.", "forbidden")
COMPUTED: Final = Rule(
    "label-computed",
    Unprocessable,
    "The label {} follows from the content, or from the client's episodes and the law, and can't be lowered by hand.",
)


async def add(server: Server, request: FhirRequest, more: JsonObject) -> JsonObject:
    """The `meta` with these profiles, tags and labels too.

    Raises Forbidden for who may not update the resource, NotFound, and Unprocessable where it does not keep a profile.
    """
    access = decide(server.matrix, request.actor, request.type or "", "u")
    sight = server.grants.rows(request.actor, server.clock())
    async with server.store.writer(sight, creator=request.actor.holder) as writer:
        record, said = await _locked(writer, request)
        check_writable(Writing(server, request, access, writer, Transaction()), said, said)
        for name in LISTS:
            there: list[Json] = said["meta"].get(name, [])
            added = [each for each in more.get(name, ()) if _key(each) not in {_key(one) for one in there}]
            if there or added:
                said["meta"][name] = there + added
        if more.get("profile"):
            seen = copied(server, request.actor, record).seen
            validate.check_claims(seen | {"meta": said["meta"]}, seen)
        meta = await _restated(server, writer, said, raised(more.get("security"), record.labels, record.raised))
        records = await keep(server, writer, [(request, FhirResult(200, shown=await shown(writer, [record])))])
    await server.audit.link(records)
    return meta


async def delete(server: Server, request: FhirRequest, less: JsonObject) -> JsonObject:
    """The `meta` without these profiles, tags and labels.

    Raises Forbidden where somebody else than a privacy officer lowers a label, NotFound, and Unprocessable where a label stays
    because of what the resource says, or of what it belongs to.
    """
    lowered = mask_of(less.get("security"))
    if lowered and request.actor.role != LOWERS:
        raise LOWERED.broken()
    access = None if lowered else decide(server.matrix, request.actor, request.type or "", "u")
    sight = server.grants.rows(request.actor, server.clock()) if access else server.grants.system
    async with server.store.writer(sight, creator=request.actor.holder) as writer:
        record, said = await _locked(writer, request)
        if access:
            check_writable(Writing(server, request, access, writer, Transaction()), said, said)
        gone = {name: {_key(each) for each in less.get(name, ())} for name in LISTS}
        for name in LISTS:
            left = [each for each in said["meta"].get(name, ()) if _key(each) not in gone[name] or (name == "security" and mask_of([each]))]
            said["meta"] = {key: value for key, value in said["meta"].items() if key != name} | ({name: left} if left else {})
        meta = await _restated(server, writer, said, record.raised & ~lowered)
        if staying := mask_of(meta.get("security")) & lowered:
            raise Unprocessable(*_computed(less, staying))
        records = await keep(server, writer, [(request, FhirResult(200, shown=await shown(writer, [record])))])
    await server.audit.link(records)
    return meta


def _computed(less: JsonObject, staying: int) -> list[Issue]:
    lowering = [coding["code"] for coding in less["security"] if mask_of([coding]) & staying]
    return [COMPUTED.issue(code, at="Resource.meta.security") for code in lowering]


async def _locked(writer: Writer, request: FhirRequest) -> tuple[Record, JsonObject]:
    record = await writer.lock(request.type or "", request.id or "")
    if record is None:
        raise NotFound
    return record, load(record.body or b"")


async def _restated(server: Server, writer: Writer, said: JsonObject, raised: int) -> JsonObject:
    await restate(writer, said, raised, server.extract, server.labeller)
    record = await writer.seeing(server.grants.system).read(said["resourceType"], said["id"])
    return load(record.body or b"")["meta"] if record else {}


def _key(each: Json) -> Json:
    """A tag or label is the same by system and code, a profile by its text."""
    return (each.get("system"), each.get("code")) if is_object(each) else each
