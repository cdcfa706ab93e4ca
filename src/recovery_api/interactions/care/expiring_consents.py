"""Before a Consent ends, the client's case manager is told by a Task, once for each end that it has (domain.md 7)."""
from recovery_api.domain.supervision import expiring_task
from recovery_api.fhir.instants import DAY, instant
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import references_at
from recovery_api.interactions.care.once import each_once
from recovery_api.interactions.care.staffing import case_manager
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import found, make
from recovery_api.store.writer import Writer


async def tell_all(server: Server) -> None:
    """Make the Tasks for the Consents that end within the days of the setting. Several may do so at once."""
    now = server.clock()
    soon = instant(now + server.consent_expiry_days * DAY)
    async with server.store.reader(server.grants.system) as reader:
        ending = await found(server, reader, "Consent", ("status", "active"), ("period", f"eb{soon}"), ("period", f"gt{instant(now)}"))
    await each_once(server, {_told(consent): consent for consent in ending}, _tell)


async def _tell(server: Server, writer: Writer, consent: JsonObject) -> None:
    """Tell whoever holds the client now; where nobody does, whoever will."""
    client = next(references_at(consent, "patient"), "").removeprefix("Patient/")
    owner = await case_manager(server, writer, client)
    if owner:
        await make(server, writer, expiring_task(consent, owner, instant(writer.stamp)))
    else:
        await writer.release(_told(consent))


def _told(consent: JsonObject) -> str:
    """The claim that this end of a Consent was told."""
    return f"consent-expiring {consent['id']} {consent['provision']['period']['end']}"
