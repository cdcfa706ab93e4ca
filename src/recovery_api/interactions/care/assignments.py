"""Who accompanies a client: nobody against the client's wishes and boundaries (domain.md 7, "Retraumatisation guard").

Judged by what the writer may read: somebody who may not read the client's wishes, like an operator, learns nothing of them.
"""
from recovery_api.domain.preferences import CODES, conflicts, person
from recovery_api.fhir.errors import Issue, Rule, Unprocessable
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import has_coding, objects_at, references_at
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import seen
from recovery_api.policy.periods import interval
from recovery_api.policy.project import COMPANION
from recovery_api.store.reader import Reader

PREFERENCE = Rule("client-preference", Unprocessable, "The care team is not as the client wishes it: {} ({})")
WISHES = ("code", ",".join("|".join(code) for code in CODES))


async def respect_wishes(written: Written) -> None:
    """Hold the companions who come to a CareTeam to the client's wishes. Raises Unprocessable with a sentence for each conflict."""
    await check_wishes(written.server, written.writer, written.before, written.after)


async def check_wishes(server: Server, reader: Reader, before: JsonObject | None, after: JsonObject) -> None:
    """The same of a CareTeam that the server changes for somebody, whose sight the reader has."""
    client = next(references_at(after, "subject"), "")
    new = _companions(server, after) - (_companions(server, before) if before else set())
    if not new or not client or after.get("status") not in {"active", "proposed"}:
        return
    wishes = await seen(server, reader, "Observation", ("patient", client), WISHES)
    plans = await seen(server, reader, "CarePlan", ("patient", client), ("status", "active"))
    issues: list[Issue] = []
    for reference in sorted(new) if wishes or plans else ():
        record = await reader.read("Practitioner", reference.removeprefix("Practitioner/"))
        said = conflicts(person(load(record.body)), wishes, plans) if record and record.body else ()
        issues += (PREFERENCE.issue(each, reference, at="CareTeam.participant") for each in said)
    if issues:
        raise Unprocessable(*issues)


def _companions(server: Server, team: JsonObject) -> set[str]:
    """The Practitioners who are companions in a CareTeam, now or later."""
    return {
        member
        for one in objects_at(team, "participant")
        if has_coding(one, "role", *COMPANION) and interval(one.get("period"), server.zone)[1] > server.clock()
        for member in references_at(one, "member")
        if member.startswith("Practitioner/")
    }
