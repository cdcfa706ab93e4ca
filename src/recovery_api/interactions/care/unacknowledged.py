"""An escalation that nobody has accepted by its deadline goes up the chain (domain.md 1.5)."""
from recovery_api.domain.codes import THO, concept, ref
from recovery_api.domain.escalations import CODE, UNACKNOWLEDGED
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import references_at
from recovery_api.interactions.care.escalations import RULES_ENGINE, deadline
from recovery_api.interactions.care.staffing import next_above
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change, found, make
from recovery_api.policy.periods import interval
from recovery_api.store.writer import Writer


async def reassign_due(server: Server) -> int:
    """Pass on every escalation whose deadline is over; how many. Several workers may do so at once, each escalation goes up once.

    Each is looked at again under a lock, in a transaction of its own: what another worker, or its owner, has done meanwhile counts.
    """
    passed = 0
    async with server.store.reader(server.grants.system) as reader:
        due = ("due", f"eb{instant(server.clock() + 1)}")
        tasks = await found(server, reader, "Task", ("code", "|".join(CODE)), ("status", "requested"), due)
    for task in tasks:
        async with server.store.writer(server.grants.system) as writer:
            passed += await _reassign(server, writer, task["id"])
    return passed


async def _reassign(server: Server, writer: Writer, id: str) -> bool:
    record = await writer.lock("Task", id)
    task = load(record.body) if record and record.body else None
    if task is None or not _is_due(server, task):
        return False
    above = await next_above(server, writer, next(references_at(task, "owner"), ""))
    until = deadline(server, task["priority"])

    def revise(current: JsonObject) -> JsonObject:
        current["statusReason"] = UNACKNOWLEDGED
        current["restriction"]["period"]["end"] = until
        return current | ({"owner": ref(above)} if above else {})

    said = await change(server, writer, "Task", id, revise)
    await make(server, writer, _provenance(server, f"Task/{id}/_history/{said['meta']['versionId']}"))
    return True


def _is_due(server: Server, task: JsonObject) -> bool:
    _, ends = interval(task["restriction"]["period"], server.zone)
    return task["status"] == "requested" and ends <= server.clock()


def _provenance(server: Server, target: str) -> JsonObject:
    return {
        "resourceType": "Provenance",
        "target": [ref(target)],
        "recorded": instant(server.clock()),
        "reason": [UNACKNOWLEDGED],
        "activity": concept((f"{THO}v3-DataOperation", "UPDATE", "revise")),
        "agent": [{"type": concept((f"{THO}provenance-participant-type", "assembler", "Assembler")), "who": RULES_ENGINE}],
    }
