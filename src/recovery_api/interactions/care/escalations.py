"""Escalations follow from what was written of a client, by rules, in the write's own transaction (domain.md 1.5, 2.4).

One escalation is open for a rule and a client: what comes meanwhile can only make it more pressing. It holds no clinical text; what it
is about is told by `reasonReference`, by which it has the labels of that too.
"""
import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from recovery_api.domain.codes import CANON, THO, concept, local, ref
from recovery_api.domain.escalation_rules import Action, Rule
from recovery_api.domain.escalations import CODE, OPEN, PRIORITIES, acknowledge_by, is_escalation
from recovery_api.fhir.fhirpath import FhirPathError
from recovery_api.fhir.instants import instant, moment, stamp_of
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.interactions.care.facts import Asked, facts
from recovery_api.interactions.care.staffing import owner
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change, found, make
from recovery_api.policy.facets import client_of
from recovery_api.policy.periods import interval
from recovery_api.store.reader import Reader
from recovery_api.store.writer import Writer

TELLING: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "Observation": frozenset({"registered", "preliminary", "final", "amended", "corrected"}),
        "QuestionnaireResponse": frozenset({"completed", "amended"}),
    }
)
"""In which states rules look at a resource."""
AUTHORS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {"Observation": ("performer",), "QuestionnaireResponse": ("author", "source")}
)
"""Where a resource says who wrote it."""
RULES_ENGINE: Final[JsonObject] = {
    "type": "Device", "identifier": {"system": f"{CANON}/NamingSystem/device", "value": "rules-engine"}, "display": "Rules engine",
}  # fmt: skip
SAFETY_ALERT: Final = local("flag-code", "safety-alert", "Safety alert")

log = logging.getLogger(__name__)


class Fired(NamedTuple):
    """A rule whose condition holds, and what it asks for."""

    rule: Rule
    action: Action


async def follow_observation(written: Written) -> None:
    """Raise what follows from an Observation or QuestionnaireResponse."""
    await escalate(written.server, written.writer, written.after)


async def escalate(server: Server, writer: Writer, resource: JsonObject) -> None:
    """Raise what follows from a version that was stored."""
    client = client_of(resource, server.matrix)
    for fired in await fire(server, writer.seeing(server.grants.system), resource, client):
        key = f"escalation {fired.rule.url} {client}"
        await writer.claim(key)  # two transactions that raise the same follow each other
        await _raise(server, writer, fired, resource, client)
        await writer.release(key)


async def fire(server: Server, writer: Writer, resource: JsonObject, client: str) -> list[Fired]:
    """The rules whose conditions hold of a resource, by what the writer sees. One that can't be judged is left out, and logged."""
    if not client or resource["status"] not in TELLING[resource["resourceType"]]:
        return []
    keys, rules = (await server.escalating.rules(writer)).about(resource)
    if not rules:
        return []
    known = await facts(Asked(server, writer, resource, client), frozenset[str]().union(*(rule.facts(keys) for rule in rules)))
    fired: list[Fired] = []
    for rule in rules:
        try:
            action = rule.fires(resource, keys, known, instant(server.clock()))
        except FhirPathError:
            log.warning("The rule %s can't be judged.", rule.canonical)
            continue
        if action:
            fired.append(Fired(rule, action))
    return fired


def deadline(server: Server, priority: str) -> str:
    """By when an escalation that is made now must be accepted: an instant."""
    by = acknowledge_by(priority, moment(server.clock(), server.zone), server.escalating.holidays)
    return instant(stamp_of(by))


async def proposed(server: Server, reader: Reader, fired: Fired, resource: JsonObject, client: str) -> JsonObject:
    """The Task that a rule asks for, as it would be made now."""
    wrote = [one for path in AUTHORS[resource["resourceType"]] for one in references_at(resource, path)]
    acting = await owner(server, reader, [one for one in wrote if one.startswith("Practitioner/")], client)
    return {
        "resourceType": "Task",
        "instantiatesCanonical": fired.rule.canonical,
        "status": "requested",
        "intent": "order",
        "priority": fired.action.priority,
        "code": concept((*CODE, "Escalation")),
        "for": ref(f"Patient/{client}"),
        **({"encounter": resource["encounter"]} if "encounter" in resource else {}),
        "authoredOn": instant(server.clock()),
        "requester": RULES_ENGINE,
        **({"owner": ref(acting)} if acting else {}),
        **({"reasonReference": ref(f"{resource['resourceType']}/{resource['id']}")} if "id" in resource else {}),
        "restriction": {"period": {"end": deadline(server, fired.action.priority)}},
    }


async def _raise(server: Server, writer: Writer, fired: Fired, resource: JsonObject, client: str) -> None:
    """Make the Task, or make the open one more pressing; nothing where the same resource was escalated so before."""
    priority, reason = fired.action.priority, f"{resource['resourceType']}/{resource['id']}"
    standing = await _standing(server, writer, fired.rule, client)
    if task := next((one for one in standing if one["status"] in OPEN), None):
        if _is_more(priority, task["priority"]):
            await _press(server, writer, task["id"], priority)
            await _flag(server, writer, priority, resource, client)
    elif all(_is_more(priority, one["priority"]) for one in standing if reason in references_at(one, "reasonReference")):
        await make(server, writer, await proposed(server, writer, fired, resource, client))
        await _flag(server, writer, priority, resource, client)


def _is_more(priority: str, than: str) -> bool:
    return PRIORITIES.index(priority) > PRIORITIES.index(than)


async def _standing(server: Server, writer: Writer, rule: Rule, client: str) -> list[JsonObject]:
    """The escalations of a client that the rule has raised."""
    tasks = await found(server, writer, "Task", ("patient", client), ("code", "|".join(CODE)))
    return [task for task in tasks if task.get("instantiatesCanonical", "").partition("|")[0] == rule.url]


async def _press(server: Server, writer: Writer, id: str, priority: str) -> None:
    sooner = deadline(server, priority)

    def revise(task: JsonObject) -> JsonObject:
        task["priority"] = priority
        period = task.setdefault("restriction", {}).setdefault("period", {})
        if task["status"] == "requested" and interval({"end": sooner}, server.zone)[1] < interval(period, server.zone)[1]:
            period["end"] = sooner
        return task

    await change(server, writer, "Task", id, revise)


async def _flag(server: Server, writer: Writer, priority: str, resource: JsonObject, client: str) -> None:
    """At stat, an active Flag for whoever meets the client; one is enough. A case manager takes it back."""
    if priority != "stat":
        return
    flags = await found(server, writer, "Flag", ("patient", client))
    if any(flag["status"] == "active" and has_coding(flag, "code", *SAFETY_ALERT[:2]) for flag in flags):
        return
    await make(
        server,
        writer,
        {
            "resourceType": "Flag",
            "status": "active",
            "category": [concept((f"{THO}flag-category", "safety", "Safety"))],
            "code": concept(SAFETY_ALERT),
            "subject": ref(f"Patient/{client}"),
            "period": {"start": instant(server.clock())},
            **({"encounter": resource["encounter"]} if "encounter" in resource else {}),
            "author": RULES_ENGINE,
        },
    )


async def complete_task(written: Written) -> None:
    """Give an escalation that somebody makes by hand the deadline of its priority."""
    if written.before is None and is_escalation(written.after):
        priority = written.after.setdefault("priority", "routine")
        written.after.setdefault("restriction", {}).setdefault("period", {}).setdefault("end", deadline(written.server, priority))
