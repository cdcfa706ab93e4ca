"""The standard, pure: FHIR's JSON, definitions, validation, patches, Bundles, search expressions."""
