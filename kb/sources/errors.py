"""Errors of sources, one class per meaning."""

from datetime import timedelta

from django.utils.translation import gettext_noop

from kb.errors import InvalidDocument, KnowledgeError


class SourceMissing(KnowledgeError):
    code = "not_found"
    status = 404
    default_message = gettext_noop("This source does not exist.")


class SourceBusy(KnowledgeError):
    """The source is already being read or is waiting for a confirmation; another run would read it twice."""

    code = "source_busy"
    status = 409
    default_message = gettext_noop("This source is already being read. Wait until it is done, or cancel it.")


class NothingToConfirm(KnowledgeError):
    code = "nothing_to_confirm"
    status = 409
    default_message = gettext_noop("There is nothing left to confirm.")


class InvalidSource(KnowledgeError):
    code = "invalid_source"
    default_message = gettext_noop("This source could not be saved. Correct the marked fields.")


class Unreadable(InvalidDocument):
    """One page or file cannot be read; the message says why."""


class Unreachable(Unreadable):
    """The site did not respond, so the entire site may be down."""


class SourceUnreadable(KnowledgeError):
    """The source as a whole cannot be read now; nothing was changed."""

    code = "source_unreadable"


class TooBusy(KnowledgeError):
    """The source asks us to wait before reading it."""

    code = "source_too_busy"

    def __init__(self, message: str, wait: timedelta) -> None:
        super().__init__(message)
        self.wait = wait
