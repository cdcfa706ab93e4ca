"""Parse the FHIRPath of all invariants and rules of escalation once, into `definitions/compiled/fhirpath.json`, so that no server does.

    python scripts/compile_fhirpath.py

Source: the compiled facts (`types.json`, `us-core.json`) and `definitions/PlanDefinition-*.json`; run it after `compile_definitions.py`.
"""
from pathlib import Path

from recovery_api.fhir.definitions import definitions
from recovery_api.fhir.fhirpath.parse import dump_trees
from recovery_api.fhir.paths import objects_at
from recovery_api.fhir.shipped import shipped

TARGET = Path(__file__).parents[1] / "src/recovery_api/definitions/compiled/fhirpath.json"


def expressions() -> list[str]:
    """The expressions of every error-severity invariant of R4's types and of the profiles that are carried, and of shipped plans."""
    facts = definitions()
    ours = [rule for name in facts.type_names for rule in facts.type(name).invariants]
    profiles = [profile for url in facts.profile_urls if (profile := facts.profile(url))]
    theirs = [rule for profile in profiles for rule in profile.invariants]
    plans = [one["expression"]["expression"] for plan in shipped("PlanDefinition") for one in objects_at(plan, "action.condition")]
    return [*(rule.expression for rule in (*ours, *theirs) if rule.severity == "error" and rule.expression), *plans]


if __name__ == "__main__":
    TARGET.write_text(dump_trees(expressions()), encoding="utf-8")
    print(f"{len(set(expressions()))} expressions in {TARGET.name}")
