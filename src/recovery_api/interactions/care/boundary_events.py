"""A boundary event comes to the supervisor of whom it is about, and nobody else (domain.md 1.5; world.md, decision 10)."""
from recovery_api.domain.codes import local
from recovery_api.domain.supervision import BOUNDARY_EVENT, boundary_task
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.interactions.care.staffing import supervisor
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.make import make


async def follow(written: Written) -> None:
    """Make the supervisor's Task for a new boundary event, one for each whom it is about."""
    event, server, writer = written.after, written.server, written.writer
    if written.before is not None or not has_coding(event, "code", *local("companion-observation", BOUNDARY_EVENT)[:2]):
        return
    for about in dict.fromkeys(each for each in references_at(event, "focus") if each.startswith("Practitioner")):
        owner = await supervisor(server, writer, about)
        await make(server, writer, boundary_task(event, about, owner, writer.stamp))
