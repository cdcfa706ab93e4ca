"""Referrals, where they need the store (domain.md 5): the order moves with its Task, and an accepted client becomes ours."""
from functools import partial

from recovery_api.domain import danger, escalations, referrals
from recovery_api.domain.codes import concept, local, ref
from recovery_api.domain.episodes import begun
from recovery_api.domain.referrals import CLINIC, INTAKE, OPEN, REQUESTER
from recovery_api.domain.sessions import SESSION_TYPE
from recovery_api.fhir.errors import Conflict, Rule, Unprocessable
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.fhir.search.escapes import escaped
from recovery_api.identity.actor import Actor
from recovery_api.interactions.care.identity import link, recognized
from recovery_api.interactions.care.staffing import case_manager
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.make import change, found, make
from recovery_api.policy.matrix import EXTERNAL_ROLES
from recovery_api.policy.project import CASE_MANAGER

ESCALATIONS = "|".join(escalations.CODE)
KEPT_OF_PERSON = (
    "extension", "identifier", "name", "telecom", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime", "address", "maritalStatus",
    "multipleBirthBoolean", "multipleBirthInteger", "communication",
)  # fmt: skip
"""What our own Patient has of the clinic's copy."""

NO_OTHER = Rule("referral-fixed", Unprocessable, "A Task does not become a referral.")
MOVES_WITH_TASK = Rule("referral-order", Conflict, "The order of a referral moves with its Task: change the Task's status.")
FOCUS = Rule("referral-focus", Unprocessable, "A referral names its order: a ServiceRequest.")
OF_ITS_ORDER = Rule("referral-client", Unprocessable, "A referral is for the client of its order.")
ONCE = Rule("referral-once", Conflict, "The order is not active, or another Task carries it out.")
REQUESTED = Rule("referral-identifier", Conflict, "This organization has requested another service under this identifier.")
FOR_SOMEBODY = Rule("referral-client", Unprocessable, "A referral is accepted for somebody, by an organization.")
THERE = Rule("referral-client", Unprocessable, "Nobody is there to be accepted.")


async def prepare(written: Written) -> None:
    """Hold a referral to its table, and state its businessStatus."""
    before, after = written.before, written.after
    if not referrals.is_referral(before if before is not None else after):
        if referrals.is_referral(after):
            raise NO_OTHER.broken(at="Task.code")
        return
    move = referrals.check(before, after, _parties(written.actor, after))
    if before is None:
        await _check_order(written)
    stated = referrals.stated(before, after, move)
    after.pop("businessStatus", None)
    if stated is not None:
        after["businessStatus"] = stated
    after["lastModified"] = instant(written.server.clock())
    if written.actor.role in EXTERNAL_ROLES and await _is_alarming(written):
        after["priority"] = "stat"


async def _is_escalated(written: Written) -> bool:
    """Whether what came along has called somebody at once already."""
    person = next(references_at(written.after, "for"), "")
    open_ = (("code", ESCALATIONS), ("patient", person), ("priority", "stat"), ("status", ",".join(escalations.OPEN)))
    return bool(person and await found(written.server, written.writer, "Task", *open_))


async def follow(written: Written) -> None:
    """What follows from a referral's move: its order moves too, and who is accepted becomes our own client."""
    task = written.after
    if not referrals.is_referral(task):
        return
    if written.actor.role in EXTERNAL_ROLES and written.became("priority", "stat") and not await _is_escalated(written):
        await make(written.server, written.writer, danger.escalation(task, written.server.clock()))
    if (written.before or {}).get("status") == task["status"]:
        return
    move, order = referrals.MOVES[(written.before or {}).get("status"), task["status"]], referrals.order_of(task)
    if order is not None:
        if move.order and written.before is not None:
            await _move(written, order, move.order)
        if task["status"] not in OPEN:
            await written.writer.release(_one_task(order))
    if task["status"] == "accepted":
        await _accept(written)


async def prepare_order(written: Written) -> None:
    """Hold an order to its identifier, which is its requester's once (domain.md 5), and to its referral, with which its status moves."""
    before, after = written.before, written.after
    if before is None or before.get("identifier") != after.get("identifier"):
        stood = (before or {}).get("identifier", ())
        for identifier in after.get("identifier", ()):
            if identifier not in stood:
                await _claim_identifier(written, identifier)
    if before is not None and before.get("status") != after["status"]:
        focus = ("focus", f"ServiceRequest/{after['id']}")
        if any(map(referrals.is_referral, await found(written.server, written.writer, "Task", focus))):
            raise MOVES_WITH_TASK.broken(at="ServiceRequest.status")


async def begin_episode(written: Written) -> None:
    """The first session of an engagement makes it active (domain.md 5)."""
    session = written.after
    if has_coding(session, "type", *SESSION_TYPE) and written.became("status", "in-progress", "finished"):
        for reference in references_at(session, "episodeOfCare"):
            episode = await written.there(reference)
            if episode is not None and episode["status"] in {"planned", "waitlist"}:
                now = instant(written.writer.stamp)
                await change(written.server, written.writer, "EpisodeOfCare", episode["id"], partial(begun, moment=now))


def _parties(actor: Actor, task: JsonObject) -> set[str]:
    """Who the caller is to a referral."""
    parties = {CLINIC} if actor.role in EXTERNAL_ROLES else {INTAKE} if actor.role == "case-manager" else set[str]()
    mine = {actor.holder, actor.organization} if actor.role in EXTERNAL_ROLES else {actor.holder}
    return parties | ({REQUESTER} if parties and mine & set(references_at(task, "requester")) else set())


async def _check_order(written: Written) -> None:
    """A referral carries out one order, for the order's own client; no other Task does so at the same time."""
    task = written.after
    reference = referrals.order_of(task)
    if reference is None:
        if has_coding(task, "code", *referrals.FULFILL):
            raise FOCUS.broken(at="Task.focus")
        return
    order = await written.there(reference)
    if order is None or set(references_at(order, "subject")) != {referrals.client_of(task)}:
        raise OF_ITS_ORDER.broken(at="Task.for")
    if order["status"] != "active" or not await written.writer.claim(_one_task(reference)):
        raise ONCE.broken(at="Task.focus")


async def _is_alarming(written: Written) -> bool:
    """Whether a referral, its order, what it brings along or what is sent with it says that its client is in danger."""
    task, client = written.after, referrals.client_of(written.after)
    beside = [one for one in written.beside.values() if client in {*references_at(one, "subject"), *references_at(one, "for")}]
    if any(map(danger.is_alarming, [task, *beside])):
        return True
    for named in [*references_at(task, "focus"), *references_at(task, "input.valueReference"), *references_at(task, "reasonReference")]:
        there = await written.there(named)
        if there is not None and danger.is_alarming(there):
            return True
    return False


def _one_task(order: str) -> str:
    """The claim of the one open Task of an order."""
    return f"referral:{order}"


async def _claim_identifier(written: Written, identifier: JsonObject) -> None:
    system, value = identifier.get("system", ""), identifier.get("value", "")
    for requester in references_at(written.after, "requester"):
        if value and requester.startswith("Organization/"):
            same = await found(written.server, written.writer, "ServiceRequest", ("identifier", f"{escaped(system)}|{escaped(value)}"))
            theirs = [one for one in same if requester in references_at(one, "requester") and one["id"] != written.after["id"]]
            if theirs or not await written.writer.claim(f"order:{requester}|{system}|{value}"):
                raise REQUESTED.broken(at="ServiceRequest.identifier")


async def _move(written: Written, reference: str, status: str) -> None:
    type, _, id = reference.partition("/")
    await change(written.server, written.writer, type, id, lambda one: one | {"status": status})


async def _accept(written: Written) -> None:
    """Make the client ours: a Patient of our own, the CareTeam of who accepts, and a planned EpisodeOfCare."""
    task, actor, now = written.after, written.actor, instant(written.server.clock())
    client = referrals.client_of(task)
    if client is None or actor.organization is None:
        raise FOR_SOMEBODY.broken(at="Task.for")
    person = await _our_person(written, client, actor.organization)
    team = await _team(written, person, actor.holder, actor.organization)
    order = referrals.order_of(task)
    episode: JsonObject = {
        "resourceType": "EpisodeOfCare",
        "status": "planned",
        "type": [concept(local("episode-type", "recovery-companionship"))],
        "patient": ref(person),
        "managingOrganization": ref(actor.organization),
        "period": {"start": now},
        **({"referralRequest": [ref(order)]} if order else {}),
        "careManager": ref(actor.holder),
        "team": [ref(f"CareTeam/{team}")],
    }
    await make(written.server, written.writer, episode)


async def _team(written: Written, person: str, manager: str, organization: str) -> str:
    """The id of the CareTeam by which a case manager of ours holds a client: one that they are on, else a new one."""
    server, writer, now = written.server, written.writer, instant(written.server.clock())
    if await case_manager(server, writer, person.removeprefix("Patient/")) == manager:
        [team, *_] = await found(server, writer, "CareTeam", ("subject", person), ("participant", manager), ("status", "active"))
        return team["id"]
    role = concept((*CASE_MANAGER, "Case Manager/Care Coordinator"))
    member = {"role": [role], "member": ref(manager), "onBehalfOf": ref(organization), "period": {"start": now}}
    team: JsonObject = {"resourceType": "CareTeam", "status": "active", "subject": ref(person), "period": {"start": now}}
    made = await make(server, writer, team | {"participant": [member], "managingOrganization": [ref(organization)]})
    return made["id"]


async def _our_person(written: Written, client: str, organization: str) -> str:
    """Our own Patient of whom a clinic has sent a copy: who is linked to it already, who certainly is the same, else a new one."""
    server, writer = written.server, written.writer
    if await found(server, writer, "CareTeam", ("subject", client), most=1):
        return client
    linked = await found(server, writer, "Patient", ("link", client), most=1)
    if linked:
        return f"Patient/{linked[0]['id']}"
    copy = await written.there(client)
    if copy is None:
        raise THERE.broken(at="Task.for")
    known = await recognized(server, writer, written.after, copy, organization)
    if known is not None:
        await link(server, writer, known, client)
        return known
    person: JsonObject = {"resourceType": "Patient", "active": True, "link": [{"other": ref(client), "type": "seealso"}]}
    made = await make(server, writer, person | {name: copy[name] for name in KEPT_OF_PERSON if name in copy})
    return f"Patient/{made['id']}"
