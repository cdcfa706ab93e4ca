"""Whatever is served carries the labels that the second implementation computes, by families: a more specific code may stand beside."""

import pytest

from tests.callers import APP_ANA, CHEN, LEO, MAYA, OMAR, RUTH, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.contract.content import Resource
from tests.contract.differences import scene
from tests.contract.direct import Direct
from tests.contract.labels import LAW, families
from tests.contract.matrix import MATRIX
from tests.contract.served import SERVED
from tests.wider import wide
from tests.world import by_id

WIDE = by_id(wide().resources)
KINDS = sorted({kind for kind, _ in WIDE})
TOLD_BESIDE = {LAW, "R", "V"}


def matched(labels: frozenset[str]) -> frozenset[str]:
    """What consents are matched by: families, law and confidentiality. Of this a resource tells one level, the highest (HL7's
    Healthcare Privacy and Security Classification System), so that R goes where V stands."""
    told = families(labels) | (labels & TOLD_BESIDE)
    return told - {"R"} if "V" in told else told


def served(copy: Resource) -> frozenset[str]:
    return frozenset(each["code"] for each in copy.get("meta", {}).get("security", ()))


@pytest.mark.parametrize("caller", [MAYA, LEO, RUTH, OMAR, CHEN, SYS_RIVERBEND, SYS_LAKESIDE, APP_ANA], ids=lambda caller: caller.name)
async def test_what_is_served_carries_its_labels(caller: Caller, wide_api: Direct):
    before, told = scene(wide_api, caller, WIDE), list[str]()
    for kind in (each for each in KINDS if each in MATRIX[caller.role]):
        for copy in await SERVED["read"](before, kind):
            expected = matched(before.oracle.labels.of(WIDE[kind, copy["id"]]))
            if matched(served(copy)) != expected:
                told.append(f"{kind}/{copy['id']}: {sorted(matched(served(copy)))} instead of {sorted(expected)}")
    assert not told, "\n".join(told[:40])
