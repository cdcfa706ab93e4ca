"""fhirpy: a companion's app records a mood, finds it, corrects it and goes through pages."""
import asyncio
import json
import os

from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import ResourceNotFound


async def main() -> dict[str, object]:
    client = AsyncFHIRClient(os.environ["FHIR"], authorization=f"Bearer {os.environ['TOKEN_MAYA']}")
    mood = client.resource(
        "Observation",
        status="final",
        category=[{"coding": [{"system": f"{os.environ['CANON']}/CodeSystem/observation-category", "code": "companion-session"}]}],
        code={"coding": [{"system": f"{os.environ['CANON']}/CodeSystem/companion-observation", "code": "mood"}]},
        subject=client.reference("Patient", "ana"),
        performer=[client.reference("Practitioner", "maya")],
        effectiveDateTime=os.environ["NOW"],
        valueInteger=4,
    )
    await mood.save()
    mood["valueInteger"] = 6
    await mood.save()
    found = await client.resources("Observation").search(_id=mood.id).include("Observation", "subject").fetch_raw()
    pages = [one async for one in client.resources("Observation").search(patient="ana", code="mood").limit(1)]
    patient = await client.reference("Patient", "ana").to_resource()
    try:
        await client.reference("Patient", "nobody").to_resource()
    except ResourceNotFound:
        absent = True
    else:
        absent = False
    await mood.delete()
    return {
        "value": next(entry.resource["valueInteger"] for entry in found.entry if entry.search.mode == "match"),
        "included": [entry.resource.id for entry in found.entry if entry.search.mode == "include"],
        "paged": mood.id in {one.id for one in pages} and len(pages) > 1,
        "name": patient.get_by_path(["name", 0, "family"]),
        "absent": absent,
    }


print(json.dumps(asyncio.run(main())))
