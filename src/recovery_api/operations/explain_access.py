"""Patient/{id}/$explain-access: who may see what of a client, and by which rules (domain.md 3.3, 7)."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import cast

from recovery_api.fhir import labels
from recovery_api.fhir.errors import BadRequest, Forbidden, Issue, NotFound
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.labels import bit, closed, mask_of
from recovery_api.fhir.names import called
from recovery_api.fhir.parameters import PLACE, Given
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.identity.actor import local_reference
from recovery_api.interactions.context import FhirResult, Server
from recovery_api.operations.frame import Operating
from recovery_api.policy import access_words as words
from recovery_api.policy.audit import Decision
from recovery_api.policy.explain import Standing, has_client, purpose_of, roles_of, sight_of
from recovery_api.store.consents import listed
from recovery_api.store.explaining import Like, bearing, judged, kinds_of, relations_of, rules_of
from recovery_api.store.reader import Reader
from recovery_api.store.records import Relation
from recovery_api.store.staff import organization_of

STAFF = ("companion", "case-manager", "supervised", "treatment-team", "treatment-organization", "emergency")
COUNTING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"Practitioner": STAFF, "Organization": ("consent-permit",), "RelatedPerson": ("representative", "consent-permit")}
)
"""The relations by which an actor sees something of a client, by the type of the actor."""
WHO_CAN_SEE = (*STAFF, "representative", "referral")
CONSENT = "consent:"
"""What the id of a rule begins with that stands in a Consent; the Consent's id follows, and after # its path."""
NAMED_TYPES = frozenset({*COUNTING, "CareTeam"})


async def explain_access(operating: Operating) -> FhirResult:
    """The decision on a resource like the one described, with the rules that bear on it; for the client, who can see what.

    Raises Forbidden for a client's app that is not the client's own, NotFound for a client who is not the caller's.
    """
    server, request, actor = operating.server, operating.request, operating.request.actor
    id, now = request.id or "", server.clock()
    if actor.role == "client" and not actor.holder.startswith("Patient/"):
        raise Forbidden("Who can see what is told to the client themselves.")
    async with server.store.reader(server.grants.system) as reader:
        if not await has_client(server.grants, reader, actor, id, now):
            raise NotFound
        asking = reader.seeing(server.grants.sight(actor, "r", now))
        given = operating.given()
        if actor.role == "client":
            if given.values:
                raise BadRequest(Issue("invalid", "Ask without parameters: the answer tells of everybody.", PLACE))
            rules = [rule async for rule in _everybody(server, reader, asking, id, now)]
            return operating.answer(rule=rules)._replace(decision=_weighed(id, rules, any(one["effect"] == "permit" for one in rules)))
        decision, rules = await _explained(server, reader, asking, given, id, now)
    return operating.answer(decision=decision, rule=rules)._replace(decision=_weighed(id, rules, decision == "permit"))


def _weighed(client: str, rules: list[JsonObject], permitted: bool) -> Decision:
    """What was decided, and the Consents that the rules name."""
    named = [rule["id"].removeprefix(CONSENT).partition("#")[0] for rule in rules if rule["id"].startswith(CONSENT)]
    return Decision(client, tuple(f"Consent/{id}" for id in dict.fromkeys(named)), permitted)


# For staff ---------------------------------------------------------------------------------------------------------------


async def _explained(server: Server, reader: Reader, asking: Reader, given: Given, client: str, now: int) -> tuple[str, list[JsonObject]]:
    holder, like = _described(server, given, client)
    organization = await _organization(server, holder, now)
    kinds = dict.fromkeys(one.kind for one in await relations_of(reader, client, now) if _is_of(one, holder, organization))
    name = await _called(asking, holder)
    said = [_rule(f"relation-{kind}", "permit", words.RELATIONS[kind].format(name)) for kind in kinds]
    permitted = False
    for role in roles_of(holder, await kinds_of(reader, holder)):
        purpose = cast("str | None", given.one("purpose")) or purpose_of(role)
        judging = _Judging(server, reader, Standing.of(role, holder, organization, purpose), now)
        opened, rules = await judging.explained(like)
        permitted = permitted or opened
        said += [rule for rule in rules if rule not in said]
    if not permitted and (not kinds or all(rule["effect"] != "deny" for rule in said)):
        said.append(_rule("no-relation", "deny", words.NO_RELATION))
    return "permit" if permitted else "deny", said


def _described(server: Server, given: Given, client: str) -> tuple[str, Like]:
    """Who would ask, and for what. Raises BadRequest."""
    actor, type = cast("JsonObject | None", given.one("actor")), cast("str | None", given.one("resourceType"))
    if actor is None or type is None:
        raise BadRequest(Issue("required", "The parameters 'actor' and 'resourceType' are needed.", PLACE))
    holder = local_reference(str(actor.get("reference")), server.base, frozenset(COUNTING))
    if holder is None:
        raise BadRequest(Issue("value", "The parameter 'actor' refers to a Practitioner, an Organization or a RelatedPerson.", PLACE))
    if type != "Patient" and type not in server.matrix.client:
        raise BadRequest(Issue("value", f"The parameter 'resourceType' names no type of a client's record: {type[:64]}.", PLACE))
    said, codes = list(given.all("labels")), cast("list[JsonObject]", list(given.all("code")))
    if labels.unknown(said):
        raise BadRequest(Issue("value", "The parameter 'labels' names a label that is not known here.", PLACE))
    if not all("code" in coding for coding in codes):
        raise BadRequest(Issue("value", "The parameter 'code' is a system and a code.", PLACE))
    implied = server.matrix.labels.basis({"resourceType": type, "code": {"coding": codes}}, "", client).own
    date = cast("str | None", given.one("date"))
    happened = implicit_range(date, server.zone) if date else (None, None)
    named = listed(f"{coding.get('system', '')}|{coding['code']}" for coding in codes)
    return holder, Like(client, type, closed(mask_of(said) | implied), True, named, *happened)


async def _organization(server: Server, holder: str, now: int) -> str:
    if holder.startswith("Organization/"):
        return holder
    return await organization_of(server.store, holder, now) or ""


def _is_of(one: Relation, holder: str, organization: str) -> bool:
    """The relation is the actor's own, or one of the organization for which they ask, and counts for somebody like them."""
    return one.holder in {holder, organization} and one.kind in COUNTING[holder.partition("/")[0]]


class _Judging:
    """One role of somebody, and what the rules say to it."""

    def __init__(self, server: Server, reader: Reader, standing: Standing, now: int) -> None:
        self._server, self._reader, self._standing, self._now = server, reader, standing, now

    def _seeing(self, like: Like, *, named: bool) -> Reader:
        server, lately = self._server, self._server.grants.lately(self._now)
        return self._reader.seeing(sight_of(server.matrix, self._standing, like.client, like.type, self._now, lately, named=named))

    async def _opens(self, like: Like, *, named: bool = True) -> bool:
        return await judged(self._seeing(like, named=named), like)

    async def explained(self, like: Like) -> tuple[bool, list[JsonObject]]:
        """Whether the role opens such a resource, and the rules that say why."""
        row = self._server.matrix.of(self._standing.role, like.type)
        if row is None or "r" not in row.may:
            return False, [_rule("role", "deny", words.NO_ROLE)]
        said: list[JsonObject] = []
        plain, named = await self._opens(like, named=False), await self._opens(like)
        opened = plain or (named and not like.labels & labels.APART)
        said += await self._consents(like, opened=opened)
        for code, says in words.APART.items():
            without = like._replace(labels=closed(like.labels & ~bit(code) & ~bit("V")))
            if not opened and like.labels & bit(code) and await self._opens(without):
                said.append(_rule(f"label-{code}", "deny", says))
        if named and not plain:
            said.append(_rule("named", "permit", words.NAMED))
        if opened and not await self._opens(like._replace(released=False)):
            said.append(_rule("state", "none", words.STATE))
        return opened, said

    async def _consents(self, like: Like, *, opened: bool) -> list[JsonObject]:
        found = await bearing(self._seeing(like, named=True), like)
        if not self._standing.external:
            found = [one for one in found if one.effect == "deny" and not opened]
        said = [_rule(f"{CONSENT}{one.consent}#{one.path}", one.effect, words.CONSENT[one.effect]) for one in found]
        if self._standing.external and not opened and all(one.effect == "deny" for one in found):
            said.append(_rule("no-consent", "deny", words.NO_CONSENT))
        return said


def _rule(id: str, effect: str, says: str) -> JsonObject:
    return {"id": id, "effect": effect, "says": says}


# For the client ----------------------------------------------------------------------------------------------------------


async def _everybody(server: Server, reader: Reader, asking: Reader, client: str, now: int) -> AsyncIterator[JsonObject]:
    """Everybody who can see something of the client, and what they chose to keep to themselves."""
    relations = await relations_of(reader, client, now)
    for kind in WHO_CAN_SEE:
        for holder in dict.fromkeys(one.holder for one in relations if one.kind == kind):
            yield _rule(f"relation-{kind}", "permit", words.standing(kind, await _called(asking, holder)))
    rules = await rules_of(reader, client, now)
    for rule in rules:
        id = f"{CONSENT}{rule.consent}#{rule.path}"
        if rule.effect == "permit":
            exceptions = [one for one in rules if one.effect == "deny" and (one.consent, one.parent) == (rule.consent, rule.path)]
            for actor in rule.actors:
                yield _rule(id, "permit", words.shared(rule, await _called(asking, actor), exceptions, server.zone))
        elif not any(one.effect == "permit" and (one.consent, one.path) == (rule.consent, rule.parent) for one in rules):
            for name in [await _called(asking, actor) for actor in rule.actors] or [""]:
                yield _rule(id, "deny", words.kept(rule, name, server.zone))


async def _called(reader: Reader, reference: str) -> str:
    """What somebody is called: their name, else the reference."""
    type, _, id = reference.partition("/")
    record = await reader.read(type, id) if type in NAMED_TYPES else None
    if record is None or record.body is None:
        return reference
    return called(load(record.body)) or reference
