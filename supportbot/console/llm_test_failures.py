"""Explains why a model's test failed."""

from typing import Final

from django.utils.translation import gettext, gettext_noop

from supportbot.llm.errors import Reason

WHY: Final = {
    Reason.UNREACHABLE: gettext_noop("The server cannot be reached."),
    Reason.NOT_AUTHORISED: gettext_noop("The server refuses the key."),
    Reason.NOT_FOUND: gettext_noop("The server does not know this model or address."),
    Reason.RATE_LIMITED: gettext_noop("The server is not accepting more requests at the moment. Try again later."),
    Reason.QUOTA: gettext_noop("The account's credit is used up."),
    Reason.DEADLINE: gettext_noop("No response within 20 seconds."),
}


def problem_of(refused: str, reason: Reason | None) -> str:
    """Return why the model did not answer: its address is not allowed, or its server failed. "" if it answered."""
    if refused:
        return gettext("This address cannot be called: {why}.").format(why=refused)
    if reason is None:
        return ""
    if reason in WHY:
        return gettext(WHY[reason])
    return gettext("The server returned no usable response. Check the address: most servers need a path, such as /v1.")
