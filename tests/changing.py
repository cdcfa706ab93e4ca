"""Things of one client that have changed: what they are now, and what they were before."""

from copy import deepcopy

from recovery_api.domain.codes import ACT, coding, concept, local
from recovery_api.fhir.json import JsonObject
from tests.world import Story


def changing(story: Story) -> dict[str, list[JsonObject]]:
    """Of the wide world's client `raised`, by `Type/id`: the versions, of which the world holds the first."""
    changed: dict[str, list[JsonObject]] = {}

    def changes(target: str, *changes: JsonObject) -> None:
        first = deepcopy(story.find(target))
        changed[target] = [first, *(first | each for each in changes)]

    mood, craving = ({"code": concept(local("companion-observation", each))} for each in ("mood", "craving"))
    changes("Observation/o-raised-old", craving, mood)  # was a craving for a while
    changes("Observation/o-raised-mood", craving)  # turned out to be one
    changes("Observation/o-raised-craving", {"status": "preliminary"}, mood | {"status": "amended"})
    changes("Observation/o-raised-vio", {"meta": {"security": [coding(ACT, "HIV")]}})
    changes("Observation/o-raised-sex", {"meta": {"tag": [coding(ACT, "TREAT")]}})  # once raised, it stays so
    changes("Encounter/e-raised-dep", {"status": "onleave"}, {"status": "finished"})
    changes("DocumentReference/d-raised-dep", {"docStatus": "amended"}, {"docStatus": "preliminary"}, {"docStatus": "final"})
    changes("DocumentReference/d-raised-oud", {"securityLabel": [concept((ACT, "PSY"))]})
    return changed
