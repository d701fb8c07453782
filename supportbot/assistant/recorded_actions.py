"""The tool that answers whether something was done in a conversation, and when, from the requests on record. The texts
are our own; no model writes them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Final

from actions.models import ActionRequest
from actions.states import State
from supportbot.assistant.errors import BadArguments
from supportbot.assistant.outcome_messages import status_of
from supportbot.assistant.texts import NOTHING_OF_THE_KIND
from supportbot.assistant.tool_results import Place, ToolResult
from supportbot.assistant.undo_tool import NUMBER_MOST, is_number_of
from supportbot.chat.models import Conversation
from supportbot.chat.turns import check_held
from supportbot.language.order_numbers import order_numbers_in
from supportbot.llm.types import ToolSpec
from supportbot.translation import text_in

NAME: Final = "recorded_actions"
SHOWN_MOST: Final = 3
_REQUESTS_MOST: Final = 20  # number of a conversation's newest requests to read
_SIGNS: Final = re.compile(r"[#\s_-]")
_UNSUCCESSFUL: Final = (State.REFUSED, State.FAILED, State.REJECTED, State.UNKNOWN)


def recorded_actions_tool(actions: Iterable[str]) -> ToolSpec:
    """Return the tool for a conversation with requests for these actions."""
    return ToolSpec(
        name=NAME,
        description=(
            "Tell the customer what was done in this chat, when and with which reference, or that it was not done, if "
            "they ask whether it was. It changes nothing."
        ),
        parameters={
            "type": "object",
            "properties": {
                "action": {
                    "type": "string",
                    "enum": sorted(actions),
                    "description": "The action that the customer asks about, if they name one.",
                },
                "number": {
                    "type": "string",
                    "maxLength": NUMBER_MOST,
                    "description": "The order or other number that they ask about, if they name one.",
                },
            },
            "additionalProperties": False,
        },
    )


def recorded_actions(arguments: Mapping[str, str], place: Place) -> ToolResult:
    """Return what is on record about the conversation's requests that the arguments describe. Raises LeaseLost or
    BadArguments.
    """
    check_held(place.claim)
    conversation = Conversation.objects.select_related("workspace").get(pk=place.claim.conversation_id)
    requests = ActionRequest.objects.filter(conversation_id=conversation.pk, customer_id=conversation.customer_id)
    newest = requests.order_by("-changed_at", "-id")[:_REQUESTS_MOST]
    return record_of(newest, arguments, place.locale, conversation.workspace.zone)


def record_of(
    requests: Iterable[ActionRequest], arguments: Mapping[str, str], language: str, zone: tzinfo
) -> ToolResult:
    """Return what is on record about the requests that the arguments describe. `requests` begins with the newest.
    Raises BadArguments for an action that none of them is for: "Nothing of the kind was done" might be untrue.
    """
    known, action = list(requests), arguments.get("action", "")
    if action not in ("", *(request.action for request in known)):
        raise BadArguments()
    number = arguments.get("number", "").strip()[:NUMBER_MOST]
    meant = [
        request
        for request in known
        if action in ("", request.action) and (not number or _is_about(request.subject_id, number))
    ]
    newest = list(_latest(meant))[:SHOWN_MOST]
    if not newest:
        closing = text_in(language, NOTHING_OF_THE_KIND)
        return ToolResult(closing, closing=closing, offers_human=True)
    closing = "\n\n".join(status_of(request, language, zone) for request in newest)
    return ToolResult(closing, closing=closing, offers_human=newest[0].state in _UNSUCCESSFUL)


def _is_about(subject: str, number: str) -> bool:
    """Return whether a number is that of a record. A model may write "order A-1001", "#1001" or "A1001"."""
    written = (_SIGNS.sub("", one) for one in (number, *order_numbers_in(number, is_asked=True)))
    return any(one and is_number_of(one, _SIGNS.sub("", subject)) for one in written)


def _latest(requests: Iterable[ActionRequest]) -> Iterator[ActionRequest]:
    """Yield the requests that were carried out, and each other one that is the newest for its action and record."""
    seen = set()
    for request in requests:
        key = (request.action, request.subject_kind, request.subject_id)
        if request.state == State.SUCCEEDED or key not in seen:
            yield request
        seen.add(key)
