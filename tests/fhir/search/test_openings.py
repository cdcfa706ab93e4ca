"""Whose record a rule opens, as far as its relations say it."""
import pytest

from recovery_api.fhir.search.expression import EVERYTHING, NOTHING, ClientOf, Expression, Not, Own, Party, both, either, openings

ONE, TWO, THREE = (ClientOf((name,), "Practitioner/maya") for name in ("one", "two", "three"))
RELEASED, MINE = Own("released", "=", True), Party(("author",), "Practitioner/maya")


@pytest.mark.parametrize(
    ("rule", "relations"),
    [
        (ONE, (ONE,)),
        (both(RELEASED, TWO), (TWO,)),
        (both(either(ONE, TWO), THREE), (THREE,)),
        (either(ONE, TWO), (ONE, TWO)),
        (both(RELEASED, either(both(ONE, MINE), both(either(TWO, THREE), RELEASED))), (ONE, TWO, THREE)),
        (both(either(MINE, ONE), either(TWO, both(THREE, MINE))), (TWO, THREE)),
        (either(ONE, MINE), ()),
        (Not(ONE), ()),
        (both(RELEASED, MINE), ()),
        (EVERYTHING, ()),
        (NOTHING, ()),
    ],
)
def test_each_alternative_must_name_one(rule: Expression, relations: tuple[ClientOf, ...]) -> None:
    assert openings(rule) == relations
