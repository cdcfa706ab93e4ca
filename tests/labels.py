"""Labels as tests read them: the codes of `meta.security`, and the table of world.md."""

from recovery_api.domain.codes import ACT, coding
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.labels import PART2, SENSITIVITIES, mask_of
from recovery_api.store.visibility import SYSTEM
from tests.api import Api, Response

SUD, PSY, BH = frozenset({"SUD", "ETH"}), frozenset({"PSY"}), frozenset({"BH"})
LAW = frozenset({"42CFRPart2", "RedisclosureProhibitionMark", "R"})

SENSITIVE = {
    **dict.fromkeys(("cond-ana-aud", "cond-cora-oud", "cond-dan-coc", "cond-eve-alc", "eoc-dan", "eoc-eve", "e-ana-2", "e-dan-1"), SUD),
    **dict.fromkeys(("o-ana-craving", "o-dan-craving", "d-ana-1", "d-cora-2", "d-dan-1", "sr-ls-401", "task-esc-ana-1"), SUD),
    **dict.fromkeys(("b-ana-1", "b-cora-2", "b-dan-1"), SUD),
    **dict.fromkeys(("eoc-ana", "eoc-cora", "d-ana-2", "b-ana-2"), SUD | PSY),
    **dict.fromkeys(("cond-ana-ptsd", "cond-ben-dep", "cond-cora-an", "e-ana-1", "e-cora-1", "d-cora-1", "b-cora-1"), PSY),
    **dict.fromkeys(("d-ben-1", "b-ben-1", "eoc-ben"), PSY | BH),
    **dict.fromkeys(("cond-ben-gam", "e-ben-1", "o-ben-urge"), BH),
    "task-checkin-maya": frozenset({"EMP"}),
}
"""Sensitivities in the fixture world (world.md, "Labels that the server adds"); what is not here has none."""
WITHOUT_LAW = frozenset({"Patient", "Consent", "Group", "Organization", "Practitioner", "PractitionerRole"})


def codes(resource: JsonObject) -> frozenset[str]:
    """The codes of its labels."""
    return frozenset(coding["code"] for coding in resource["meta"].get("security", ()))


def sensitivities(resource: JsonObject) -> frozenset[str]:
    return codes(resource) & frozenset(SENSITIVITIES)


async def stored(api: Api) -> dict[str, JsonObject]:
    """All current versions by "Type/id"; the column of each says what its body says."""
    async with api.running.server.store.reader(SYSTEM) as reader:
        rows = await reader.connection.fetch("SELECT type, id, labels, body FROM resource")
    found: dict[str, JsonObject] = {}
    for type_, id_, labels, body in rows:
        said = found[f"{type_}/{id_}"] = load(body)  # type: ignore[arg-type]
        assert mask_of(said["meta"].get("security")) & ~int(labels) == 0  # type: ignore[call-overload]
        assert ("42CFRPart2" in codes(said)) == bool(int(labels) & PART2)  # type: ignore[call-overload]
    return found


async def labelled(api: Api) -> dict[str, frozenset[str]]:
    """The labels of all current versions that have any, by "Type/id"."""
    return {reference: codes(said) for reference, said in (await stored(api)).items() if codes(said)}


async def versions(api: Api) -> dict[str, tuple[str, str]]:
    """versionId and lastUpdated of all current versions."""
    return {reference: (said["meta"]["versionId"], said["meta"]["lastUpdated"]) for reference, said in (await stored(api)).items()}


def act(code: str) -> JsonObject:
    return coding(ACT, code)


def made(answer: Response) -> JsonObject:
    """What a write answers that was done."""
    assert answer.status in {200, 201}, answer.body
    return answer.json
