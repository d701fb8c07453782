"""Comparing how a new version of a definition and the version in force decide past requests. Nothing is stored or
carried out; look-ups are sent to the live connection.

The shop's records of that time are not stored, so both versions read today's records. If the version in force now
decides a request differently (for example, because the order has been cancelled since), only the need for a person is
compared for that request, not the guards. The workspace's rules about amounts are left out, since they are the same for
both versions.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.utils.timezone import now

from actions.argument_json import read_arguments
from actions.argument_types import parse_arguments
from actions.backtest import BY_RULES, Change, Compared
from actions.definitions.backend import GATHER_SECONDS, Sender, asking, client_of
from actions.definitions.defined_action import DefinedWrite
from actions.definitions.evaluation_context import Ask
from actions.definitions.parsed_parts import Definition
from actions.errors import InvalidArguments, MerchantUnavailable, NotConnected
from actions.facts import Arguments, Facts, Identity, Records
from actions.models import ActionRequest
from actions.reasons import Reason
from actions.requests.reevaluation import gathered
from actions.requests.rule_decision import Decision, Verdict
from actions.states import State
from supportbot.accounts.models import Customer
from supportbot.accounts.workspaces import workspace_time

DAYS: Final = 30
MAX_REQUESTS: Final = 20
SECONDS: Final = 3.0  # a person is waiting for the page


@dataclass(slots=True)
class PastRequests(Compared):
    """The requests of the last `DAYS` days: `judged` requests were compared; for `by_approval` of these, only the need
    for a person was compared. `left` requests could not be judged: the shop did not answer in time, or they lack
    arguments of the new version.
    """

    judged: int = 0
    by_approval: int = 0
    left: int = 0
    changes: list[Change] = field(default_factory=list)


def judge_past_requests(live: DefinedWrite, new: DefinedWrite) -> PastRequests:
    """Return what a new version would decide differently on the newest requests, within a few seconds."""
    found, ends_at = PastRequests(), time.monotonic() + SECONDS
    since = now() - timedelta(days=DAYS)
    asked = ActionRequest.objects.filter(action=live.name, created_at__gte=since).order_by("-created_at", "-id")
    requests = list(asked[:MAX_REQUESTS])
    for request, who in _with_identity(requests):
        try:
            _judge(found, request, who, live, new, seconds=ends_at - time.monotonic())
        except (MerchantUnavailable, NotConnected):  # all other requests would wait for the same system
            break
        except InvalidArguments:
            continue
    found.left = len(requests) - found.judged
    return found


def _with_identity(requests: list[ActionRequest]) -> Iterator[tuple[ActionRequest, Identity]]:
    customers = Customer.objects.in_bulk([request.customer_id for request in requests])
    for request in requests:
        customer = customers.get(request.customer_id)
        if customer is not None and customer.external_id is not None and request.arguments:
            yield request, Identity(customer.external_id, customer.email)


def _judge(
    found: PastRequests,
    request: ActionRequest,
    who: Identity,
    live: DefinedWrite,
    new: DefinedWrite,
    *,
    seconds: float,
) -> None:
    if seconds <= 0:
        raise MerchantUnavailable
    world = _CachedWorld(seconds, request.created_at)
    published, proposed = (DefinedWrite(one.definition, one.version, world) for one in (live, new))
    before, after = _decide(published, request, who), _decide(proposed, request, who)
    was_refused = request.state == State.REFUSED and request.reason_code not in BY_RULES
    if before.is_refusal != was_refused:
        before, after = _by_approval(published, request, who), _by_approval(proposed, request, who)
        found.by_approval += 1
    found.judged += 1
    if before != after:
        found.changes.append(Change(request, before, after))


def _decide(action: DefinedWrite, request: ActionRequest, who: Identity) -> Decision:
    arguments = _asked(action, request)
    records = gathered(action, arguments, who, is_undo=request.undoes is not None)
    if isinstance(records, Reason):
        return _refused(records)
    terms = action.complete(arguments, records)
    if isinstance(terms, Reason):
        return _refused(terms)
    obstacle = action.obstacle(terms.arguments, Facts(records, now(), None, Decimal(0)))
    return _refused(obstacle) if obstacle is not None else _confirmed(action, terms.arguments, records)


def _by_approval(action: DefinedWrite, request: ActionRequest, who: Identity) -> Decision:
    """Return whether a person must decide, whatever the guards say."""
    records = action.gather(_asked(action, request), who)
    return _refused(records) if isinstance(records, Reason) else _confirmed(action, request.arguments, records)


def _asked(action: DefinedWrite, request: ActionRequest) -> Arguments:
    own = {name: value for name, value in request.arguments.items() if name in action.arguments.all_fields}
    return parse_arguments(action.arguments, read_arguments(own))


def _refused(reason: Reason) -> Decision:
    return Decision(Verdict.REFUSE, Reason(reason.code))  # versions may word a reason differently


def _confirmed(action: DefinedWrite, arguments: Arguments, records: Records) -> Decision:
    if not action.wants_approval(arguments, records):
        return Decision(Verdict.CONFIRM)
    return Decision(Verdict.CONFIRM_AND_APPROVE, approvals=action.approvals)


class _CachedWorld:
    """The workspace's own connections, whose answers stay the same for both versions."""

    def __init__(self, seconds: float, asked_at: datetime) -> None:
        self._seconds = min(GATHER_SECONDS, seconds)  # time limit for the look-ups of a request
        self._moment = workspace_time(now())
        self._asked_at = workspace_time(asked_at)
        self._asks: dict[str, Ask] = {}

    def moment(self) -> datetime:
        return self._moment

    def asked_at(self) -> datetime:
        return self._asked_at

    def ask(self, definition: Definition) -> Ask:
        if definition.connection not in self._asks:
            self._asks[definition.connection] = asking(self.sender(definition), seconds=self._seconds)
        return self._asks[definition.connection]

    def sender(self, definition: Definition) -> Sender:
        return client_of(definition)
