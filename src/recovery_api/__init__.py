"""A FHIR R4 care-coordination API for trauma-informed recovery companions."""
