"""Check-ins: always one open for each companion who is supervised, by their cadence; a Communication about supervision completes one."""
from recovery_api.domain import supervision
from recovery_api.domain.codes import local
from recovery_api.domain.supervision import CASE_DISCUSSION, CHECK_IN, OPEN
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.interactions.care.staffing import supervisor
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change, found, make
from recovery_api.store.supervision import without_check_in
from recovery_api.store.writer import Writer

CODE = f"{local('task-code', CHECK_IN)[0]}|{CHECK_IN}"
ANSWERED = {"supervision": CHECK_IN, "case-discussion": CASE_DISCUSSION}
"""By the category of a Communication: the code of the Task that it completes."""


async def plan_all(server: Server, supervisor: str | None = None) -> None:
    """Make the next check-in wherever none is open; `supervisor`: only for the companions of this PractitionerRole (a reference).

    Several may do so at once: each companion's is made once.
    """
    async with server.store.reader(server.grants.system) as reader:
        waiting = await without_check_in(reader, server.clock(), OPEN, supervisor)
    for role in waiting:
        async with server.store.writer(server.grants.system) as writer:
            await plan(server, writer, role)


async def plan(server: Server, writer: Writer, role: str) -> None:
    """Make a companion's next check-in, unless one is open or nobody supervises them now. `role`: "PractitionerRole/id"."""
    record = await writer.seeing(server.grants.system).lock("PractitionerRole", role.partition("/")[2])
    if record is None or record.body is None:
        return
    owner = await supervisor(server, writer, role)
    if owner is None or await _check_ins(server, writer, role, ",".join(OPEN)):
        return
    held = [implicit_range(supervision.ended(one), server.zone).low for one in await _check_ins(server, writer, role, "completed")]
    days = supervision.cadence(load(record.body), server.supervision_cadence_days)
    await make(server, writer, supervision.next_check_in(role, owner, max(held, default=writer.stamp), days, writer.stamp))


async def _check_ins(server: Server, writer: Writer, role: str, states: str) -> list[JsonObject]:
    return await found(server, writer, "Task", ("focus", role), ("code", CODE), ("status", states))


async def prepare_task(written: Written) -> None:
    """A talk that was held says when, if its writer does not."""
    task = written.after
    if written.became("status", "completed") and any(supervision.is_task(task, code) for code in supervision.LIFE_CYCLES):
        task["executionPeriod"] = {"end": instant(written.writer.stamp)} | task.get("executionPeriod", {})


async def follow_task(written: Written) -> None:
    """After a check-in comes the next one."""
    task = written.after
    if supervision.is_task(task, CHECK_IN) and task["status"] not in OPEN and written.became("status", task["status"]):
        for role in references_at(task, "focus"):
            await plan(written.server, written.writer, role)


async def follow_communication(written: Written) -> None:
    """What a case manager says of a check-in or a case discussion completes the Task that it is based on."""
    said, server, writer = written.after, written.server, written.writer
    if written.actor.role != "case-manager" or not written.became("status", "completed"):
        return
    for category, code in ANSWERED.items():
        if not has_coding(said, "category", *local("communication-category", category)[:2]):
            continue
        for id in [each.removeprefix("Task/") for each in references_at(said, "basedOn") if each.startswith("Task/")]:
            await _complete(server, writer, id, code, said)


async def _complete(server: Server, writer: Writer, id: str, code: str, said: JsonObject) -> None:
    def revise(task: JsonObject) -> JsonObject:
        if not supervision.is_task(task, code):
            return task
        return supervision.held(task, code, f"Communication/{said['id']}", said.get("sent", instant(writer.stamp)))

    task = await change(server, writer, "Task", id, revise)
    if supervision.is_task(task, CHECK_IN):
        for role in references_at(task, "focus"):
            await plan(server, writer, role)
