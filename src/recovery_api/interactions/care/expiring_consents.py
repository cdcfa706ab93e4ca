"""Before a Consent ends, the client's case manager is told by a Task, once for each end that it has (domain.md 7)."""
from recovery_api.domain.supervision import DAY, expiring_task
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import references_at
from recovery_api.interactions.care.staffing import case_manager
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import found, make


async def tell_all(server: Server) -> None:
    """Make the Tasks for the Consents that end within the days of the setting. Several may do so at once."""
    now = server.clock()
    soon = instant(now + server.consent_expiry_days * DAY)
    async with server.store.reader(server.grants.system) as reader:
        ending = await found(server, reader, "Consent", ("status", "active"), ("period", f"eb{soon}"), ("period", f"gt{instant(now)}"))
    for consent in ending:
        await _tell(server, consent)


async def _tell(server: Server, consent: JsonObject) -> None:
    client = next(references_at(consent, "patient"), "").removeprefix("Patient/")
    async with server.store.writer(server.grants.system) as writer:
        owner = await case_manager(server, writer, client)
        if owner and await writer.claim(f"consent-expiring {consent['id']} {consent['provision']['period']['end']}"):
            await make(server, writer, expiring_task(consent, owner, instant(writer.stamp)))
