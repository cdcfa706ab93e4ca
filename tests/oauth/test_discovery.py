"""What the authorization server says of itself (checklist A), and that browsers of any origin may ask."""

from typing import Any

import httpx
import pytest

from tests.api import Api
from tests.oauth.apps import Smart

ORIGIN = {"origin": "https://app.example"}
WELL_KNOWN = "/fhir/.well-known/smart-configuration"
STANDALONE = (
    "launch-standalone client-public client-confidential-symmetric client-confidential-asymmetric sso-openid-connect "
    "context-standalone-patient permission-offline permission-patient authorize-post permission-v2 permission-v1"
)
EHR = (
    "launch-ehr client-confidential-symmetric client-confidential-asymmetric sso-openid-connect context-banner context-style "
    "context-ehr-patient context-ehr-encounter permission-offline permission-user authorize-post permission-v2 permission-v1"
)


def is_for_any_origin(answer: httpx.Response) -> bool:
    return answer.headers["access-control-allow-origin"] in {"*", ORIGIN["origin"]}


async def test_the_smart_configuration_is_told_to_anybody(smart: Smart) -> None:  # A01-A10, A15
    answer = await smart.http.get(WELL_KNOWN, headers={"accept": "application/json", **ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert is_for_any_origin(answer)
    said: dict[str, Any] = answer.json()
    kinds = {"authorization_endpoint": str, "token_endpoint": str, "capabilities": list, "grant_types_supported": list}
    for member, kind in (kinds | {"code_challenge_methods_supported": list, "issuer": str, "jwks_uri": str}).items():
        assert isinstance(said[member], kind)
        assert said[member]
    assert set(said["grant_types_supported"]) == {"authorization_code", "client_credentials", "refresh_token"}
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert all(isinstance(capability, str) for capability in said["capabilities"])
    assert set(STANDALONE.split()) | set(EHR.split()) <= set(said["capabilities"])
    for member in ("authorization_endpoint", "token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"):
        assert said[member].startswith("http://127.0.0.1:8000/oauth/")


async def test_the_capability_statement_names_the_same_endpoints(smart: Smart) -> None:  # A11, A14
    configuration = (await smart.http.get(WELL_KNOWN)).json()
    answer = await smart.http.get("/fhir/metadata", headers=ORIGIN)
    assert answer.status_code == 200
    assert is_for_any_origin(answer)
    security = answer.json()["rest"][0]["security"]
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    [extension] = security["extension"]
    assert extension["url"].endswith("/StructureDefinition/oauth-uris")
    told = {one["url"]: one["valueUri"] for one in extension["extension"]}
    for name, member in (("authorize", "authorization"), ("token", "token"), ("introspect", "introspection"), ("revoke", "revocation")):
        assert told[name] == configuration[f"{member}_endpoint"]


async def test_the_token_endpoint_and_the_person_are_open_to_browser_apps(smart: Smart) -> None:  # A12, A13, C08
    refused = await smart.http.post("/oauth/token", data={"grant_type": "authorization_code"}, headers=ORIGIN)
    assert is_for_any_origin(refused)
    said = await smart.granted("openid fhirUser user/Practitioner.rs", patient=None)
    answer = await smart.fhir(said["access_token"]).get("Practitioner/maya", headers=ORIGIN)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/jwks.json", WELL_KNOWN, "/.well-known/openid-configuration", "/fhir/Patient/ana"])
async def test_a_browser_may_ask_first(smart: Smart, path: str) -> None:
    answer = await smart.http.request("OPTIONS", path, headers={**ORIGIN, "access-control-request-method": "POST"})
    assert answer.status_code == 204
    assert is_for_any_origin(answer)
    assert "Authorization" in answer.headers["access-control-allow-headers"]


async def test_openid_and_oauth_metadata_agree_with_it(smart: Smart) -> None:  # C02-C05
    openid = await smart.http.get("/.well-known/openid-configuration")
    assert openid.status_code == 200
    assert openid.headers["content-type"].startswith("application/json")
    said, oauth = openid.json(), (await smart.http.get("/.well-known/oauth-authorization-server")).json()
    assert said["issuer"] == oauth["issuer"] == "http://127.0.0.1:8000"
    assert said["response_types_supported"] == ["code"]
    assert said["subject_types_supported"] == ["public"]
    assert "RS256" in said["id_token_signing_alg_values_supported"]
    assert oauth.items() <= said.items()
    keys = await smart.http.get(said["jwks_uri"])
    assert keys.status_code == 200
    assert {key["kty"] for key in keys.json()["keys"]} >= {"RSA"}
    assert not any({"d", "p", "q"} & key.keys() for key in keys.json()["keys"])


async def test_nobody_reads_without_a_token(api: Api) -> None:  # B18
    answer = await api.as_(None).get("Patient/ana")
    assert answer.status == 401
