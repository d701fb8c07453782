"""Turns a conversation into a case: the customer's messages, with personal data masked, and the merchant's id of the
customer. The expectations are only a proposal derived from the assistant's answers and the action it proposed, which a
person reviews before saving.
"""

from typing import Any, Final

from actions.models import ActionRequest
from actions.states import State
from supportbot.chat.models import Audience, Conversation, Message, Source
from supportbot.evals.suite_format import MAX_STEPS
from supportbot.evals.suite_values import MAX_TEXT
from supportbot.language.personal_data import without_names, without_personal_data

_KEY: Final = 12


def case_of_chat(conversation: Conversation) -> dict[str, Any]:
    """Return the document of a case; "expect" is empty if the assistant never answered."""
    said = list(Message.objects.filter(conversation=conversation, audience=Audience.EVERYONE).order_by("seq"))
    asked = [
        masked(one.text, conversation.customer.name)
        for one in said
        if one.source == Source.CUSTOMER and one.text.strip()
    ][:MAX_STEPS]
    answers = [one for one in said if one.source == Source.ASSISTANT and one.text.strip()]
    case: dict[str, Any] = {"id": f"chat-{str(conversation.pk)[-_KEY:]}", "locale": conversation.locale}
    if customer := _customer_of(conversation):
        case["customer"] = customer
    if len(asked) == 1:
        case["ask"] = asked[0]
    else:
        case["steps"] = asked
    expect = _action_in(conversation) or (_expected(answers[-1]) if answers else {})
    return {**case, "tags": ["chat"], "expect": expect}


def masked(text: str, name: str) -> str:
    """Return a text without e-mail addresses, card, account and phone numbers, and the customer's name."""
    # In this order: a name may be part of an address.
    return without_names(without_personal_data(text), {name: "[NAME]"})[:MAX_TEXT]


def _customer_of(conversation: Conversation) -> str:
    """Return the merchant's id of a signed-in customer, without which no action can be proposed; "" if it is an address
    or a number that says who they are.
    """
    external_id = conversation.customer.external_id or ""
    return external_id if masked(external_id, conversation.customer.name) == external_id else ""


def _action_in(conversation: Conversation) -> dict[str, Any]:
    """Return the action that the assistant proposed last, or the reason why the rules refused it; {} without one.

    Arguments with personal data, such as an address, are left out.
    """
    rows = ActionRequest.objects.filter(conversation_id=conversation.pk, undoes=None)
    request = rows.exclude(proposed_by__startswith="user:").order_by("-created_at", "-id").first()
    if request is None:
        return {}
    if request.state == State.REFUSED:
        return {"refuses": request.reason_code or True}
    name = conversation.customer.name
    plain = {key: value for key, value in request.arguments.items() if isinstance(value, str)}
    arguments = {key: value for key, value in plain.items() if masked(value, name) == value}
    return {"proposes": {"action": request.action, **({"arguments": arguments} if arguments else {})}}


def _expected(answer: Message) -> dict[str, Any]:
    if answer.is_abstention:
        return {"abstains": False}  # a gap in the articles, which the case should detect
    sources = list(dict.fromkeys(answer.citations.values_list("external_id", flat=True)))
    return {"source": sources} if sources else {"abstains": False}
