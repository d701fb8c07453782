"""Recorded cases of a definition: arguments, the shop's answers, and the expected decision. A case includes the answers
to its look-ups, so nothing is sent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext

from actions import audit
from actions.argument_json import read_arguments
from actions.argument_types import parse_arguments
from actions.definitions.backend import Sender
from actions.definitions.defined_action import DefinedRead, DefinedWrite
from actions.definitions.evaluation_context import Answer, Ask, BackEndCall
from actions.definitions.models import ActionDefinition, DefinitionCase
from actions.definitions.parsed_parts import Definition
from actions.definitions.selectors import case_with_id
from actions.errors import InvalidArguments, MerchantUnavailable, NotConnected
from actions.facts import Arguments, Facts, Identity
from actions.reasons import Reason, one_line
from actions.spec import Action, Requests
from supportbot.accounts.workspaces import workspace_time
from supportbot.errors import InvalidInput

ALLOWED: Final = "allowed"
MAX_CASE_CHARACTERS: Final = 256 * 1024
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Recorded:
    """A world with given answers, by "METHOD /path?query". An answer is a record, null for no record, or {"status",
    "body"}.
    """

    records: Mapping[str, Any]
    at: datetime | None = None
    recorded_at: datetime | None = None

    def moment(self) -> datetime:
        return workspace_time(self.at or now())

    def asked_at(self) -> datetime:
        return workspace_time(self.at or self.recorded_at or now())

    def ask(self, definition: Definition) -> Ask:
        return self._answer

    def sender(self, definition: Definition) -> Sender:
        raise NotConnected(gettext("A recorded case sends nothing."))

    def _answer(self, request: BackEndCall) -> Answer:
        key = request_line(request)
        if key not in self.records:
            raise MerchantUnavailable(gettext("The case contains no response to {call}.").format(call=key))
        record = self.records[key]
        if isinstance(record, Mapping) and record.keys() == {"status", "body"}:
            return Answer(record["status"], record["body"])
        return Answer(_NOT_FOUND) if record is None else Answer(200, record)


def request_line(request: BackEndCall) -> str:
    """Return the key of a call's answer in a case: "GET /orders/1?full=yes"."""
    return f"{request.method} {request.path}{f'?{request.query}' if request.query else ''}"


def failures_of(definition: ActionDefinition, action: Action) -> dict[str, list[str]]:
    """Return the recorded cases that fail, by name, each with the expected and the actual verdict."""
    found: dict[str, list[str]] = {}
    for case in DefinitionCase.objects.filter(definition=definition):
        verdict = verdict_of(case, action)
        if verdict != case.expected:
            found[case.name] = [
                gettext("The case expects {expected}, but the result is {verdict}.").format(
                    expected=case.expected, verdict=verdict
                )
            ]
    return found


@dataclass(frozen=True, slots=True)
class RecordedCase:
    """The content of a recorded case; see DefinitionCase."""

    name: str
    sub: str
    arguments: Mapping[str, Any]
    records: Mapping[str, Any]
    expected: str
    email: str = ""
    at: datetime | None = None


@transaction.atomic
def keep_case(
    definition: ActionDefinition, recorded: RecordedCase, *, actor: str, replaced: UUID | None = None
) -> DefinitionCase:
    """Record a case, or replace an existing one. Raises InvalidInput with the errors."""
    case = case_with_id(definition, replaced) if replaced else DefinitionCase(definition=definition)
    for name in ("name", "sub", "email", "expected"):
        setattr(case, name, one_line(name, getattr(recorded, name)))
    case.arguments, case.records, case.at = dict(recorded.arguments), dict(recorded.records), recorded.at
    _check(case)
    case.save()
    event = "definition.case_changed" if replaced else "definition.case_added"
    audit.record(event, actor=actor, action=definition.name, case=str(case.pk))
    return case


def _check(case: DefinitionCase) -> None:
    wrong: dict[str, list[str]] = {
        name: [gettext("This is required.")] for name in ("name", "sub", "expected") if not getattr(case, name)
    }
    for name in ("name", "sub", "email", "expected"):
        column: Any = DefinitionCase._meta.get_field(name)
        longest = column.max_length
        if len(getattr(case, name)) > longest:
            wrong[name] = [gettext("At most {max_characters} characters.").format(max_characters=longest)]
    same = DefinitionCase.objects.filter(definition=case.definition, name=case.name).exclude(pk=case.pk)
    if same.exists():
        wrong["name"] = [gettext("Another case already has this name.")]
    if len(json.dumps([case.arguments, case.records])) > MAX_CASE_CHARACTERS:
        wrong["records"] = [gettext("The case is too long. Leave out what the rules do not read.")]
    if wrong:
        raise InvalidInput(fields=wrong)


@transaction.atomic
def remove_case(definition: ActionDefinition, case_id: UUID, *, actor: str) -> None:
    """Delete a recorded case. Raises NotFound."""
    case_with_id(definition, case_id).delete()
    audit.record("definition.case_removed", actor=actor, action=definition.name, case=str(case_id))


def verdict_of(case: DefinitionCase, action: Action) -> str:
    """Return "allowed", or the code of the refusal."""
    world = Recorded(case.records, case.at, case.created_at)  # days were within their bounds when it was recorded
    assert isinstance(action, DefinedWrite | DefinedRead)
    within = type(action)(action.definition, action.version, world)
    try:
        parsed = parse_arguments(within.arguments, read_arguments(case.arguments))
        refusal = refusal_of(within, parsed, Identity(case.sub, case.email), world.moment())
    except (InvalidArguments, MerchantUnavailable) as error:
        return error.code
    return refusal.code if refusal else ALLOWED


def refusal_of(
    action: DefinedWrite | DefinedRead, entered: Arguments, who: Identity, moment: datetime
) -> Reason | None:
    """Return the definition's own refusal, or None; the workspace's rules are not checked."""
    if isinstance(action, DefinedRead):
        found = action.look_up(entered, who, Requests())
        return found if isinstance(found, Reason) else None
    records = action.gather(entered, who)
    if isinstance(records, Reason):
        return records
    terms = action.complete(entered, records)
    if isinstance(terms, Reason):
        return terms
    return action.obstacle(terms.arguments, Facts(records, moment, None, Decimal(0)))
