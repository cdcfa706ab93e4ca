"""Consents, where they need the store: who signs for a minor."""
from datetime import date

from recovery_api.domain import minors
from recovery_api.fhir.errors import Unprocessable
from recovery_api.fhir.instants import moment
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.interactions.care.written import Written


async def prepare(written: Written) -> None:
    """A Consent of a minor is activated when all have signed who must. Raises Unprocessable with whoever is missing."""
    consent = written.after
    if not written.became("status", "active"):
        return
    for client in references_at(consent, "patient"):
        person = await written.there(client)
        if person is not None:
            signers = await _signers(written)
            issues = tuple(minors.missing(consent, person, signers, written.server.ages, _signed_on(written)))
            if issues:
                raise Unprocessable(*issues)


async def _signers(written: Written) -> dict[str, JsonObject]:
    named = [one for one in references_at(written.after, "performer") if one.startswith("RelatedPerson/")]
    return {one: there for one in named if (there := await written.there(one)) is not None}


def _signed_on(written: Written) -> date:
    """The day of the Consent, else today, in the agency's zone."""
    said, zone = written.after.get("dateTime"), written.server.zone
    stamp = implicit_range(said, zone).low if said else written.server.clock()
    return moment(stamp, zone).date()
