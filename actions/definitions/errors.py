"""Errors in a definition when it is written, and in its expressions when they are evaluated with real records."""

from typing import Final

from django.utils.translation import gettext, gettext_noop

from actions.deferred_text import DeferredText, Value, deferred, translated
from actions.errors import ActionError, NotApprover


class InvalidDefinition(ActionError):
    """The document is not a valid definition; `fields` maps the JSON path of each mistake to how to correct it."""

    code = "invalid_definition"
    status = 400
    default_message = gettext_noop("The definition has mistakes. Correct them, then save again.")


class NoSuchDefinition(ActionError):
    code = "not_found"
    status = 404
    default_message = gettext_noop("This definition does not exist.")


class Outdated(ActionError):
    """Another version has been saved since the edited one."""

    code = "outdated"
    status = 409

    def __init__(self, name: str, number: int) -> None:
        if number:
            text = gettext("{name} now has version {number}. Review it, then save again.")
        else:
            text = gettext("There is no definition named {name}. Look at the list, then save again.")
        super().__init__(text.format(name=name, number=number))
        self.number = number


class CasesFailed(ActionError):
    """Recorded cases do not pass; `fields` maps each case's name to the reason."""

    code = "cases_failed"
    status = 409
    default_message = gettext_noop(
        "Some recorded cases do not pass. Correct the definition or the cases, then publish it."
    )


class NeedsCases(ActionError):
    """A definition that changes something has no recorded case that later versions must pass."""

    code = "cases_required"
    status = 409
    default_message = gettext_noop(
        "This action changes something, but no case has been recorded. Make a test call, press “Record as a "
        "case”, then publish it."
    )


class NotPublisher(NotApprover):
    default_message = gettext_noop("Only an admin can publish, switch off or delete actions.")


class NeedsSecondPerson(NotApprover):
    code = "second_person"
    default_message = gettext_noop("You wrote this version. Another admin has to publish it.")


class NeedsReason(ActionError):
    """Nobody else can publish this version, so a reason is required for the audit trail."""

    code = "reason_required"
    status = 400
    default_message = gettext_noop(
        "You saved this version and nobody else can publish it. Give a reason; it is kept in the audit trail."
    )


_AT_CHARACTER: Final = gettext_noop("{why} (at character {number})")
_IN_PLACE: Final = gettext_noop("{why} (in: {place})")


def _begun(text: str) -> str:
    """Return text as the beginning of a sentence."""
    return f"{text[:1].upper()}{text[1:]}"


class ExpressionError(ValueError):
    """A string is not a valid expression or template. `position` counts characters from 0. The error's text is English;
    `in_words` returns it in the active language.
    """

    def __init__(self, message: str, position: int, /, **values: Value) -> None:
        self.why = deferred(message, **values)
        self.position = position
        self._text = DeferredText(_AT_CHARACTER, why=self.why, number=position + 1)
        super().__init__(_begun(self._text))

    def in_words(self) -> str:
        return _begun(translated(self._text))


class ExpressionFailed(Exception):
    """An expression cannot be evaluated for these records. `place` is the part of its text that failed. In this case,
    the request is refused: a rule that cannot be evaluated allows nothing. The error's text is English; `text` can be
    translated.
    """

    def __init__(self, message: str, *, place: str, position: int = 0, **values: Value) -> None:
        self.why = deferred(message, **values)
        self.text = DeferredText(_IN_PLACE, why=self.why, place=place) if place else self.why
        super().__init__(self.text)
        self.place = place
        self.position = position


class MissingPath(ExpressionFailed):
    """A record does not contain what the expression refers to. `node` is the part of the tree that found nothing."""

    def __init__(self, message: str, *, place: str, position: int = 0, node: object = None) -> None:
        super().__init__(message, place=place, position=position)
        self.node = node


class ServerUnreadable(ActionError):
    """An MCP server did not list its tools; the message says why."""

    code = "server_unreadable"
    status = 502
