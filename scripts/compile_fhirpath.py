"""Parse the FHIRPath of invariants, rules, views and topics into `definitions/compiled/fhirpath.json`, so that no server does.

    python scripts/compile_fhirpath.py

Source: the compiled facts (`types.json`, `us-core.json`, `backport.json`), our own StructureDefinitions, PlanDefinitions,
ViewDefinitions and topics; run it after `compile_definitions.py`.
"""
from pathlib import Path

from recovery_api.analytics.views import shipped as views
from recovery_api.fhir.conformance import known, structure
from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.fhirpath.parse import dump_trees
from recovery_api.fhir.paths import objects_at
from recovery_api.fhir.shipped import shipped

TARGET = Path(__file__).parents[1] / "src/recovery_api/definitions/compiled/fhirpath.json"


def expressions() -> list[str]:
    """The expressions of every error-severity invariant of R4's types and of the profiles that are carried, of plans, views and topics."""
    facts = definitions()
    ours = [rule for name in facts.type_names for rule in facts.type(name).invariants]
    profiles = [profile for url in known() if (profile := structure(url))]
    elements = [element for profile in profiles for element in profile["differential"]["element"]]
    theirs = [rule["expression"] for element in elements for rule in element.get("constraint", ()) if "expression" in rule]
    plans = [one["expression"]["expression"] for plan in shipped("PlanDefinition") for one in objects_at(plan, "action.condition")]
    asked = [path for view in views().values() for path in view.paths()]
    triggers = [one["fhirPathCriteria"] for topic in shipped("SubscriptionTopic") for one in topic["resourceTrigger"]]
    return [*(rule.expression for rule in ours if rule.severity == "error" and rule.expression), *theirs, *plans, *asked, *triggers]


if __name__ == "__main__":
    TARGET.write_text(dump_trees(expressions()), encoding="utf-8")
    print(f"{len(set(expressions()))} expressions in {TARGET.name}")
