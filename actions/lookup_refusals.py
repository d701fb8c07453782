"""Refusals of look-ups: each is audited, and visitors are refused once they have looked up too much."""

from actions.audit import record_refusal
from actions.errors import ReadRefused
from actions.principals import Principal
from actions.reasons import Reason, place_of, sentence
from actions.spec import VISITOR_REQUESTS_PER_HOUR, Requests
from supportbot.rate_counters import count


def requests_of(principal: Principal, action: str) -> Requests:
    """Return the request counter for a new look-up. Counting a request raises ReadRefused once a visitor has caused too
    many requests within an hour, in one look-up or several.
    """

    def spend() -> None:
        if principal.is_verified:
            return
        if count(f"visitor-lookups:{principal.customer_id}", seconds=3600) > VISITOR_REQUESTS_PER_HOUR:
            raise read_refused(principal, action, Reason("too_many_lookups"))

    requests = Requests(spend)
    requests.begin()
    return requests


def read_refused(principal: Principal, action: str, reason: Reason) -> ReadRefused:
    """Record the refusal of a look-up, and return the error to raise."""
    error = ReadRefused(reason.code, sentence(reason, principal.locale))
    place = place_of(reason).get("place", "")
    record_refusal("read.refused", error, actor=principal.actor, action=action, reason=reason.code, place=place)
    return error
