"""recovery_client: a backend signs in, reads, and goes through pages; what it gets has types."""
import json
import os
from pathlib import Path

import httpx
from recovery_client.backend import Backend
from recovery_client.generated.api.document_reference import search_document_reference
from recovery_client.generated.api.encounter import search_encounter
from recovery_client.generated.api.patient import read_patient
from recovery_client.generated.client import Client
from recovery_client.generated.models.bundle import Bundle
from recovery_client.generated.models.operation_outcome import OperationOutcome
from recovery_client.generated.models.patient import Patient
from recovery_client.generated.types import Unset
from recovery_client.paging import pages
from recovery_client.sign_in import SignInFailed, begin

fhir, origin = os.environ["FHIR"], os.environ["ORIGIN"]
auth = Backend(f"{origin}/oauth/token", "ours", Path("ours.pem").read_text(), "ours", "system/*.rs")
with Client(base_url=fhir, httpx_args={"auth": auth}) as client:
    patient = read_patient.sync("ana", client=client)
    assert isinstance(patient, Patient)
    assert not isinstance(patient.name, Unset)
    first = search_encounter.sync(client=client, patient="ana", field_count=1)
    assert isinstance(first, Bundle)
    sessions = [0 if isinstance(page.entry, Unset) else len(page.entry) for page in pages(client, first)]
    notes = search_document_reference.sync(client=client, patient="ana")
    assert isinstance(notes, Bundle)
    absent = read_patient.sync("nobody", client=client)
    assert isinstance(absent, OperationOutcome)
with httpx.Client() as http:
    begun = begin(fhir, "app", "http://127.0.0.1:9/back", "openid user/*.rs", http)
    said = ""
    try:
        begun.finish(f"{begun.redirect_uri}?code=x&state=another", http)
    except SignInFailed as refused:
        said = str(refused)
family = patient.name[0].family if patient.name[0] else None
print(json.dumps({"family": family, "pages": len(sessions) > 1, "notes": notes.total, "absent": absent.issue[0].code, "refused": said}))
