"""EHR launch: the opaque value that an EHR hands to an app, and what it stands for (SMART App Launch 2.2, launch scopes)."""

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from recovery_api.identity.claims import MICROSECONDS
from recovery_api.identity.keys import Sealer

LIFETIME: Final = 5 * 60 * MICROSECONDS
_WHOSE: Final = b"launch"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What is open in the EHR: for which app and person (a reference), with which Patient and Encounter (logical ids) and further
    context (references). `nonce` makes each value another; `expires` is in microseconds since the epoch.
    """

    client_id: str
    fhir_user: str
    patient: str
    encounter: str | None = None
    context: tuple[str, ...] = ()
    nonce: str = ""
    expires: int = 0


class Launches:
    """Seals and opens launch values."""

    def __init__(self, sealer: Sealer, clock: Callable[[], int]) -> None:
        """`clock` gives microseconds since the epoch."""
        self._sealer = sealer
        self._clock = clock

    def sealed(self, launch: Launch) -> str:
        """The value to hand to the app, good for five minutes."""
        made = msgspec.structs.replace(launch, nonce=secrets.token_hex(8), expires=self._clock() + LIFETIME)
        return self._sealer.seal(msgspec.json.encode(made), _WHOSE)

    def opened(self, value: str, client_id: str) -> Launch | None:
        """What a value stands for; None where it is not ours, is over, or was made for another app."""
        content = self._sealer.unseal(value, _WHOSE)
        launch = msgspec.json.decode(content, type=Launch) if content else None
        return launch if launch and launch.client_id == client_id and launch.expires > self._clock() else None
