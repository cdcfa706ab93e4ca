"""The ViewDefinitions that come with the package, one file each in `views/`."""
from functools import cache
from importlib.resources import files

from recovery_api.fhir.json import load
from recovery_api.fhir.view_definition import View


@cache
def shipped() -> dict[str, View]:
    """The views by their name."""
    found = (files("recovery_api") / "analytics" / "views").iterdir()
    views = [View(load(file.read_bytes())) for file in sorted(found, key=lambda file: file.name)]
    return {view.name: view for view in views}
