"""Data in bulk: exports and imports, done by jobs (https://hl7.org/fhir/uv/bulkdata/STU2/)."""
