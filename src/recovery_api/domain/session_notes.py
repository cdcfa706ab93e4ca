"""What a session's record must hold, and the note that is drafted from it (domain.md 1.3, 7)."""
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import objects_at

OBSERVATIONS: Final = f"{CANON}/CodeSystem/companion-observation"
WITHDRAWN: Final = frozenset({"entered-in-error", "cancelled"})


def unobserved(observations: Iterable[JsonObject]) -> list[str]:
    """The required codes of which a session's Observations say neither a value nor that nobody observed it."""
    told = {code for each in observations if each.get("status") not in WITHDRAWN for code in codes_of(each)}
    return [code for code in _templates()["required"] if code not in told]


def codes_of(observation: JsonObject) -> list[str]:
    """The companion-observation codes of an Observation."""
    return [each["code"] for each in objects_at(observation, "code.coding") if each.get("system") == OBSERVATIONS and "code" in each]


@cache
def _templates() -> Mapping[str, Any]:
    return tomllib.loads((files("recovery_api") / "definitions" / "session-summary.toml").read_text("utf-8"))
