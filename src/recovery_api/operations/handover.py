"""EpisodeOfCare/{id}/$handover: somebody else takes over as companion or case manager, all of it or nothing (domain.md 7)."""
from functools import partial
from typing import NamedTuple, cast

from recovery_api.domain import handover as handovers
from recovery_api.domain.codes import ref
from recovery_api.domain.episodes import UNDER_WAY
from recovery_api.domain.supervision import OPEN
from recovery_api.fhir.errors import Conflict, NotFound, Rule, Unprocessable
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.parameters import PLACE, Given
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.identity.actor import local_reference
from recovery_api.interactions.audited import keep
from recovery_api.interactions.care.assignments import check_wishes
from recovery_api.interactions.care.care_teams import check_more_than_cover
from recovery_api.interactions.care.staffing import care_teams, member, members, persons
from recovery_api.interactions.context import FhirResult, Server
from recovery_api.interactions.make import change, found, make
from recovery_api.interactions.unit import Transaction, Writing
from recovery_api.interactions.write import check_writable
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import Saved
from recovery_api.policy.decide import decide
from recovery_api.policy.periods import interval
from recovery_api.policy.project import CASE_MANAGER, COMPANION
from recovery_api.store.records import NEVER
from recovery_api.store.writer import Writer

KINDS = (COMPANION, CASE_MANAGER)
TO = Rule(
    "handover-to",
    Unprocessable,
    "Whoever takes over has an active PractitionerRole of the same kind in the same organization, and is not on the care team for it yet.",
)
FROM = Rule(
    "handover-from",
    Unprocessable,
    "Whoever hands over is on the client's care team now, as a companion or a case manager; where several are, 'from' says who.",
)
NOW = Rule("handover-period", Unprocessable, "A handover takes place now: its period has begun, and is not over.")
GOES_ON = Rule("handover-open", Conflict, "An episode of care that is over is not handed over.")


class Change(NamedTuple):
    """Who hands over to whom (references to Practitioners), in which role (its code), for which organization."""

    giver: str
    taker: str
    kind: tuple[str, str]
    organization: str


async def handover(operating: Operating) -> FhirResult:
    """End one member of the care team and begin the next, move the client's open Tasks, draft the document, and ask the client.

    Raises NotFound where the episode is not the caller's, Forbidden for who only covers, Unprocessable for a pair that does not fit
    or that the client does not wish, Conflict for an episode that is over.
    """
    server, request, actor = operating.server, operating.request, operating.request.actor
    access = decide(server.matrix, actor, "EpisodeOfCare", "u")
    async with server.store.writer(server.grants.rows(actor, server.clock()), creator=actor.holder) as writer:
        record = await writer.lock("EpisodeOfCare", request.id or "")
        if record is None:
            raise NotFound
        episode = load(record.body or b"")
        check_writable(Writing(server, request, access, writer, Transaction()), episode, episode)
        teams = await care_teams(server, writer, record.client)
        for team in teams:
            check_more_than_cover(server, actor, team)
        given = operating.given()
        period = _period(server, given, server.clock())
        made = await _made(server, writer, given, teams)
        teams = [team for team in teams if _places(server, team, made)]
        for team in teams:
            await check_wishes(server, writer, team, _handed_over(server, made, period, team))
        if episode["status"] not in UNDER_WAY:
            raise GOES_ON.broken(at="EpisodeOfCare.status")
        written = [await change(server, writer, "CareTeam", team["id"], partial(_handed_over, server, made, period)) for team in teams]
        if made.kind == CASE_MANAGER:
            written.append(
                await change(server, writer, "EpisodeOfCare", record.id, lambda said: {**said, "careManager": ref(made.taker)})
            )
        moved = await _tasks(server, writer, record.client, made)
        document = await make(server, writer, await _document(server, writer, record.client, actor.holder, made, moved, given))
        asked = await make(server, writer, handovers.preference_check(record.client, actor.holder, instant(writer.stamp)))
        shown = [_saved(one, record.client) for one in (*written, *moved, document, asked)]
        answer = operating.answer(
            careTeam=[_ref(one) for one in written if one["resourceType"] == "CareTeam"],
            composition=_ref(document),
            preferenceCheck=_ref(asked),
            task=[_ref(one) for one in moved],
        )
        records = await keep(server, writer, [(request, answer._replace(shown=shown))])
    await server.audit.link(records)
    return answer._replace(recorded=True)


def _period(server: Server, given: Given, now: int) -> JsonObject:
    """From now, and until when it is said. Raises Unprocessable for a time that begins later or is over."""
    starts, ends = interval(cast("JsonObject | None", given.one("period")), server.zone)
    if starts > now or ends <= now:
        raise NOW.broken(at=PLACE)
    return {"start": instant(now)} | ({"end": instant(ends)} if ends < NEVER else {})


async def _made(server: Server, writer: Writer, given: Given, teams: list[JsonObject]) -> Change:
    """Who hands over to whom. Raises Unprocessable where it is not clear from whom, or whoever takes over does not fit."""
    there = [one for team in teams for _, one in members(server, team, server.clock())]
    givers = await _people(server, writer, given.one("from")) if given.one("from") else [member(one) for one in there]
    holders = {kind: [one for one in there if member(one) in givers and has_coding(one, "role", *kind)] for kind in KINDS}
    if not any(holders.values()):
        raise FROM.broken(at=PLACE)
    for role in await _roles(server, writer, given):
        taker, organization = (next(references_at(role, name), "") for name in ("practitioner", "organization"))
        for kind, those in holders.items():
            fits = has_coding(role, "code", *kind) and any(organization in references_at(one, "onBehalfOf") for one in those)
            if not fits or any(handovers.is_from(one, taker, kind) for one in there):
                continue
            people = {member(one) for one in those}
            if len(people) > 1:
                raise FROM.broken(at=PLACE)
            return Change(people.pop(), taker, kind, organization)
    raise TO.broken(at=PLACE)


async def _roles(server: Server, writer: Writer, given: Given) -> list[JsonObject]:
    """The active PractitionerRoles of whoever is to take over."""
    named = _named(server, given.one("to"))
    if not named:
        return []
    type, _, id = named.partition("/")
    roles = await found(server, writer, "PractitionerRole", ("_id", id) if type == "PractitionerRole" else ("practitioner", named))
    return [role for role in roles if any(await persons(server, writer, f"PractitionerRole/{role['id']}"))]


async def _people(server: Server, writer: Writer, reference: object) -> list[str]:
    named = _named(server, reference)
    return await persons(server, writer, named) if named.startswith("PractitionerRole/") else [named]


def _named(server: Server, reference: object) -> str:
    text = str(cast("JsonObject", reference).get("reference"))
    return local_reference(text, server.base, frozenset({"Practitioner", "PractitionerRole"})) or ""


def _places(server: Server, team: JsonObject, made: Change) -> list[int]:
    return [place for place, one in members(server, team, server.clock()) if handovers.is_from(one, made.giver, made.kind)]


def _handed_over(server: Server, made: Change, period: JsonObject, team: JsonObject) -> JsonObject:
    return handovers.handed_over(team, _places(server, team, made), made.taker, period)


async def _tasks(server: Server, writer: Writer, client: str, made: Change) -> list[JsonObject]:
    """The client's open Tasks of whoever hands over, which now are of whoever takes over."""
    there = await found(server, writer, "Task", ("patient", f"Patient/{client}"), ("owner", made.giver), ("status", ",".join(OPEN)))
    moment = instant(writer.stamp)
    return [
        await change(server, writer, "Task", task["id"], lambda task: {**task, "owner": ref(made.taker), "lastModified": moment})
        for task in there
    ]


async def _document(
    server: Server, writer: Writer, client: str, author: str, made: Change, moved: list[JsonObject], given: Given
) -> JsonObject:
    plans = await found(server, writer, "CarePlan", ("patient", f"Patient/{client}"), ("status", "active"))
    goals = await found(server, writer, "Goal", ("patient", f"Patient/{client}"), ("lifecycle-status", "accepted,active,on-hold"))
    parts = {
        "From and to": [made.giver, made.taker],
        "Plans": [f"CarePlan/{one['id']}" for one in plans],
        "Goals": [f"Goal/{one['id']}" for one in goals],
        "Open tasks": [f"Task/{one['id']}" for one in moved],
    }
    note = cast("str | None", given.one("note"))
    return handovers.summary(client, author, made.organization, parts, note, instant(writer.stamp))


def _ref(resource: JsonObject) -> JsonObject:
    return ref(f"{resource['resourceType']}/{resource['id']}")


def _saved(resource: JsonObject, client: str) -> Saved:
    return Saved(resource["resourceType"], resource["id"], int(resource["meta"]["versionId"]), client)
