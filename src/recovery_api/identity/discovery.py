"""What the authorization server says of itself: SMART configuration, RFC 8414 metadata, OpenID configuration."""

from collections.abc import Mapping
from typing import Final

from recovery_api.fhir.json import JsonObject
from recovery_api.identity.actor import ROLES
from recovery_api.identity.narrowing import KNOWN
from recovery_api.identity.scopes import ROLE_PREFIX

SMART_CAPABILITIES: Final = (
    "launch-ehr", "launch-standalone", "authorize-post", "client-public", "client-confidential-symmetric",
    "client-confidential-asymmetric", "sso-openid-connect", "context-banner", "context-style", "context-ehr-patient",
    "context-ehr-encounter", "context-standalone-patient", "permission-offline", "permission-online", "permission-patient",
    "permission-user", "permission-v1", "permission-v2",
)  # fmt: skip

STYLE: Final[Mapping[str, str]] = {
    "color_background": "#ffffff", "color_error": "#a11212", "color_highlight": "#14532d", "color_modal_backdrop": "#00000066",
    "color_success": "#14532d", "color_text": "#1b1b1b", "dim_border_radius": "6px", "dim_font_size": "16px", "dim_spacing_size": "20px",
    "font_family_body": "system-ui, sans-serif", "font_family_heading": "system-ui, sans-serif",
}  # fmt: skip
"""How apps can look like these pages (SMART App Launch 2.2, styling)."""


def endpoints(issuer: str) -> dict[str, str]:
    """The addresses of the endpoints, by their names in metadata."""
    return {
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "jwks_uri": f"{issuer}/oauth/jwks.json",
    }


def oauth_uris(issuer: str) -> dict[str, str]:
    """The same as a CapabilityStatement tells them."""
    names = {"authorize": "authorization_endpoint", "token": "token_endpoint", "introspect": "introspection_endpoint"}
    return {name: endpoints(issuer)[member] for name, member in (names | {"revoke": "revocation_endpoint"}).items()}


def metadata(issuer: str) -> JsonObject:
    """Authorization server metadata (RFC 8414, section 2)."""
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    return {
        "issuer": issuer,
        **endpoints(issuer),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*methods, "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384", "RS256", "ES256"],
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": [*methods, "none"],
        "authorization_response_iss_parameter_supported": True,
        "scopes_supported": [
            *sorted(KNOWN),
            *(ROLE_PREFIX + role for role in ROLES),
            *(f"{context}/*.{letters}" for context in ("patient", "user", "system") for letters in ("rs", "cruds")),
        ],
    }


def smart_configuration(issuer: str) -> JsonObject:
    """`.well-known/smart-configuration` (SMART App Launch 2.2, conformance)."""
    return metadata(issuer) | {"capabilities": list(SMART_CAPABILITIES)}


def openid_configuration(issuer: str) -> JsonObject:
    """`.well-known/openid-configuration` (OpenID Connect Discovery, section 3)."""
    return metadata(issuer) | {
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
