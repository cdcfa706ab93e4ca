"""A command that can't go on says so in one line."""

from collections.abc import Generator
from contextlib import contextmanager

from typer import TyperException


class CommandError(TyperException):
    """A command can't do what was asked of it; the message is one clear sentence."""


@contextmanager
def said_in_one_line() -> Generator[None]:
    """What is expected to go wrong with a database, or with definitions that do not fit each other, becomes a CommandError."""
    from recovery_api.fhir.errors import FhirError  # noqa: PLC0415 (commands import what they need when they run)
    from recovery_api.fhir.search.parameters import BadParameter  # noqa: PLC0415
    from recovery_api.policy.matrix import PolicyError  # noqa: PLC0415
    from recovery_api.store.readiness import DATABASE_ERRORS, NotMigrated, refusal  # noqa: PLC0415

    try:
        yield
    except NotMigrated as error:
        raise CommandError(str(error)) from error
    except BadParameter as error:
        raise CommandError(f"A search parameter can't be served: {error}.") from error
    except PolicyError as error:
        raise CommandError(f"The access policy does not fit: {error}.") from error
    except FhirError as error:
        raise CommandError("The database can't be reached, or is busy; try again." if error.status == 503 else str(error)) from error
    except DATABASE_ERRORS as error:
        raise CommandError(f"The database refuses: {refusal(error)}.") from error
