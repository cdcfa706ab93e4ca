"""The FHIR interactions, and the one path that every request takes."""
