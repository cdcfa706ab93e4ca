"""What the server serves, as FHIR data."""
