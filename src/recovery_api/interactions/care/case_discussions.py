"""A case discussion is among those who are on the client's care team now, external clinicians with the client's consent (domain.md 1.5)."""
from recovery_api.domain.codes import local
from recovery_api.domain.supervision import ABOUT_A_CLIENT
from recovery_api.fhir.errors import Issue, Rule, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, objects_at, references_at
from recovery_api.interactions.care.staffing import is_ours, member, members, persons
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.make import seen
from recovery_api.policy.explain import Standing, purpose_of, sight_of
from recovery_api.store.explaining import Like, judged

TEAM = Rule(
    "case-discussion-team",
    Unprocessable,
    "Whoever takes part in a case discussion is on the client's care team now, and from outside with the client's consent.",
)


async def check(written: Written) -> None:
    """Raise Unprocessable where a case discussion has no client, or a participant who is not on the team, the same for an absent one."""
    said = written.after
    if not has_coding(said, "category", *local("communication-category", "case-discussion")[:2]):
        return
    client = next((each.removeprefix("Patient/") for each in references_at(said, "subject") if each.startswith("Patient/")), None)
    if client is None:
        raise ABOUT_A_CLIENT.broken(at="Communication.subject")
    there = await _participants(written, client)
    issues: list[Issue] = []
    for element in ("sender", "recipient"):
        for place, each in enumerate(objects_at(said, element)):
            if not await _is_there(written, there, each):
                at = f"Communication.{element}" + (f"[{place}]" if element == "recipient" else "")
                issues.append(TEAM.issue(at=at))
    if issues:
        raise Unprocessable(*issues)


async def _is_there(written: Written, there: set[str], participant: JsonObject) -> bool:
    [reference] = list(references_at({"who": participant}, "who")) or [""]
    if not reference.startswith("PractitionerRole/"):
        return reference in there
    return not there.isdisjoint(await persons(written.server, written.writer, reference))


async def _participants(written: Written, client: str) -> set[str]:
    """Who may take part (references): the client, and the members now of those of their care teams that the writer may read."""
    server, now = written.server, written.server.clock()
    teams = await seen(server, written.writer, "CareTeam", ("patient", f"Patient/{client}"), ("status", "active"))
    there = {f"Patient/{client}"} if teams else set[str]()
    for team in teams:
        for _, participant in members(server, team, now):
            if is_ours(participant) or await _consented(written, client, participant):
                there.add(member(participant))
    return there


async def _consented(written: Written, client: str, participant: JsonObject) -> bool:
    """Whether the client's Consents open what is said of them to a member from outside."""
    server, who = written.server, member(participant)
    role = "client" if who.startswith("RelatedPerson/") else "treatment-team"
    standing = Standing.of(role, who, next(references_at(participant, "onBehalfOf"), who), purpose_of(role))
    now = server.clock()
    sight = sight_of(server.matrix, standing, client, "Communication", now, server.grants.lately(now), named=True)
    return await judged(written.writer.seeing(sight), Like(client, "Communication"))
