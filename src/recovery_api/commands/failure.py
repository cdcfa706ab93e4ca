"""A command that can't go on says so in one line."""

from typer import TyperException


class CommandError(TyperException):
    """A command can't do what was asked of it; the message is one clear sentence."""
