"""The names that pages use for the endings of conversations, and the conditions shown next to them."""

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext, gettext_noop

from supportbot.insights.outcome_rules import Ending

_LABELS: Final[Mapping[Ending, tuple[str, str]]] = {
    Ending.CONFIRMED: (
        gettext_noop("Confirmed"),
        gettext_noop("The assistant answered, and the customer said thanks or gave a rating of 4 or 5."),
    ),
    Ending.SILENT: (
        gettext_noop("Silent"),
        gettext_noop("The assistant answered, and the customer neither confirmed the answer nor wrote again."),
    ),
    Ending.PERSON: (gettext_noop("A person helped"), gettext_noop("A team member wrote to the customer.")),
    Ending.WAITING: (
        gettext_noop("Waiting for a person"),
        gettext_noop("A person was requested, but nobody has written yet."),
    ),
    Ending.REOPENED: (
        gettext_noop("Reopened"),
        gettext_noop("The customer asked again in the same chat, after it was resolved or a day later."),
    ),
    Ending.RECONTACT: (
        gettext_noop("Came back"),
        gettext_noop("The customer asked again in another chat within 7 days."),
    ),
    Ending.ABANDONED: (
        gettext_noop("Abandoned"),
        gettext_noop("The last question got no answer, no agent joined, or the customer gave a rating of 1 or 2."),
    ),
}


def label_of(ending: Ending) -> str:
    return gettext(_LABELS[ending][0])


def definitions() -> list[tuple[str, str]]:
    """Return the name and condition of each ending. If several apply, the last one in the list counts."""
    return [(gettext(name), gettext(condition)) for name, condition in _LABELS.values()]
