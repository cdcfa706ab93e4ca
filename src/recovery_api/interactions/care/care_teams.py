"""Who may change a care team: not a colleague who only covers (domain.md 3.5)."""
from recovery_api.domain.cover import is_cover
from recovery_api.fhir.errors import Forbidden, Rule
from recovery_api.fhir.json import JsonObject
from recovery_api.identity.actor import Actor
from recovery_api.interactions.care.staffing import member, members
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server

LEFT_AS_IT_IS = Rule("cover-team", Forbidden, "Who covers for a colleague leaves the care team as it is.", "forbidden")


async def prepare(written: Written) -> None:
    """Raise Forbidden where a case manager who is on the team to cover, and only so, changes who is on it."""
    before, actor = written.before, written.actor
    if before and actor.role == "case-manager" and written.after.get("participant") != before.get("participant"):
        check_more_than_cover(written.server, actor, before)


def check_more_than_cover(server: Server, actor: Actor, team: JsonObject) -> None:
    """Raise Forbidden where somebody is on the team to cover, and only so."""
    mine = [one for _, one in members(server, team, server.clock()) if member(one) == actor.holder]
    if mine and all(map(is_cover, mine)):
        raise LEFT_AS_IT_IS.broken(at="CareTeam.participant")
