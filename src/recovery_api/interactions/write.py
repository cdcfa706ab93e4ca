"""What every write goes through, from the body that a caller sent to the version that is stored."""
from collections.abc import Callable

from recovery_api.domain.sessions import SESSION_TYPE, STARTS, may_move
from recovery_api.fhir.errors import BadRequest, Conflict, FhirError, Forbidden, Issue, Unprocessable
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.fhir.references import Kind, parse_reference, references
from recovery_api.identity.actor import Actor
from recovery_api.interactions import validate
from recovery_api.interactions.context import FhirResult, Server
from recovery_api.interactions.preconditions import check_match
from recovery_api.interactions.unit import Transaction, Writing
from recovery_api.policy.audit import Saved
from recovery_api.policy.decide import decide
from recovery_api.policy.facets import client_of, facets
from recovery_api.policy.writes import RULES, Change
from recovery_api.store.bulk import Item
from recovery_api.store.records import Facets, Record
from recovery_api.store.writer import Writer

SAVED: JsonObject = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "information", "code": "informational", "diagnostics": "The resource was stored."}],
}


async def insert(writing: Writing, resource: JsonObject, id: str) -> FhirResult:
    """Store a new resource, checked, under this id."""
    check_writable(writing, None, resource)
    _check(writing, None, resource)
    localize(writing, resource)
    said = _with_meta(writing, resource, id, 1)
    about = facets(said, writing.server.matrix, writing.server.zone)
    await _check_references(writing, resource, about.client, None)
    body = dump(said)
    await _store(writing, Item(said["resourceType"], id, 1, False, body, about, writing.server.extract(said)))
    writing.transaction.created[said["resourceType"], id] = said
    return _saved(writing, 201, Saved(said["resourceType"], id, 1, about.client), body)


async def _store(writing: Writing, item: Item) -> None:
    if writing.transaction.waiting is None:
        await writing.writer.create(item.type, item.id, item.body, item.facets, item.rows)
    else:
        writing.transaction.waiting.append(item)


async def replace(writing: Writing, current: Record, make: Callable[[JsonObject], JsonObject], method: str = "PUT") -> FhirResult:
    """Store what `make` makes of the current version as the next one, checked against it.

    Who may not write it is told so before a stale If-Match is, and that before anything is wrong with the body (interfaces.md).
    """
    before = load(current.body or b"")
    try:
        resource = make(before)
        check_writable(writing, before, resource)
    except FhirError as problem:
        if not isinstance(problem, Forbidden):
            check_match(writing.request, current)
        raise
    check_match(writing.request, current)
    _check(writing, before, resource)
    localize(writing, resource)
    version = current.version + 1
    said = _with_meta(writing, resource, current.id, version)
    about = facets(said, writing.server.matrix, writing.server.zone)
    _check_client(about, current)
    await _check_references(writing, resource, about.client, before)
    body = dump(said)
    await writing.writer.update(current.type, current.id, current.version, body, about, writing.server.extract(said), method=method)
    return _saved(writing, 200, Saved(current.type, current.id, version, about.client), body)


async def remove(writing: Writing, current: Record) -> FhirResult:
    """Delete a resource, which was found writable; its versions stay."""
    version = await writing.writer.delete(current.type, current.id, current.version)
    return FhirResult(204, outcome=SAVED, shown=[Saved(current.type, current.id, version, current.client)])


def localize(writing: Writing, resource: JsonObject) -> None:
    """Make absolute references to this server relative, in place."""
    for _, holder in references(resource):
        literal = parse_reference(holder["reference"], writing.server.base)
        if literal and literal.kind is Kind.LOCAL:
            holder["reference"] = literal.text


def check_type(resource: JsonObject, type: str) -> None:
    """Raise BadRequest where the body is a resource of another type than the address says."""
    said = resource.get("resourceType")
    if said != type:
        raise BadRequest(Issue("invalid", f"The body must be a resource of type {type}, not {str(said)[:64]}.", f"{type}.resourceType"))


def _check(writing: Writing, before: JsonObject | None, after: JsonObject) -> None:
    type = writing.access.type
    validate.check(after, type)
    if type == "Encounter" and has_coding(after, "type", *SESSION_TYPE):
        _check_session(before, after)


def check_writable(writing: Writing, before: JsonObject | None, after: JsonObject | None) -> None:
    """Raise Forbidden where a rule of the access row, or a granular scope, is not kept."""
    change = Change(writing.request.actor, before, after)
    broken = [name for name in writing.access.writes if not RULES[name].kept(change)]
    if broken:
        raise Forbidden(*(Issue("forbidden", RULES[name].says, key=name) for name in broken))
    letter = "d" if after is None else "c" if before is None else "u"
    for version in change.versions:
        client = client_of(version, writing.server.matrix)
        if not writing.server.grants.admits(writing.request.actor, letter, version, client):
            raise Forbidden("The token's scopes do not open this resource.")


def _check_session(before: JsonObject | None, after: JsonObject) -> None:
    status = after["status"]
    if before is None:
        if status not in STARTS:
            raise Unprocessable(Issue("business-rule", f"A session does not begin as {status}.", "Encounter.status", key="session-start"))
    elif not may_move(before["status"], status):
        raise Conflict(
            Issue("business-rule", f"A session that is {before['status']} can't become {status}.", "Encounter.status", key="session-move")
        )


def _with_meta(writing: Writing, resource: JsonObject, id: str, version: int) -> JsonObject:
    meta = {"versionId": str(version), "lastUpdated": instant(writing.writer.stamp)}
    kept = {name: value for name, value in resource.get("meta", {}).items() if name not in meta}
    rest = {name: value for name, value in resource.items() if name not in {"resourceType", "id", "meta"}}
    return {"resourceType": resource["resourceType"], "id": id, "meta": meta | kept, **rest}


async def _check_references(writing: Writing, resource: JsonObject, client: str, before: JsonObject | None) -> None:
    """Every literal reference names what the caller may read, has made, or makes in this transaction (interfaces.md).

    The client of a new resource is one whom the caller may read now: having made the Patient once is not enough, save for a
    referrer, who reads no Patient.
    """
    transaction = writing.transaction
    stood = {holder["reference"] for _, holder in references(before)} if before else set[str]()
    places: dict[tuple[str, str], str] = {}
    for place, holder in references(resource):
        literal = parse_reference(holder["reference"])
        if literal and literal.type and literal.id and holder["reference"] not in stood:
            places.setdefault((literal.type, literal.id), place)
    wanted = [key for key in places if key not in transaction.planned and key not in transaction.readable]
    transaction.readable |= await writing.writer.references_visible(wanted) if wanted else set()
    missing = [key for key in wanted if key not in transaction.readable]
    if missing:
        found = await writing.writer.references_visible(missing, writing.writer.creator)
        if writing.request.actor.role != "referrer":
            found.discard(("Patient", client))
        missing = [key for key in missing if key not in found]
    if missing:
        raise Unprocessable(
            *(Issue("business-rule", f"{'/'.join(key)} is not there.", places[key], key="reference-exists") for key in missing)
        )


def _check_client(about: Facets, current: Record) -> None:
    """Raise Unprocessable where a resource would move to another client."""
    if about.client != current.client:
        raise Unprocessable(Issue("business-rule", "A resource can't be moved to another client.", current.type, key="client-fixed"))


async def settle(server: Server, actor: Actor, writer: Writer, transaction: Transaction) -> None:
    """At the end of a transaction: what the caller made without saying whose it is must be theirs by the rules of reading.

    A case manager makes a Patient together with a CareTeam that names them, a Binary belongs to a document that its maker may write.
    """
    for (type, id), said in transaction.created.items():
        access = decide(server.matrix, actor, type, "c")
        about = facets(said, server.matrix, server.zone)
        if access.rows in {"all", "none"} or about.kind == "boundary-event" or (about.client and type != "Patient"):
            continue
        if await writer.read(type, id) is None:
            raise Forbidden(Issue("forbidden", f"What is made here must be the caller's own to read: {type}.", type, key="own-to-read"))
        if type == "Binary":
            await _check_document(actor, writer, transaction, said)


async def _check_document(actor: Actor, writer: Writer, transaction: Transaction, binary: JsonObject) -> None:
    for reference in references_at(binary, "securityContext"):
        type, _, id = reference.partition("/")
        record = await writer.read(type, id) if type == "DocumentReference" else None
        document = load(record.body) if record and record.body else None
        before = None if (type, id) in transaction.created else document
        if document is None or not RULES["own-draft"].kept(Change(actor, before, document)):
            raise Forbidden(Issue("forbidden", RULES["own-draft"].says, "Binary.securityContext", key="own-draft"))


def found_already(writing: Writing, there: Record) -> FhirResult:
    """The answer of a conditional create that need not create."""
    body = there.body if writing.access.rows != "none" else None
    return FhirResult(200, body, there.version, there.last_updated, f"{there.reference}/_history/{there.version}", SAVED, (there,))


def _saved(writing: Writing, status: int, saved: Saved, body: bytes) -> FhirResult:
    readable = writing.access.rows != "none"
    location = f"{saved.type}/{saved.id}/_history/{saved.version}"
    return FhirResult(status, body if readable else None, saved.version, writing.writer.stamp, location, SAVED, [saved])
