"""Compile UCUM's unit atoms (ucum-essence.xml, carried by PyPI `ucumvert`) into `definitions/compiled/units.json`.

    python scripts/compile_units.py

UCUM is Copyright © Regenstrief Institute; it may be used free of charge under the UCUM licence (https://ucum.org/license).
Special units (defined by a function) are left out.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

NAMESPACE = {"u": "http://unitsofmeasure.org/ucum-essence"}
TARGET = Path(__file__).parents[1] / "src/recovery_api/definitions/compiled/units.json"


def main() -> None:
    package = find_spec("ucumvert")
    if package is None or package.origin is None:
        raise SystemExit("install ucumvert first")
    root = ET.parse(Path(package.origin).parent / "vendor/ucum-essence.xml").getroot()  # noqa: S314
    prefixes = {prefix.attrib["Code"]: _value(prefix) for prefix in root.findall("u:prefix", NAMESPACE)}
    metric = {unit.attrib["Code"]: "" for unit in root.findall("u:base-unit", NAMESPACE)}
    fixed: dict[str, str] = {}
    for unit in root.findall("u:unit", NAMESPACE):
        if unit.get("isSpecial") != "yes":
            definition = "" if unit.get("isArbitrary") == "yes" and _unit(unit) == "1" else f"{_value(unit)} {_unit(unit)}"
            (metric if unit.get("isMetric") == "yes" else fixed)[unit.attrib["Code"]] = definition
    facts = {"source": f"UCUM {root.get('version')}, Regenstrief Institute, https://ucum.org/license", "prefixes": prefixes}
    facts |= {"metric": metric, "fixed": fixed}
    lines = [f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()]
    TARGET.write_text("{" + ",\n".join(lines) + "}\n")


def _value(element: ET.Element) -> str:
    value = element.find("u:value", NAMESPACE)
    return "" if value is None else value.attrib["value"]


def _unit(element: ET.Element) -> str:
    value = element.find("u:value", NAMESPACE)
    return "" if value is None else value.attrib["Unit"]


if __name__ == "__main__":
    main()
