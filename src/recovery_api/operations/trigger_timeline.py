"""Patient/{id}/$trigger-timeline: triggers, responses and what helped over time, with a plot (domain.md 7)."""
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping

from recovery_api.domain.codes import CANON, ref
from recovery_api.domain.patterns import DAYS, GROUNDING, OBSERVATION, RESPONSE, TRIGGER, Bucket, Pattern, Timeline, timeline
from recovery_api.domain.plots import bars
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, load
from recovery_api.interactions.context import FhirResult
from recovery_api.operations.collected import all_of, collection, dated
from recovery_api.operations.frame import Operating

COUNTED = ",".join(f"{OBSERVATION}|{code}" for code in (TRIGGER, RESPONSE, GROUNDING))
MINUTES = {"unit": "min", "system": "http://unitsofmeasure.org", "code": "min"}
MEASURE = f"{CANON}/Measure/trigger-timeline"


async def trigger_timeline(operating: Operating) -> FhirResult:
    """A collection: the Observations that are counted, a MeasureReport with the counts, an SVG of them.

    Raises NotFound where the Patient is not there for the caller.
    """
    server, request = operating.server, operating.request
    sight = server.grants.sight(request.actor, "r", server.clock())
    bucket = str(operating.given().one("bucket") or "week")
    async with server.store.reader(sight) as reader:
        if await reader.read("Patient", request.id or "") is None:
            raise NotFound
        records = await all_of(operating, reader, "Observation", ("code", COUNTED), *dated(operating, "date"))
        found = timeline((load(record.body) for record in records if record.body), DAYS[bucket], server.zone)
        made = [_report(operating, found), _plot(found)] if found.buckets else [_report(operating, found)]
        return await collection(operating, reader, records, made)


def _report(operating: Operating, found: Timeline) -> JsonObject:
    period = {"start": found.buckets[0].first.isoformat(), "end": found.buckets[-1].last.isoformat()} if found.buckets else {}
    asked = {name: day for name in ("start", "end") for day in operating.given().all(name)}
    groups = [_pattern_group(found.patterns), *map(_bucket_group, found.buckets)] if found.buckets else []
    return {
        "resourceType": "MeasureReport",
        "status": "complete",
        "type": "individual",
        "measure": MEASURE,
        "subject": ref(f"Patient/{operating.request.id}"),
        "date": instant(operating.server.clock()),
        "period": period | asked,
    } | ({"group": groups} if groups else {})


def _pattern_group(patterns: Iterable[Pattern]) -> JsonObject:
    """How often each trigger was followed by each response, as strata; their score is the median of minutes until it was over."""
    return {
        "code": {"text": "trigger by response"},
        "stratifier": [
            {
                "code": [{"text": "trigger"}, {"text": "response"}],
                "stratum": [
                    {
                        "component": [
                            {"code": {"text": "trigger"}, "value": {"text": one.trigger}},
                            {"code": {"text": "response"}, "value": {"text": one.response}},
                        ],
                        "population": [_count("responses", one.times), *_counts("helped", one.helped)],
                    }
                    | ({"measureScore": {"value": one.minutes, **MINUTES}} if one.minutes is not None else {})
                    for one in patterns
                ],
            }
        ],
    }


def _bucket_group(bucket: Bucket) -> JsonObject:
    counted = [*_counts("trigger", bucket.triggers), *_counts("response", bucket.responses), *_counts("helped", bucket.helped)]
    return {"code": {"text": f"{bucket.first}/{bucket.last}"}} | ({"population": counted} if counted else {})


def _counts(what: str, counted: Counter[str]) -> list[JsonObject]:
    return [_count(f"{what}: {kind}", count) for kind, count in sorted(counted.items())]


def _count(text: str, count: int) -> JsonObject:
    return {"code": {"text": text}, "count": count}


def _plot(found: Timeline) -> JsonObject:
    columns: list[tuple[str, Mapping[str, int]]] = [(bucket.first.isoformat(), bucket.triggers) for bucket in found.buckets]
    said = "; ".join(f"{one.trigger} followed by {one.response}: {one.times}" for one in found.patterns)
    return {"resourceType": "Binary", "contentType": "image/svg+xml", "data": b64encode(bars("Triggers over time", said, columns)).decode()}
