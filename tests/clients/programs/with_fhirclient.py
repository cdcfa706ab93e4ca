"""fhirclient (SMART Health IT, Python): a case manager reads, searches through pages and writes a goal, by its models."""
import json
import os

from fhirclient.client import FHIRClient
from fhirclient.models.codeableconcept import CodeableConcept
from fhirclient.models.encounter import Encounter
from fhirclient.models.fhirreference import FHIRReference
from fhirclient.models.goal import Goal
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient

smart = FHIRClient(settings={"app_id": "a-case-managers-app", "api_base": os.environ["FHIR"], "redirect_uri": "http://127.0.0.1:9/back"})
smart.prepare()
endpoints = smart.server.auth._authorize_uri, smart.server.auth._token_uri
smart.server.auth.access_token = os.environ["TOKEN_RUTH"]
patient = Patient.read("ana", smart.server)
moods = Observation.where({"patient": "ana", "_count": "2"}).perform_resources(smart.server)
sessions = [one for one in Encounter.where({"patient": "ana", "_count": "1"}).perform_resources_iter(smart.server)]
goal = Goal({"lifecycleStatus": "proposed", "description": {"text": "A walk"}, "subject": {"reference": "Patient/ana"}})
made = Goal.read_from(f"Goal/{goal.create(smart.server)['id']}", smart.server)
made.description = CodeableConcept({"text": "A short walk"})
made.update(smart.server)
again = Goal.read(made.id, smart.server)
about = FHIRReference.resolved(again.subject, Patient)
print(
    json.dumps(
        {
            "endpoints": endpoints,
            "name": smart.human_name(patient.name[0]),
            "observations": len(moods),
            "sessions": len(sessions),
            "goal": again.description.text,
            "about": about.id,
        }
    )
)
