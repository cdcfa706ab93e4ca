"""What every write goes through, from the body that a caller sent to the version that is stored."""
from collections.abc import Callable, Sequence

from recovery_api.domain import rules
from recovery_api.domain.consents import is_decided, is_open, is_revoked, revocation, with_revocation
from recovery_api.domain.danger import NO_EMERGENCY_CHANNEL, is_alarming
from recovery_api.fhir.errors import BadRequest, FhirError, Forbidden, Issue, Rule, Unprocessable
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.labels import raised
from recovery_api.fhir.outcome import outcome
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.references import Kind, parse_reference, references
from recovery_api.identity.actor import Actor
from recovery_api.interactions import care, validate
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import FhirResult, Server
from recovery_api.interactions.make import make, stated
from recovery_api.interactions.preconditions import check_match
from recovery_api.interactions.present import copied
from recovery_api.interactions.unit import Transaction, Writing
from recovery_api.policy.audit import Decision, Saved
from recovery_api.policy.decide import decide
from recovery_api.policy.facets import client_of, facets
from recovery_api.policy.matrix import EXTERNAL_ROLES
from recovery_api.policy.writes import RULES, Change, rule
from recovery_api.store import bulk
from recovery_api.store.bulk import Item
from recovery_api.store.labelling import Labelled
from recovery_api.store.records import Record
from recovery_api.store.writer import Writer

EXISTS = Rule("reference-exists", Unprocessable, "{} is not there.")
CLIENT_FIXED = Rule("client-fixed", Unprocessable, "A resource can't be moved to another client.")
OWN_TO_READ = Rule("own-to-read", Forbidden, "What is made here must be the caller's own to read: {}.", "forbidden")
SAVED: JsonObject = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "information", "code": "informational", "diagnostics": "The resource was stored."}],
}
ALARMING: JsonObject = SAVED | {"issue": [*outcome([NO_EMERGENCY_CHANNEL])["issue"], *SAVED["issue"]]}
"""What somebody outside is told who sends a sign of danger."""
OUTSIDE = EXTERNAL_ROLES | {"client"}


async def insert(writing: Writing, resource: JsonObject, id: str) -> FhirResult:
    """Store a new resource, checked, under this id."""
    check_writable(writing, None, resource)
    _check(writing, None, resource, resource)
    localize(resource, writing.server.base)
    said = stated(resource, id, 1, writing.writer.stamp)
    written = Written(writing.server, writing.request.actor, writing.writer, None, said, writing.transaction.created)
    await care.check(written)
    await _check_references(writing, resource, client_of(said, writing.server.matrix), None)
    await care.prepare(written)
    about = facets(said, writing.server.matrix, writing.server.zone)._replace(raised=raised(said["meta"].get("security")))
    node = Labelled(said, about, sender=_sender(writing.request.actor), is_new=True)
    decision = _decision(None, said, about.client)
    writing.transaction.created[said["resourceType"], id] = said
    if writing.transaction.waiting is None:
        await writing.server.labeller.label(writing.writer, [node])
        item = _item(writing.server, node)
        await writing.writer.create(item.type, item.id, item.body, item.facets, item.rows)
        await care.follow(written)
        return _saved(writing, 201, Saved(item.type, id, 1, about.client), item.body, resource, decision)
    writing.transaction.waiting.append(node)
    return _saved(writing, 201, Saved(said["resourceType"], id, 1, about.client), b"", resource, decision)


def _item(server: Server, node: Labelled) -> Item:
    said = node.resource
    return Item(said["resourceType"], said["id"], 1, False, dump(said), node.facets, server.extract(said))


def _sender(actor: Actor) -> str:
    """The organization outside that somebody sends for, "Organization/id"; '' inside."""
    return actor.organization or "" if actor.role in EXTERNAL_ROLES else ""


async def store_waiting(server: Server, actor: Actor, writer: Writer, transaction: Transaction) -> None:
    """Store the new resources that wait, and then do what follows from each."""
    if transaction.waiting:
        nodes, transaction.waiting = transaction.waiting, []
        await server.labeller.label(writer, nodes)
        items = [_item(server, node) for node in nodes]
        await bulk.create(writer, items, "POST")
        transaction.bodies |= {(item.type, item.id): item.body for item in items}
        for node in nodes:
            await care.follow(Written(server, actor, writer, None, node.resource, transaction.created))


async def replace(writing: Writing, current: Record, revise: Callable[[JsonObject], JsonObject], method: str = "PUT") -> FhirResult:
    """Store what `revise` makes of the caller's copy of the current version as the next one, checked against it.

    What is not in their copy stays as it is. What is wrong is told of what they sent. Who may not write it is told so before a stale
    If-Match is, and that before anything is wrong with the body (interfaces.md).
    """
    copy = copied(writing.server, writing.request.actor, current)
    before, sent = copy.full, JsonObject()
    try:
        sent = revise(copy.seen)
        resource = copy.restored(sent)
        check_writable(writing, before, resource, (copy.seen, sent))
    except FhirError as problem:
        if not isinstance(problem, Forbidden):
            check_match(writing.request, current)
        raise
    check_match(writing.request, current)
    _check(writing, before, resource, sent, copy.seen)
    revoked = is_revoked(before, resource) if current.type == "Consent" else False
    if revoked:
        resource = with_revocation(resource, instant(writing.writer.stamp))
    localize(resource, writing.server.base)
    version = current.version + 1
    said = stated(resource, current.id, version, writing.writer.stamp)
    if client_of(said, writing.server.matrix) != current.client:
        raise CLIENT_FIXED.broken(at=current.type)
    written = Written(writing.server, writing.request.actor, writing.writer, before, said, writing.transaction.created)
    await care.check(written)
    await _check_references(writing, sent, current.client, copy.seen)
    await care.prepare(written)
    labels = raised(said["meta"].get("security"), current.labels, current.raised)
    about = facets(said, writing.server.matrix, writing.server.zone)._replace(raised=labels)
    node = Labelled(said, about, before=current.labels, sender=_sender(writing.request.actor))
    await writing.server.labeller.label(writing.writer, [node])
    about, body = node.facets, dump(said)
    await writing.writer.update(current.type, current.id, current.version, body, about, writing.server.extract(said), method=method)
    if revoked:
        target, who = f"{current.reference}/_history/{version}", writing.request.actor.holder
        await make(writing.server, writing.writer, revocation(target, who, instant(writing.writer.stamp)))
    await care.follow(written)
    shown = copied(writing.server, writing.request.actor, current._replace(body=body)) if copy.cut else None
    body = dump(shown.seen) if shown else body
    decision = _decision(before, said, about.client)
    return _saved(writing, 200, Saved(current.type, current.id, version, about.client), body, sent, decision)


async def remove(writing: Writing, current: Record) -> FhirResult:
    """Delete a resource, which was found writable; its versions stay."""
    version = await writing.writer.delete(current.type, current.id, current.version)
    await writing.server.labeller.forget(writing.writer, current)
    return FhirResult(204, outcome=SAVED, shown=[Saved(current.type, current.id, version, current.client)])


def localize(resource: JsonObject, base: str) -> None:
    """Make absolute references to this server, whose FHIR base is `base`, relative, in place."""
    for _, holder in references(resource):
        literal = parse_reference(holder["reference"], base)
        if literal and literal.kind is Kind.LOCAL:
            holder["reference"] = literal.text


def check_type(resource: JsonObject, type: str) -> None:
    """Raise BadRequest where the body is a resource of another type than the address says."""
    said = resource.get("resourceType")
    if said != type:
        raise BadRequest(Issue("invalid", f"The body must be a resource of type {type}, not {str(said)[:64]}.", f"{type}.resourceType"))


def _check(
    writing: Writing, before: JsonObject | None, after: JsonObject, sent: JsonObject, seen: JsonObject | None = None
) -> None:
    type = writing.access.type
    try:
        validate.check(after, type)
    except FhirError:
        validate.check(sent, type)  # the places are those of what was sent
        raise
    validate.check_claims(sent, seen)
    rules.check(before, after)


def check_writable(
    writing: Writing, before: JsonObject | None, after: JsonObject | None, seen: Sequence[JsonObject] | None = None
) -> None:
    """Raise Forbidden where a rule of the access row, or a granular scope, is not kept.

    `seen` are the versions as the caller has them, where those differ: scopes are judged by these.
    """
    change = Change(writing.request.actor, before, after)
    broken = [name for name in writing.access.writes if not RULES[name].kept(change)]
    if broken:
        raise Forbidden(*(rule(name).issue() for name in broken))
    letter = "d" if after is None else "c" if before is None else "u"
    for version in change.versions if seen is None else seen:
        client = client_of(version, writing.server.matrix)
        if not writing.server.grants.admits(writing.request.actor, letter, version, client):
            raise Forbidden("The token's scopes do not open this resource.")


async def _check_references(writing: Writing, resource: JsonObject, client: str, before: JsonObject | None) -> None:
    """Every literal reference names what the caller may read, has made, or makes in this transaction (interfaces.md).

    It comes before what is done with the system's sight (`care.prepare`).

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
    transaction.readable |= await writing.writer.references_visible(wanted, holding=client) if wanted else set()
    missing = [key for key in wanted if key not in transaction.readable]
    if missing:
        found = await writing.writer.references_visible(missing, writing.writer.creator)
        if writing.request.actor.role != "referrer":
            found.discard(("Patient", client))
        missing = [key for key in missing if key not in found]
    if missing:
        raise Unprocessable(*(EXISTS.issue("/".join(key), at=places[key]) for key in missing))


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
            raise OWN_TO_READ.broken(type, at=type)
        if type == "Binary":
            await _check_document(actor, writer, transaction, said)


async def _check_document(actor: Actor, writer: Writer, transaction: Transaction, binary: JsonObject) -> None:
    for reference in references_at(binary, "securityContext"):
        type, _, id = reference.partition("/")
        record = await writer.read(type, id) if type == "DocumentReference" else None
        document = load(record.body) if record and record.body else None
        before = None if (type, id) in transaction.created else document
        if document is None or not RULES["own-draft"].kept(Change(actor, before, document)):
            raise rule("own-draft").broken(at="Binary.securityContext")


def found_already(writing: Writing, there: Record) -> FhirResult:
    """The answer of a conditional create that need not create."""
    body = dump(copied(writing.server, writing.request.actor, there).seen) if there.hidden else there.body
    readable = writing.access.rows != "none"
    place = f"{there.reference}/_history/{there.version}"
    return FhirResult(200, body if readable else None, there.version, there.last_updated, place, SAVED, (there,))


def _decision(before: JsonObject | None, after: JsonObject, client: str) -> Decision | None:
    if after["resourceType"] != "Consent" or not is_decided(before, after):
        return None
    return Decision(client, (f"Consent/{after['id']}/_history/{after['meta']['versionId']}",), is_open(after))


def _saved(writing: Writing, status: int, saved: Saved, body: bytes, sent: JsonObject, decision: Decision | None) -> FhirResult:
    readable = writing.access.rows != "none"
    location = f"{saved.type}/{saved.id}/_history/{saved.version}"
    urgent = writing.request.actor.role in OUTSIDE and is_alarming(sent)
    said = ALARMING if urgent else SAVED
    body_told = body if readable else None
    return FhirResult(status, body_told, saved.version, writing.writer.stamp, location, said, [saved], decision=decision, urgent=urgent)
