"""Patient/{id}/$outcome-series: the scores of each instrument over time, with a plot (domain.md 1.2, step 9)."""
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from recovery_api.domain.patterns import happened
from recovery_api.domain.plots import line
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import at, objects_at
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.collected import all_of, collection, dated
from recovery_api.operations.frame import Operating
from recovery_api.store.records import Record

SURVEY = ("category", "http://terminology.hl7.org/CodeSystem/observation-category|survey")
SHOWN = ("status", "final,amended,corrected")


async def outcome_series(operating: Operating) -> FhirResult:
    """A collection: survey Observations with a number, by instrument and time, and for each instrument an SVG.

    Raises NotFound where the Patient is not there for the caller.
    """
    server, request = operating.server, operating.request
    sight = server.grants.sight(request.actor, "r", server.clock())
    codes = [("code", str(code)) for code in operating.given().all("code")]
    async with server.store.reader(sight) as reader:
        if await reader.read("Patient", request.id or "") is None:
            raise NotFound
        records = await all_of(operating, reader, "Observation", SURVEY, SHOWN, *codes, *dated(operating, "date"))
        series = _series(records, server.zone)
        plots = [_plot(name, points) for name, points in series.items()]
        return await collection(operating, reader, [record for points in series.values() for _, _, record in points], plots)


def _series(records: Sequence[Record], zone: ZoneInfo) -> dict[str, list[tuple[datetime, float, Record]]]:
    """The points of each instrument, by its name, in the order of time."""
    found: dict[str, list[tuple[datetime, float, Record]]] = {}
    for record in records:
        said = load(record.body or b"")
        value = next(iter([*at(said, "valueInteger"), *at(said, "valueQuantity.value")]), None)
        when = happened(said, zone)
        if value is not None and when is not None:
            found.setdefault(_name(said), []).append((when, float(str(value)), record))
    return {name: sorted(points, key=lambda point: (point[0], point[2].id)) for name, points in sorted(found.items())}


def _name(observation: JsonObject) -> str:
    coding = next(iter(objects_at(observation, "code.coding")), JsonObject())
    return str(coding.get("display") or observation["code"].get("text") or coding.get("code") or "score")


def _plot(name: str, points: Sequence[tuple[datetime, float, Record]]) -> JsonObject:
    told = "; ".join(f"{moment.date().isoformat()}: {value:g}" for moment, value, _ in points)
    drawn = line(name, told, [(moment, value) for moment, value, _ in points])
    return {"resourceType": "Binary", "contentType": "image/svg+xml", "data": b64encode(drawn).decode()}
