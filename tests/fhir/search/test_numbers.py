"""Numbers and quantities, by R4's search page: https://hl7.org/fhir/R4/search.html#number, #quantity."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.json import Json
from recovery_api.fhir.search.decimals import as_float, read_number
from recovery_api.fhir.search.units import canonical
from tests.fhir.search.searching import amount, concept, observation, search


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("100", "99.5", "100.5"),
        ("100.00", "99.995", "100.005"),
        ("1e2", "95", "105"),
        ("1.0e2", "95", "105"),
        ("1.00e2", "99.5", "100.5"),
        ("5.4", "5.35", "5.45"),
        ("5.40e-3", "0.005395", "0.005405"),
        ("0", "-0.5", "0.5"),
        ("-2.0", "-2.05", "-1.95"),
    ],
)
def test_the_digits_of_a_number_say_how_precise_it_is(text: str, low: str, high: str) -> None:
    value, half = read_number(text)
    assert (value - half, value + half) == (Decimal(low), Decimal(high))


@pytest.mark.parametrize("text", ["", "a", "1,5", "0x10", "NaN", "Infinity", "1e9999", "--1", "1.", ".5", "\u0661"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        read_number(text)


def test_a_number_beyond_floats_becomes_the_largest() -> None:
    assert as_float(10**400) == -as_float(-(10**400)) == as_float(Decimal("1e9999"))


def risk(probability: Json) -> dict[str, Json]:
    return {"resourceType": "RiskAssessment", "id": "1", "prediction": [probability]}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("0.8", True),
        ("0.80", True),
        ("0.800", True),
        ("0.81", False),
        ("ne0.8", False),
        ("ne0.9", True),
        ("gt0.8", False),
        ("gt0.79", True),
        ("lt0.8", False),
        ("lt0.81", True),
        ("ge0.8", True),
        ("le0.8", True),
        ("ge0.81", False),
        ("sa0.7", True),
        ("sa0.8", False),
        ("eb0.9", True),
        ("eb0.8", False),
        ("ap0.75", True),
        ("ap0.5", False),
    ],
)
def test_prefixes_compare_numbers_exactly(asked: str, found: bool) -> None:
    assert search(f"RiskAssessment?probability={asked}", risk({"probabilityDecimal": Decimal("0.8")})) == ({"1"} if found else set())


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("5", False),
        ("gt9", True),
        ("gt10", False),
        ("lt3", True),
        ("lt2", False),
        ("sa1", True),
        ("sa2", False),
        ("eb11", True),
        ("6e0", False),
    ],
)
def test_a_range_is_compared_as_a_range(asked: str, found: bool) -> None:
    ranged = {
        "resourceType": "RiskAssessment",
        "id": "1",
        "prediction": [{"probabilityRange": {"low": {"value": 2}, "high": {"value": 10}}}],
    }
    assert search(f"RiskAssessment?probability={asked}", ranged) == ({"1"} if found else set())


@given(
    st.decimals(-1000, 1000, places=2, allow_nan=False),
    st.decimals(-1000, 1000, places=1, allow_nan=False),
    st.sampled_from(("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")),
)
def test_a_lowered_number_means_what_the_search_page_says(stored: Decimal, asked: Decimal, prefix: str) -> None:
    half = Decimal("0.05")
    near = max(half, abs(asked) / 10)
    equal = asked - half <= stored < asked + half
    wanted = {
        "eq": equal,
        "ne": not equal,
        "gt": stored > asked,
        "lt": stored < asked,
        "ge": stored >= asked,
        "le": stored <= asked,
        "sa": stored > asked,
        "eb": stored < asked,
        "ap": asked - near <= stored <= asked + near,
    }[prefix]
    assert (search(f"RiskAssessment?probability={prefix}{asked}", risk({"probabilityDecimal": stored})) == {"1"}) is wanted


UCUM = "http://unitsofmeasure.org"


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        (amount(Decimal(1), "g/L"), f"100|{UCUM}|mg/dL"),
        (amount(Decimal(100), "mg/dL"), f"1|{UCUM}|g/L"),
        (amount(Decimal("98.6"), "[degF]"), f"37.0|{UCUM}|Cel"),
        (amount(120, "mm[Hg]", unit="mmHg"), "120||mmHg"),
        (amount(120, "mm[Hg]", unit="mmHg"), "120||mm[Hg]"),
        (amount(120, "mm[Hg]"), "120"),
        (amount(120, "mm[Hg]"), f"ge120|{UCUM}|mm[Hg]"),
        (amount(3, "{score}"), f"3|{UCUM}|{{score}}"),
        (amount(72, "{beats}/min"), f"72|{UCUM}|/min"),
        (amount(5, "mg", comparator="<"), f"lt5|{UCUM}|mg"),
        (amount(5, unit="pills"), "5||pills"),
        (amount(5, "tab", "http://pills"), "5|http://pills|tab"),
    ],
)
def test_a_quantity_is_found_in_any_unit_that_measures_the_same(stored: Json, asked: str) -> None:
    assert search(f"Observation?value-quantity={asked}", observation(valueQuantity=stored)) == {"1"}


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        (amount(1000, "mg"), "1"),
        (amount(1000, "mg"), "1||g"),
        (amount(5, "mg"), f"5|{UCUM}|mL"),
        (amount(5, "mg", "http://other"), f"5|{UCUM}|mg"),
        (amount(5, "mg", comparator="<"), f"5|{UCUM}|mg"),
        (amount(7, "[pH]"), f"7|{UCUM}|1"),
        (amount(5, "[iU]"), f"5|{UCUM}|1"),
        ({"unit": "mg"}, "0"),
    ],
)
def test_a_quantity_is_not_found_by_another_measure(stored: Json, asked: str) -> None:
    assert search(f"Observation?value-quantity={asked}", observation(valueQuantity=stored)) == set()


def test_money_is_found_by_its_currency() -> None:
    claim = {"resourceType": "Invoice", "id": "1", "totalNet": {"value": Decimal("12.50"), "currency": "EUR"}}
    assert search("Invoice?totalnet=12.50|urn:iso:std:iso:4217|EUR", claim) == {"1"}
    assert search("Invoice?totalnet=12.50||USD", claim) == set()


def test_an_age_counts_in_any_unit_of_time() -> None:
    condition = {"resourceType": "Condition", "id": "1", "onsetAge": amount(2, "a")}
    assert search(f"Condition?onset-age=24|{UCUM}|mo", condition) == {"1"}


@pytest.mark.parametrize(
    ("code", "unit", "factor"),
    [
        ("mg/dL", "g.m-3", "10"),
        ("10*3/uL", "m-3", "1000000000000"),
        ("mm[Hg]", "g.m-1.s-2", "133322"),
        ("kg/m2", "g.m-2", "1000"),
        ("%", "1", "0.01"),
        ("[in_i]", "m", "0.0254"),
        ("[iU]/L", "[iU].m-3", "1000"),
        ("mL/min/{1.73_m2}", "m3.s-1", None),
        ("1", "1", "1"),
        ("mg/(24.h)", "g.s-1", None),
        ("4.[pi].10*-7.N/A2", "C-2.g.m", None),
    ],
)
def test_units_have_a_canonical_form(code: str, unit: str, factor: str | None) -> None:
    found = canonical(code)
    assert found is not None
    assert found.unit == unit
    assert factor is None or found.of(1) == float(factor)


@pytest.mark.parametrize("code", ["", "(mg", "mg//", "furlong", "{score}", "[pH]", "dB", "m" * 200, "10*999999", "g/0"])
def test_what_is_no_plain_unit_has_no_canonical_form(code: str) -> None:
    assert canonical(code) is None


@pytest.mark.parametrize("asked", ["a", "5|mg", "5|a|b|c", "gt", "1e999999"])
def test_a_malformed_quantity_is_refused_by_the_parameters_name(asked: str) -> None:
    with pytest.raises(BadRequest, match="'value-quantity'"):
        search(f"Observation?value-quantity={asked}")


PRESSURE = observation(
    code=concept("http://loinc.org|85354-9"),
    component=[
        {"code": concept("http://loinc.org|8480-6"), "valueQuantity": amount(140, "mm[Hg]")},
        {"code": concept("http://loinc.org|8462-4"), "valueQuantity": amount(90, "mm[Hg]")},
    ],
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("combo-code=8480-6", True),
        ("combo-code=85354-9", True),
        ("code=8480-6", False),
        ("component-code-value-quantity=8480-6$gt100", True),
        ("component-code-value-quantity=8462-4$gt100", False),
        (f"combo-code-value-quantity=http://loinc.org|8480-6$140|{UCUM}|mm[Hg]", True),
        (f"combo-code-value-quantity=http://loinc.org|8462-4$140|{UCUM}|mm[Hg]", False),
        ("code-value-quantity=85354-9$140", False),
        ("combo-code-value-quantity=8462-4$ne90,8480-6$lt200", True),
    ],
)
def test_a_composite_holds_within_one_element(query: str, found: bool) -> None:
    assert search(f"Observation?{query}", PRESSURE) == ({"1"} if found else set())


def test_composites_join_codes_texts_and_dates() -> None:
    said = observation(code=concept("|a"), valueString="Rather Better")
    coded = observation("2", code=concept("|a"), valueCodeableConcept=concept("http://s|yes"))
    dated = observation("3", code=concept("|a"), valueDateTime="2020-02-02")
    assert search("Observation?code-value-string=a$rather", said, coded, dated) == {"1"}
    assert search("Observation?code-value-concept=a$http://s|yes", said, coded, dated) == {"2"}
    assert search("Observation?code-value-date=a$gt2020-02", said, coded, dated) == set()
    assert search("Observation?code-value-date=a$2020-02", said, coded, dated) == {"3"}


@pytest.mark.parametrize("asked", ["a", "a$", "$b", "a$b$c"])
def test_a_malformed_composite_is_refused_by_the_parameters_name(asked: str) -> None:
    with pytest.raises(BadRequest, match="'code-value-concept'"):
        search(f"Observation?code-value-concept={asked}")
