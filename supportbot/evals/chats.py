"""Turns a conversation into a case: the customer's messages, with personal data masked. The expectations are only a
proposal derived from the assistant's answers, which a person reviews before saving.
"""

from typing import Any, Final

from supportbot.chat.models import Audience, Conversation, Message, Source
from supportbot.evals.documents import MAX_STEPS
from supportbot.evals.values import MAX_TEXT
from supportbot.language.personal import without_names, without_personal_data

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
    if len(asked) == 1:
        case["ask"] = asked[0]
    else:
        case["steps"] = asked
    return {**case, "tags": ["chat"], "expect": _expected(answers[-1]) if answers else {}}


def masked(text: str, name: str) -> str:
    """Return a text without e-mail addresses, card, account and phone numbers, and the customer's name."""
    # In this order: a name may be part of an address.
    return without_names(without_personal_data(text), {name: "[NAME]"})[:MAX_TEXT]


def _expected(answer: Message) -> dict[str, Any]:
    if answer.is_abstention:
        return {"abstains": False}  # a gap in the articles, which the case should detect
    sources = list(dict.fromkeys(answer.citations.values_list("external_id", flat=True)))
    return {"source": sources} if sources else {"abstains": False}
