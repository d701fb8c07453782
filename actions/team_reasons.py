"""Reasons as the team reads them. Some sentences in `reasons` address the customer, so they get other words here."""

from typing import Final

from django.utils.translation import get_language, gettext, gettext_noop

from actions.reasons import WORDS, FactsOrDash, Reason, sentence

_ABOUT_THE_CUSTOMER: Final[dict[str, str]] = {
    "identity_required": gettext_noop("This can only be done for customers who are signed in."),
    "order_not_found": gettext_noop("The customer has no order {order}."),
    "order_returned": gettext_noop("Order {order} has been returned, so it cannot be refunded here."),
    "terms_changed": gettext_noop("Order {order} has changed since the customer saw this, so nothing was done."),
    "limit_customer_day": gettext_noop("This would exceed today's limit for this customer."),
    "limit_customer_year": gettext_noop("This would exceed the limit for this customer."),
    "limit_count_day": gettext_noop("The customer has reached the daily limit for requests like this."),
    "limit_order": gettext_noop("This would exceed the refund limit for this order."),
    "limit_workspace_day": gettext_noop("This would exceed today's limit for requests like this."),
    "limit_subject": gettext_noop("This would exceed the limit."),
    "definition_failed": gettext_noop("This cannot be decided automatically at the moment."),
    "declined": gettext_noop("The customer declined this. Nothing was done."),
    "not_confirmed": gettext_noop("The customer did not confirm in time, so nothing was done."),
    "policy_changed": gettext_noop("The rules for this have changed since the customer saw it, so nothing was done."),
    "in_progress": gettext_noop("The system is still working on it. The customer will be told when it is done."),
    "approval_needed": gettext_noop(
        "This now needs a colleague's approval, so nothing was done. The customer can ask again."
    ),
    "too_many_lookups": gettext_noop("The customer has reached the hourly limit for look-ups."),
    "record_not_found": gettext_noop("The customer has no such record."),
    "choice_not_offered": gettext_noop(
        "This choice is no longer available. The customer can ask again and choose another one."
    ),
    "record_changed": gettext_noop("This has changed since the customer saw it, so nothing was done."),
    "subject_busy": gettext_noop(
        "Another request for this is still in progress, so nothing was done. The customer can ask again later."
    ),
}


def team_sentence(reason: Reason) -> str:
    """Return a reason for a colleague, in the active language.

    The words of a defined action's refusal are the definition's own, as the customer reads them.
    """
    text = _ABOUT_THE_CUSTOMER.get(reason.code)
    if text is None or any(name.startswith(WORDS) for name in reason.facts):
        return sentence(reason, (get_language() or "en").partition("-")[0])
    return gettext(text).format_map(FactsOrDash(reason.facts))
