"""Patient/$match: who a person is, among those whom the caller may read (https://hl7.org/fhir/R4/patient-operation-match.html)."""
from recovery_api.fhir.bundle import bundle, match_entry
from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.instants import instant
from recovery_api.fhir.search.query import MOST_COUNT
from recovery_api.interactions.care.identity import candidates
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.present import present
from recovery_api.operations.frame import Operating


async def match(operating: Operating) -> FhirResult:
    """A searchset of Patients with score and grade, the likeliest first. Raises BadRequest for a count below 1."""
    server, actor, given = operating.server, operating.request.actor, operating.given()
    count: int = MOST_COUNT if given.one("count") is None else given.one("count")
    if count < 1:
        raise BadRequest(Issue("value", "The parameter 'count' must be 1 or more.", "Parameters.parameter"))
    async with server.store.reader(server.grants.sight(actor, "s", server.clock())) as reader:
        found = await candidates(server, reader, given.one("resource"))
        kept = [one for one in found if one.match.grade == "certain" or given.one("onlyCertainMatches") is not True][:count]
        entries = [
            match_entry(f"{server.base}/{record.reference}", await present(server, actor, reader, record), match.score, match.grade)
            for record, _, match in kept
        ]
    body = bundle("searchset", entries, total=len(entries), id=server.new_id(), updated=instant(server.clock()))
    return FhirResult(200, body, shown=[one.record for one in kept])
