"""What can go wrong with a FHIRPath expression."""


class FhirPathError(ValueError):
    """An expression that can't be parsed or compiled, or that meets data it can't be applied to."""
