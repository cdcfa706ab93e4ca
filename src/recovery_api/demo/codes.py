"""The diagnoses of the demo world."""

from recovery_api.domain.codes import ICD, concept
from recovery_api.fhir.json import JsonObject

DIAGNOSES = {
    "F10.20": "Alcohol dependence, uncomplicated",
    "F10.21": "Alcohol dependence, in remission",
    "F11.20": "Opioid dependence, uncomplicated",
    "F14.20": "Cocaine dependence, uncomplicated",
    "F33.1": "Major depressive disorder, recurrent, moderate",
    "F43.10": "Post-traumatic stress disorder, unspecified",
    "F43.12": "Post-traumatic stress disorder, chronic",
    "F50.00": "Anorexia nervosa, unspecified",
    "F63.0": "Pathological gambling",
}


def diagnosis(code: str) -> JsonObject:
    return concept((ICD, code, DIAGNOSES[code]), text=DIAGNOSES[code])
