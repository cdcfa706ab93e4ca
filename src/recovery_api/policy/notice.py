"""The redisclosure notice, and the scope of the consent, that ride along with a disclosure (42 CFR 2.32(a), (b); domain.md 6)."""
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

from recovery_api.fhir import labels
from recovery_api.fhir.errors import Issue
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.outcome import outcome
from recovery_api.identity.actor import Actor

HEADER = (b"x-redisclosure-notice", b"42cfr2.32")
TEXTS = frozenset({"text/plain", "text/markdown"})
"""Media types at whose end the notice can stand."""


def is_disclosed(actor: Actor, marks: int, basis: str) -> bool:
    """Whether a resource with these labels (bits) goes to this caller under the notice. `basis` names the consents that open it."""
    if not marks & labels.PART2:
        return False
    return actor.role in {"treatment-team", "ehr"} or (actor.role == "client" and bool(basis))


def wording() -> str:
    """The notice as the regulation words it: its long statement."""
    return (files("recovery_api") / "definitions" / "notice.txt").read_text("utf-8").strip()


class Notice(NamedTuple):
    """The notice in the operator's wording."""

    wording: str

    def text(self, basis: Iterable[str]) -> str:
        """The notice and the consents (logical ids) that it goes with, as text."""
        return f"{self.wording}\n\n{scope(basis)}"

    def outcome(self, basis: Iterable[str]) -> JsonObject:
        """The same as an OperationOutcome."""
        said = (Issue("informational", text, severity="information") for text in (self.wording, scope(basis)))
        return outcome(tuple(said))

    def on_binary(self, binary: JsonObject, basis: Iterable[str]) -> JsonObject:
        """A Binary with the notice at the end of its text; one that is no text stays as it is."""
        if not is_text(binary.get("contentType", "")) or "data" not in binary:
            return binary
        return {**binary, "data": self._ended(binary["data"], basis)}

    def on_attachment(self, attachment: JsonObject, data: str, basis: Iterable[str]) -> JsonObject:
        """An Attachment with the size and hash of the bytes that are served, where it tells them. `data` is the stored text, in base64."""
        ended = self._ended(data, basis)
        served = b64decode(ended)
        told = {"size": len(served), "hash": b64encode(hashlib.sha1(served).digest()).decode(), "data": ended}  # noqa: S324 - FHIR's own
        return {name: told.get(name, value) for name, value in attachment.items()}

    def _ended(self, data: str, basis: Iterable[str]) -> str:
        return b64encode(b64decode(data) + f"\n\n---\n{self.text(basis)}\n".encode()).decode()


def is_text(content_type: str) -> bool:
    """Whether the notice can stand at the end of content of this type."""
    return content_type.partition(";")[0].strip().lower() in TEXTS


def scope(basis: Iterable[str]) -> str:
    """Under which consents (logical ids) something is disclosed; of none, that it is an emergency."""
    named = ", ".join(f"Consent/{id}" for id in sorted(set(basis)))
    if not named:
        return "Disclosed in a medical emergency (42 CFR 2.51)."
    return f"Disclosed under {named}, which says to whom, for what purpose, until when and with which exceptions."
