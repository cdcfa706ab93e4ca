"""What people, organizations and places are called in words."""
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array
from recovery_api.fhir.paths import objects_at


def called(resource: JsonObject) -> str:
    """The name of a resource's first name that is not an old one, as its text or given and family name; '' where it has none."""
    name: Json = resource.get("name")
    if not is_array(name):
        return name if isinstance(name, str) else ""
    said = (human(each) for each in objects_at(resource, "name") if each.get("use") != "old")
    return next(filter(None, said), "")


def human(name: JsonObject) -> str:
    """A HumanName as it is spoken."""
    parts = [*name.get("given", ()), *([name["family"]] if "family" in name else ())]
    return str(name.get("text") or " ".join(parts))
