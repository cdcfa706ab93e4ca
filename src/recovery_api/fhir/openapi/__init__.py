"""The OpenAPI 3.1 document, made of the definitions alone (https://spec.openapis.org/oas/v3.1.1.html)."""
