"""Security labels as bits (https://hl7.org/fhir/R4/security-labels.html)."""
_CODES = (
    *("N", "R", "V", "ETH", "SUD", "ETHUD", "OPIOIDUD", "PSY", "MH"),
    *("BH", "PSYTHPN", "SDV", "VIO", "SEX", "HIV", "STD", "EMP", "42CFRPart2"),
)
_BITS = {code: 1 << place for place, code in enumerate(_CODES)}
_FAMILIES = {"SUD": "ETH", "ETHUD": "ETH", "OPIOIDUD": "ETH", "MH": "PSY"}
SENSITIVE = sum(_BITS[code] for code in ("ETH", "PSY", "BH", "PSYTHPN", "SDV", "VIO", "SEX", "HIV", "STD", "EMP"))


def bit(code: str) -> int:
    return _BITS.get(code, 0)


def heads(mask: int) -> int:
    return mask & SENSITIVE | sum({_BITS[head] for code, head in _FAMILIES.items() if mask & _BITS[code]})
