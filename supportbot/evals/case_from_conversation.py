"""Turns a conversation, or one of its questions, into a case: the customer's messages, with personal data masked, and
the merchant's id of the customer.

The expectations are only a proposal, which a person reviews before saving. They are the facts that the team wrote
instead of the answer, and the confirmed action. If there are neither, the proposed action is expected or, if there is
none, the sources of the answer.
"""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import QuerySet

from actions.models import ActionRequest
from actions.states import State
from supportbot.builtin.intents import courtesy_by_words
from supportbot.chat.models import Audience, Conversation, Message, Source
from supportbot.evals.suite_formats.document_values import MAX_TEXT
from supportbot.evals.suite_formats.expectations import MAX_VALUE_TEXT
from supportbot.evals.suite_formats.own_format import MAX_STEPS
from supportbot.language.detection import base_language
from supportbot.language.figures import all_figures_in
from supportbot.language.personal_data import without_names, without_personal_data
from supportbot.language.plain_text import plain
from supportbot.language.sentences import sentences_of, unmarked

LEAST_FACT: Final = 20  # minimum number of characters; shorter sentences, such as "One moment, please", state no fact
MOST_FACTS: Final = 3
SETTLED: Final = (
    State.REFUSED, State.AWAITING_APPROVAL, State.QUEUED, State.EXECUTING, State.UNKNOWN, State.SUCCEEDED, State.FAILED,
)  # fmt: skip
_KEY: Final = 12


def case_of_chat(conversation: Conversation) -> dict[str, Any]:
    """Return the document of a case made from a conversation; "expect" is empty if nobody answered."""
    answers = _messages(conversation).filter(source=Source.ASSISTANT).exclude(text="")
    answer = answers.last()
    made = requests_in(conversation)
    instead = expected_instead(answer) if answer else {}
    expect = {**settled_action_in(conversation, made), **instead} if instead else action_in(conversation, made)
    if not expect and answer:
        expect = expected_again(answer)
    return {**asked_until(conversation, key=f"chat-{str(conversation.pk)[-_KEY:]}"), "expect": expect}


def case_of_message(message: Message, expect: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a case that sends the customer's messages up to an answer."""
    key = f"answer-{str(message.pk)[-_KEY:]}"
    return {**asked_until(message.conversation, key=key, seq=message.seq), "expect": expect}


def asked_until(conversation: Conversation, *, key: str, seq: int | None = None) -> dict[str, Any]:
    """Return a case without expectations that sends the customer's messages, or only those before `seq`."""
    questions = _messages(conversation).filter(source=Source.CUSTOMER)
    if seq is not None:
        questions = questions.filter(seq__lt=seq)
    texts = [text for text in questions.values_list("text", flat=True) if text.strip()]
    names = _names_in(conversation)
    # If there is an answer, keep the last messages, because its question is the last one; otherwise, keep the first.
    kept = texts[:MAX_STEPS] if seq is None else texts[-MAX_STEPS:]
    steps = [masked(text, *names) for text in kept]
    case: dict[str, Any] = {"id": key, "locale": conversation.locale}
    if customer := _customer_of(conversation):
        case["customer"] = customer
    return {**case, **({"ask": steps[0]} if len(steps) == 1 else {"steps": steps}), "tags": ["chat"]}


def masked(text: str, *names: str) -> str:
    """Return the text with these names, e-mail addresses, and card, account and phone numbers masked."""
    # The order matters: a name may be part of an address.
    return without_names(without_personal_data(text), dict.fromkeys(names, "[NAME]"))[:MAX_TEXT]


def expected_instead(answer: Message) -> dict[str, Any]:
    """Return the facts that the team wrote after an answer from the assistant and before the customer's next message;
    {} if it wrote none.
    """
    return expected_of_replies(_replies_to(answer))


def _replies_to(answer: Message) -> list[Message]:
    later = _messages(answer.conversation).filter(seq__gt=answer.seq)
    first = later.filter(source=Source.AGENT).first()
    if first is None:
        return []
    asked_again = later.filter(source=Source.CUSTOMER, seq__gt=first.seq).first()
    replies = later.filter(source=Source.AGENT)
    return list(replies.filter(seq__lt=asked_again.seq) if asked_again else replies)


def expected_of_replies(replies: Sequence[Message]) -> dict[str, Any]:
    """Return the facts in the team's replies: the sentences with figures, or else the first sentences."""
    if not replies:
        return {}
    conversation = replies[0].conversation
    names = _names_in(conversation)
    language = base_language(conversation.locale)
    facts = [fact for reply in replies for fact in _facts_in(reply.text, names)]
    found = [fact for fact in facts if all_figures_in(fact, language)] or facts
    return {"says": list(dict.fromkeys(found))[:MOST_FACTS]} if found else {}


def expected_again(answer: Message) -> dict[str, Any]:
    """Return the expectation that an answer has the same sources.

    If it has none or is an abstention, or if the team replied to it, return the expectation that the question is
    answered.
    """
    sources = list(dict.fromkeys(answer.citations.values_list("external_id", flat=True)))
    # An abstention points to a gap in the articles, which the case should reveal. If the team wrote something, it may
    # have corrected the source.
    is_good = sources and not answer.is_abstention and not _replies_to(answer)
    return {"source": sources} if is_good else {"abstains": False}


def expected_to_differ(answer: Message) -> dict[str, Any]:
    """Return the expectation that no fact of an untrue answer is stated again."""
    facts = _facts_in(answer.text, _names_in(answer.conversation))
    return {"abstains": False, **({"never_says": facts[:MOST_FACTS]} if facts else {})}


def requests_in(conversation: Conversation) -> QuerySet[ActionRequest]:
    """Return the assistant's proposals and look-ups in a conversation."""
    rows: QuerySet[ActionRequest] = ActionRequest.objects.filter(conversation_id=conversation.pk, undoes=None)
    return rows.exclude(proposed_by__startswith="user:")


def action_in(conversation: Conversation, rows: QuerySet[ActionRequest]) -> dict[str, Any]:
    """Return the action that the assistant proposed last, or the reason why the rules refused it; {} if there is none.

    Arguments with personal data, such as an address, are left out.
    """
    request = rows.order_by("-created_at", "-id").first()
    if request is None:
        return {}
    if request.state == State.REFUSED:
        return {"refuses": request.reason_code or True}
    names = _names_in(conversation)
    plain_values = {key: value for key, value in request.arguments.items() if isinstance(value, str)}
    arguments = {key: value for key, value in plain_values.items() if masked(value, *names) == value}
    return {"proposes": {"action": request.action, **({"arguments": arguments} if arguments else {})}}


def settled_action_in(conversation: Conversation, rows: QuerySet[ActionRequest]) -> dict[str, Any]:
    """Like `action_in`, but only if the customer confirmed the action or the rules refused it: it can then be expected
    again, whatever facts the team added. Return {} for an action that nobody confirmed or that was rejected.
    """
    newest = rows.order_by("-created_at", "-id").first()
    return action_in(conversation, rows) if newest is not None and newest.state in SETTLED else {}


def _names_in(conversation: Conversation) -> tuple[str, ...]:
    """Return the names of the people in a conversation: the customer's, and those of the team who wrote to them."""
    rows = Message.objects.filter(conversation=conversation, source=Source.AGENT).order_by()
    return (conversation.customer.name, *rows.values_list("author_name", flat=True).distinct())


def _messages(conversation: Conversation) -> QuerySet[Message]:
    rows: QuerySet[Message] = Message.objects.filter(conversation=conversation, audience=Audience.EVERYONE)
    return rows.order_by("seq")


def _facts_in(text: str, names: Sequence[str]) -> list[str]:
    """Return the sentences of an answer that state facts that are suitable for a case: no greetings or thanks, and
    nothing personal.
    """
    sentences = [" ".join(one.split()) for one in sentences_of(plain(unmarked(text)))]
    return [
        one[:MAX_VALUE_TEXT]
        for one in sentences
        if len(one) >= LEAST_FACT and masked(one, *names) == one and not courtesy_by_words(one)
    ]


def _customer_of(conversation: Conversation) -> str:
    """Return the merchant's id of a signed-in customer, without which no action can be proposed. Return "" if the id
    itself is personal data, such as an e-mail address or a phone number.
    """
    external_id = conversation.customer.external_id or ""
    return external_id if masked(external_id, conversation.customer.name) == external_id else ""
