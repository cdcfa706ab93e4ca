"""What R4 and US Core say in short of types, elements and search parameters, from the compiled definitions."""
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    text = (files("recovery_api.definitions") / "compiled" / "descriptions.json").read_bytes()
    groups = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return {name: msgspec.json.decode(groups[name], type=dict[str, str]) for name in ("elements", "parameters")}


def element_words(path: str) -> str:
    """Of a type or element ("Patient", "Observation.value[x]"); '' where nothing is known."""
    return _words()["elements"].get(path, "")


def parameter_words(name: str) -> str:
    """Of a search parameter ("Type.code"); '' where nothing is known."""
    return _words()["parameters"].get(name, "")
