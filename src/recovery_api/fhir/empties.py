"""FHIR's JSON holds no empty objects or arrays: what a removal leaves empty goes too."""
from typing import cast

from recovery_api.fhir.json import Json


def without_empties(value: Json) -> Json:
    """The value without members that are `{}` or `[]`, from the innermost out, and without arrays of nothing but null."""
    if isinstance(value, dict):
        kept = {name: without_empties(each) for name, each in cast(dict[str, Json], value).items()}
        return {name: each for name, each in kept.items() if each not in ({}, [])}
    if isinstance(value, list):
        items = [without_empties(each) for each in cast(list[Json], value)]
        left = [each for each in items if each not in ({}, [])]
        return left if any(each is not None for each in left) else []
    return value
