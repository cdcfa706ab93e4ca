"""What a Task that a client is asked to do must say, by its code: the rules of Gravity's SDOHCC, profile TaskForPatient.

Source: http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-TaskForPatient (3.0.0, CC0-1.0), whose keys these are. They hold
for every Task with one of the codes, whether it claims the profile or not.
"""
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from recovery_api.fhir.errors import Rule, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, objects_at, references_at

SDC: Final = "http://hl7.org/fhir/uv/sdc/CodeSystem/temp"
SDOHCC: Final = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
QUESTIONNAIRE, GENERAL = (SDC, "complete-questionnaire"), (SDOHCC, "general-information")
MATERIAL, CONTACT = (SDOHCC, "review-material"), (SDOHCC, "make-contact")
CODES: Final = (QUESTIONNAIRE, GENERAL, MATERIAL, CONTACT)
STATUSES: Final = frozenset({"ready", "in-progress", "completed", "cancelled", "on-hold", "failed", "entered-in-error"})

STATUS = Rule("SDOHCC-ValueSetTaskStatus", Unprocessable, "What a client is asked to do is ready, and then one of: {}.")


Test: TypeAlias = Callable[[JsonObject], bool]


class Demand(NamedTuple):
    """A rule, the Tasks that it is about, what must hold of them, and the place that is told."""

    rule: Rule
    about: Test
    holds: Test
    at: str


def _coded(code: tuple[str, str]) -> Test:
    return lambda task: has_coding(task, "code", *code)


def _given(system: str, code: str) -> Test:
    """An input of this type is there."""
    return lambda task: has_coding(task, "input.type", system, code)


def _answered_by(system: str, code: str) -> Test:
    """An output of this type is there, or none yet."""
    return lambda task: not task.get("output") or has_coding(task, "output.type", system, code)


def _only(system: str, code: str) -> Test:
    """Every output is of this type, and nothing else."""
    return lambda task: all(
        (each.get("system"), each.get("code")) == (system, code) for each in objects_at(task, "output.type.coding")
    ) and _answered_by(system, code)(task)


def _one_questionnaire(task: JsonObject) -> bool:
    forms = ((SDC, "questionnaire"), (SDOHCC, "questionnaire-pdf"), (SDOHCC, "questionnaire-url"))
    return sum(_given(*form)(task) for form in forms) == 1 and _given(SDOHCC, "questionnaire-category")(task)


def _described(holds: Test) -> Test:
    return lambda task: "description" in task and holds(task)


def _about_a_document(task: JsonObject) -> bool:
    return any(each.startswith("DocumentReference/") for each in references_at(task, "focus"))


def _says(text: str, number: int) -> Rule:
    return Rule(f"SDOH-Task-{number}", Unprocessable, text)


DEMANDS: Final[Sequence[Demand]] = (
    Demand(
        _says("To complete a questionnaire takes one questionnaire (as resource, PDF or address), and its category.", 1),
        _coded(QUESTIONNAIRE), _one_questionnaire, "Task.input",
    ),
    Demand(
        _says("General information has a description, and is answered by a general-information-response.", 2),
        _coded(GENERAL), _described(_only(SDOHCC, "general-information-response")), "Task.description",
    ),
    Demand(
        _says("Material to review is a DocumentReference.", 3),
        _coded(MATERIAL), _about_a_document, "Task.focus",
    ),
    Demand(
        _says("To make a contact takes somebody to contact: a contact-entity.", 4),
        _coded(CONTACT), _given(SDOHCC, "contact-entity"), "Task.input",
    ),
    Demand(
        _says("A questionnaire is answered by a questionnaire-response.", 5),
        _given(SDC, "questionnaire"), _answered_by(SDC, "questionnaire-response"), "Task.output",
    ),
    Demand(
        _says("A questionnaire as PDF is answered by a questionnaire-pdf-completed.", 6),
        _given(SDOHCC, "questionnaire-pdf"), _answered_by(SDOHCC, "questionnaire-pdf-completed"), "Task.output",
    ),
    Demand(
        _says("To make a contact has a description, and is answered by a chosen-contact.", 7),
        _coded(CONTACT), _described(_only(SDOHCC, "chosen-contact")), "Task.description",
    ),
)  # fmt: skip


def check(task: JsonObject) -> None:
    """Raise Unprocessable with every rule that the Task breaks."""
    issues = [each.rule.issue(at=each.at) for each in DEMANDS if each.about(task) and not each.holds(task)]
    if any(has_coding(task, "code", *code) for code in CODES) and task["status"] not in STATUSES:
        issues.append(STATUS.issue(", ".join(sorted(STATUSES)), at="Task.status"))
    if issues:
        raise Unprocessable(*issues)
