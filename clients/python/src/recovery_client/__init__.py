"""The Recovery API for Python: `generated` is made from its OpenAPI document by `make clients`; sign-in and paging are here."""
