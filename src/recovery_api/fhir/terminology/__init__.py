"""Code systems and value sets: what a code means, and which codes belong to a set (https://hl7.org/fhir/R4/terminology-module.html)."""
from functools import cache

from recovery_api.fhir.shipped import shipped
from recovery_api.fhir.terminology.code_systems import CodeSystem, Concept
from recovery_api.fhir.terminology.terminology import Coding, NotExpandable, Terminology

__all__ = ["CodeSystem", "Coding", "Concept", "NotExpandable", "Terminology", "carried"]


@cache
def carried() -> Terminology:
    """The terminology that the package carries: its own, and what R4 and US Core require."""
    return Terminology([*shipped("CodeSystem"), *shipped("ValueSet")])
