"""fhir-pyrate: a data frame of what a case manager may see of her clients' observations."""
import json
import os

import requests
from fhir_pyrate import Pirate

session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['TOKEN_RUTH']}"
with Pirate(auth=session, base_url=os.environ["FHIR"], num_processes=1) as search:
    frame = search.steal_bundles_to_dataframe(
        resource_type="Observation",
        request_params={"_count": 2, "_sort": "_id", "patient": "ana"},
        fhir_paths=["id", ("code", "code.coding.code"), ("client", "subject.reference"), ("value", "valueInteger")],
    )
    sessions = search.trade_rows_for_dataframe(
        frame.head(1).assign(patient="ana"),
        resource_type="Encounter",
        df_constraints={"patient": "patient"},
        fhir_paths=["id", "status"],
        with_ref=False,
    )
    total = search.get_bundle_total("Observation", {"patient": "ana"})
print(json.dumps({"rows": len(frame), "total": total, "clients": sorted(set(frame["client"])), "sessions": sorted(sessions["id"])}))
