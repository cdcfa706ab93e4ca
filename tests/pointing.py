"""What can be seen points at what cannot: references of each kind, where the element asks for one and where it does not."""

from recovery_api.demo.codes import diagnosis
from recovery_api.domain.codes import LOINC, THO, concept, local, ref, structure
from recovery_api.fhir.json import JsonObject
from tests.world import Story


def pointing(story: Story) -> None:
    """Of the client `pointing`, whose consent leaves out Condition, RelatedPerson and Goal; drafts and running sessions stay inside."""
    client, when = ref("Patient/pointing"), story.instant(days=2)
    mind, goal, aunt = ref("Condition/cond-pointing-dep"), ref("Goal/g-pointing-1"), ref("RelatedPerson/aunt-pointing")
    kept_apart, draft = ref("DocumentReference/d-pointing-own"), ref("Observation/o-pointing-draft")
    story.session("e-pointing-now", "pointing", "leo", story.instant(hours=1), status="in-progress")
    story.observation("o-pointing-draft", "pointing", "mood", 2, when, "leo", status="preliminary")
    elsewhere, within = {"reference": "https://elsewhere.example/fhir/Condition/1", "display": "Elsewhere"}, {"reference": "#within"}
    contained: JsonObject = {"resourceType": "Condition", "id": "within", "subject": client, "code": {"text": "As told"}}
    plan = story.find("CarePlan/cp-pointing")
    plan["addresses"] += [elsewhere, within, {"display": "Sleep"}]
    plan |= {
        "contained": [contained],
        "supportingInfo": [draft, ref("Observation/o-pointing-mood"), ref("Observation/absent")],
        "contributor": [aunt | {"display": "My aunt"}, ref("Practitioner/leo")],
    }
    plan["activity"].append({"outcomeReference": [goal | {"display": "Walking"}]})
    session = story.find("Encounter/e-pointing-dep")
    session["diagnosis"] = [{"condition": mind}, {"condition": ref("Condition/cond-pointing-oud")}]
    session["location"] = [{"location": ref("Location/library")}]
    session["participant"].append({"individual": aunt | {"identifier": {"value": "aunt-1"}}})
    session["episodeOfCare"] = [ref("EpisodeOfCare/eoc-pointing")]
    session["extension"] = [
        {"url": structure("chosen-with"), "valueReference": aunt},
        {"url": structure("chosen-for"), "valueReference": ref("Practitioner/leo")},
    ]
    mood = story.find("Observation/o-pointing-mood")
    mood |= {"focus": [aunt], "derivedFrom": [draft, ref("Observation/o-pointing-craving")], "device": ref("Device/absent")}
    told = story.find("Observation/o-pointing-craving")
    told |= {"encounter": ref("Encounter/e-pointing-now"), "hasMember": [draft]}
    note = story.find("DocumentReference/d-pointing-dep")
    note["relatesTo"] = [
        {"code": "appends", "target": kept_apart},
        {"code": "transforms", "target": ref("DocumentReference/d-pointing-oud")},
    ]
    note["context"]["related"] = [draft, goal, ref("Observation/o-pointing-mood")]
    other = story.find("DocumentReference/d-pointing-oud")
    other["relatesTo"] = [{"code": "appends", "target": kept_apart}]
    author = {"type": concept((THO + "provenance-participant-type", "author")), "who": ref("Practitioner/leo")}
    story.add(
        {
            "resourceType": "Provenance",
            "id": "prov-pointing-both",
            "target": [kept_apart, ref("DocumentReference/d-pointing-dep"), ref("Condition/cond-pointing-dep")],
            "recorded": when,
            "agent": [author],
            "entity": [
                {"role": "source", "what": draft},
                {"role": "source", "what": ref("Observation/o-pointing-mood")},
            ],
        }
    )
    story.add(
        {
            "resourceType": "Procedure",
            "id": "pointing-walk",
            "status": "completed",
            "code": concept((LOINC, "95541-9"), text="A walk"),
            "subject": client,
            "performedDateTime": when,
            "performer": [{"actor": ref("Practitioner/leo")}, {"actor": aunt}],
            "complicationDetail": [mind],
        }
    )
    story.add(
        {
            "resourceType": "Communication",
            "id": "com-pointing",
            "status": "completed",
            "category": [concept(local("communication-category", "case-discussion"))],
            "subject": client,
            "sent": when,
            "sender": ref("Practitioner/omar"),
            "recipient": [ref("Practitioner/chen"), ref("Practitioner/leo")],
            "about": [goal, ref("CarePlan/cp-pointing")],
            "payload": [{"contentReference": kept_apart}, {"contentString": "As we said."}],
        }
    )
    story.add(
        {
            "resourceType": "QuestionnaireResponse",
            "id": "pointing-answers",
            "status": "completed",
            "questionnaire": "https://example.org/Questionnaire/pace",
            "subject": client,
            "source": aunt,
            "encounter": ref("Encounter/e-pointing-now"),
            "authored": when,
            "item": [{"linkId": "1", "answer": [{"valueReference": mind}, {"valueString": "With my aunt"}]}],
        }
    )
    story.task("task-pointing", "case-discussion", "Practitioner/leo", "Practitioner/omar", when, client="pointing", more=_asked())
    story.find("Task/task-pointing")["reasonCode"] = diagnosis("F33.1")


def _asked() -> JsonObject:
    """What goes with a Task of a companion, who does not see the note that is kept apart."""
    about = concept(local("task-input", "about"))
    inputs = [{"type": about, "valueReference": ref(f"DocumentReference/d-pointing-{each}")} for each in ("own", "dep")]
    return {"input": inputs, "relevantHistory": [ref("Provenance/absent")]}
