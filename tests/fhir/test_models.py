"""The models accept what R4 allows, and say where they do not."""
import pytest

from recovery_api.fhir import models
from recovery_api.fhir.json import JsonObject
from tests.fhir.examples import SOURCES, examples, name

BASE: JsonObject = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


@pytest.mark.parametrize("source", SOURCES)
def test_every_official_example_is_accepted(source: str) -> None:
    assert {name(resource): issues for resource in examples(source) if (issues := models.check(resource))} == {}


@pytest.mark.parametrize(
    "change",
    [
        {"extension": [{"url": "http://x.org", "_valueString": {"extension": [{"url": "http://y.org", "valueString": "z"}]}}]},
        {"extension": [{"url": "http://x.org", "valueMeta": {"versionId": "1"}}]},
        {"_status": {"extension": [{"url": "http://x.org", "valueCode": "unknown"}]}},
        {"contained": [{"resourceType": "Patient", "extension": [{"url": "http://x.org", "valueMeta": {"versionId": "1"}}]}]},
        {"component": [{"code": {"text": "x"}, "extension": [{"url": "http://x.org", "valueMeta": {"versionId": "1"}}]}]},
    ],
)
def test_what_r4_allows_and_r4b_models_refuse_is_accepted(change: JsonObject) -> None:
    assert models.check({**BASE, **change}) == []


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"status": 7}, "structure", "Observation.status"),
        ({"foo": 1}, "structure", "Observation.foo"),
        ({"component": [{"valueQuantity": {"value": 1}}]}, "required", "Observation.component[0].code"),
        ({"component": [{"code": {"text": "x"}, "valueQuantity": {"value": "x"}}]}, "value", "Observation.component[0].value.value"),
        ({"effectiveDateTime": "2020-13"}, "value", "Observation.effective"),
        ({"contained": [{"resourceType": "Patient", "gender": 3}]}, "structure", "Observation.contained[0].gender"),
        ({"contained": [{"resourceType": "Unknown"}]}, "structure", "Observation.contained"),
    ],
)
def test_a_refusal_has_its_code_and_place(change: JsonObject, code: str, place: str) -> None:
    assert [(issue.code, issue.expression) for issue in models.check({**BASE, **change})] == [(code, place)]


def test_a_type_without_a_model_is_left_to_the_definitions() -> None:
    assert models.check({"resourceType": "EffectEvidenceSynthesis", "unknown": 1}) == []
