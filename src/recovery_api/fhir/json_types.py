"""Which of JSON's types a value has, said to the type checker and to people."""
from typing import TypeGuard

from recovery_api.fhir.json import Json, JsonObject


def is_object(value: Json) -> TypeGuard[JsonObject]:
    """Whether a value is an object."""
    return type(value) is dict


def is_array(value: Json) -> TypeGuard[list[Json]]:
    """Whether a value is an array."""
    return type(value) is list


def json_type(value: Json) -> str:
    """What a value is, in JSON's words and with an article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "an array"
    return "an object" if isinstance(value, dict) else "a number"
