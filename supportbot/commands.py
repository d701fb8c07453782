"""The base class of all management commands: their texts are in the terminal's language, and errors look alike."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError
from django.utils.translation import gettext, override

from supportbot.team_language import team_language

# The variables, in the order in which programs check them.
VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")


def terminal_language(environment: Mapping[str, str]) -> str:
    """Return the terminal's language, such as `de` for LANG=de_DE.UTF-8, or English if there are no texts in that
    language.
    """
    set_to = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return team_language(set_to.partition(".")[0].partition("_")[0].lower())


class Error(CommandError):
    """An error of a command. Django prints the class's name before the message, and `manage.py` prints "Error:" before
    other errors, so this name makes all of them look alike.
    """


@contextmanager
def errors_by_one_name() -> Iterator[None]:
    """Raise each CommandError in this block as an Error."""
    try:
        yield
    except SystemCheckError:  # has its own format, for several findings
        raise
    except CommandError as error:
        raise Error(str(error), returncode=error.returncode) from error


class TranslatedCommand(BaseCommand):
    """A command whose texts are in the terminal's language. `help` is a message, which is marked where it is defined.

    The names of fields in JSON stay in English, because programs read them.
    """

    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        with override(terminal_language(os.environ)):
            self.help = gettext(self.help) if self.help else ""
            parser: CommandParser = super().create_parser(*args, **options)
            return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        with override(terminal_language(os.environ)), errors_by_one_name():
            output: str | None = super().execute(*args, **options)
            return output


def text_of(name: str) -> str:
    """Return the text in a file, or from standard input for `-`. Raises CommandError if it cannot be read."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(gettext("{name} cannot be read: {error}.").format(name=name, error=error)) from error
