"""What all management commands have in common: their list, the terminal's language in their texts, and errors that look
alike.
"""

import errno
import os
import shutil
import sys
import textwrap
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

from django.core.management import ManagementUtility, get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError
from django.utils.translation import gettext, override

from supportbot.team_language import team_language

# The variables, in the order in which programs check them.
VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
OWN_PACKAGES: Final = ("supportbot", "kb", "actions")  # those with the product's own commands and migrations


def terminal_language(environment: Mapping[str, str]) -> str:
    """Return the terminal's language, such as `de` for LANG=de_DE.UTF-8, or English if there are no texts in that
    language.
    """
    set_to = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return team_language(set_to.partition(".")[0].partition("_")[0].lower())


MAX_ARGUMENT: Final = 200  # characters of an argument that an error repeats


class Error(CommandError):
    """An error of a command. Django prints the class's name before the message, and `manage.py` prints "Error:" before
    other errors, so this name makes all of them look alike.
    """


@contextmanager
def errors_by_one_name(arguments: Iterable[object] = ()) -> Iterator[None]:
    """Raise each CommandError in this block as an Error. Long arguments in its message are cut.

    A name that is too long for a file ends in a sentence as well; a path may be checked before anything else.
    """
    try:
        yield
    except SystemCheckError:  # its message has a format of its own, for several findings
        raise
    except CommandError as error:
        raise Error(_with_short(arguments, str(error)), returncode=error.returncode) from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        text = gettext("This file name is too long: {name}").format(name=error.filename)
        raise Error(_with_short(arguments, text)) from error


def _with_short(arguments: Iterable[object], message: str) -> str:
    for argument in arguments:
        if isinstance(argument, list | tuple):
            message = _with_short(argument, message)
        elif len(text := str(argument)) > MAX_ARGUMENT:
            message = message.replace(text, f"{text[: MAX_ARGUMENT - 1]}…")
    return message


class TranslatedCommand(BaseCommand):
    """A command whose texts are in the terminal's language. `help` is a message, which is marked where it is defined.

    The names of fields in JSON stay in English, because programs read them.
    """

    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        with override(terminal_language(os.environ)):
            self.help = gettext(self.help) if self.help else ""
            parser: CommandParser = super().create_parser(*args, **options)
        report: Callable[[str], NoReturn] = parser.error

        def report_in_short(message: str) -> NoReturn:
            report(_with_short(sys.argv[1:], message))

        parser.error = report_in_short  # type: ignore[method-assign]  # Django creates the parser itself
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        with override(terminal_language(os.environ)), errors_by_one_name(options.values()):
            output: str | None = super().execute(*args, **options)
            return output


class CommandLine(ManagementUtility):
    """Runs a command. Its list begins with the product's own commands and what they do; Django's own list sorts them by
    app, among dozens that no operator needs.
    """

    def main_help_text(self, commands_only: bool = False) -> str:
        if commands_only:
            return str(super().main_help_text(commands_only=True))
        found = get_commands()
        own = {name: app for name, app in found.items() if str(app).partition(".")[0] in OWN_PACKAGES}
        column = max(map(len, own)) + 4
        with override(terminal_language(os.environ)):
            hint = gettext("“{program} help COMMAND” describes a command and its options.")
            lines = [hint.format(program=self.prog_name), "", gettext("Commands of SupportBot:")]
            for name, app in sorted(own.items()):
                lines.append(_wrapped(f"  {name:<{column - 2}}{_summary(load_command_class(app, name))}", column))
            lines += ["", gettext("Other commands, of Django and its packages:")]
        return "\n".join([*lines, _wrapped(f"  {', '.join(sorted(set(found) - set(own)))}", 2)])


def _wrapped(text: str, indent: int) -> str:
    columns = min(shutil.get_terminal_size(fallback=(100, 24)).columns, 120)
    return textwrap.fill(text, max(columns, 60), subsequent_indent=" " * indent, break_on_hyphens=False)


def _summary(command: BaseCommand) -> str:
    """Return the first sentence of a command's help."""
    text = gettext(command.help) if command.help else ""
    return text.partition(". ")[0].rstrip(".")


def a_path(text: str) -> Path:
    """Return an argument as a path. Raises ArgumentTypeError if it is empty."""
    return Path(not_empty(text))


def not_empty(text: str) -> str:
    """Return a path or address. Raises ArgumentTypeError if it is empty: an unset variable of a shell would otherwise
    mean the current folder.
    """
    if not text:
        raise ArgumentTypeError(gettext("the path is empty; write a dot (.) for the current folder"))
    return text


def text_of(name: str) -> str:
    """Return the text in a file, or from standard input for `-`. Raises CommandError if it cannot be read."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(gettext("{name} cannot be read: {error}.").format(name=name, error=error)) from error
