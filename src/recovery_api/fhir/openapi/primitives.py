"""JSON Schemas of FHIR's primitive types (https://hl7.org/fhir/R4/datatypes.html#primitive)."""
from collections.abc import Mapping
from types import MappingProxyType

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.primitives import MAX_INTEGER, MAX_STRING, MIN_INTEGER

_DATE = r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"

INLINE: Mapping[str, JsonObject] = MappingProxyType(
    {
        "boolean": {"type": "boolean"},
        "integer": {"type": "integer", "format": "int32", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER},
        "string": {"type": "string", "minLength": 1, "maxLength": MAX_STRING},
    }
)
"""Those that every language has a word for."""

NAMED: Mapping[str, tuple[str, JsonObject]] = MappingProxyType(
    {
        "base64Binary": (
            "FhirBase64Binary",
            {"type": "string", "contentEncoding": "base64", "minLength": 1, "description": "Base64 (RFC 4648)"},
        ),
        "canonical": (
            "FhirCanonical",
            {"type": "string", "pattern": r"^\S+$", "description": "A canonical URL, perhaps with a version after '|'"},
        ),
        "code": ("FhirCode", {"type": "string", "pattern": r"^\S+( \S+)*$", "description": "A code"}),
        "date": ("FhirDate", {"type": "string", "pattern": f"^{_DATE})?)?$", "description": "YYYY, YYYY-MM or YYYY-MM-DD"}),
        "dateTime": (
            "FhirDateTime",
            {
                "type": "string",
                "pattern": f"^{_DATE}(T{_TIME}{_ZONE})?)?)?$",
                "description": "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a time zone",
            },
        ),
        "decimal": ("FhirDecimal", {"type": "number", "description": "A decimal number, whose precision is kept: 1.00 is not 1.0"}),
        "id": ("FhirId", {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$", "description": "A logical id"}),
        "instant": (
            "FhirInstant",
            {
                "type": "string",
                "format": "date-time",
                "pattern": f"^{_DAY}T{_TIME}{_ZONE}$",
                "description": "YYYY-MM-DDThh:mm:ss with a time zone",
            },
        ),
        "markdown": ("FhirMarkdown", {"type": "string", "minLength": 1, "maxLength": MAX_STRING, "description": "Text in Markdown"}),
        "oid": ("FhirOid", {"type": "string", "pattern": r"^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$", "description": "An OID as a URI"}),
        "positiveInt": ("FhirPositiveInt", {"type": "integer", "format": "int32", "minimum": 1, "maximum": MAX_INTEGER}),
        "time": ("FhirTime", {"type": "string", "pattern": f"^{_TIME}$", "description": "hh:mm:ss"}),
        "unsignedInt": ("FhirUnsignedInt", {"type": "integer", "format": "int32", "minimum": 0, "maximum": MAX_INTEGER}),
        "uri": ("FhirUri", {"type": "string", "pattern": r"^\S+$", "description": "A URI, absolute or relative"}),
        "url": ("FhirUrl", {"type": "string", "pattern": r"^\S+$", "description": "A URL"}),
        "uuid": (
            "FhirUuid",
            {
                "type": "string",
                "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
                "description": "A UUID as a URI, in lower case",
            },
        ),
        "xhtml": ("FhirXhtml", {"type": "string", "minLength": 1, "description": "A div of XHTML without active content"}),
    }
)
"""Those that are components of the document: component name and schema, by FHIR's name."""
