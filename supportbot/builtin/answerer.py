"""The built-in answerer's reply to a request: a quotation, a courtesy, a tool call or an honest "not found". It also
writes drafts for agents and summaries for the person who takes over. Pure.

Search has already decided whether there is an answer (`is_answerable`). If the customer wants an action, the action
comes before a quotation, and its tool is called as a model would call it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, get_args

import orjson

from supportbot.builtin.actions.asking import Reply
from supportbot.builtin.actions.next_step import gives_figure, needs_account, next_step, says_yes_to_card
from supportbot.builtin.actions.orders import called_with
from supportbot.builtin.answer_types import figure_first
from supportbot.builtin.complaints import BEFORE_CARD_FROM, COMPLAINT_FROM, is_complaint, reports_order_problem
from supportbot.builtin.intents import (
    courtesy,
    is_mere_no,
    is_surely,
    language_of,
    wants_person,
    wants_undo,
    without_records,
)
from supportbot.builtin.phrases import Courtesy, Phrase, is_unanswered_offer_of_a_person, phrase_in, say
from supportbot.builtin.question_rewriting import MAX_QUOTE, said_by_customer, standalone
from supportbot.builtin.quotable_pieces import Piece
from supportbot.builtin.quoting import lead_to, quoted
from supportbot.builtin.ranking import Ranked, ranked
from supportbot.language.detection import base_language, detect
from supportbot.language.follow_ups import asks_something, is_question
from supportbot.language.order_numbers import order_numbers_in
from supportbot.llm.types import ChatMessage, ModelRequest, ToolCall
from supportbot.translation import with_label

HUMAN_TOOL: Final = "request_human"
MAX_REASON: Final = 200
SAID_ALONE: Final[tuple[Phrase, ...]] = (
    *get_args(Courtesy), "not_found", "not_understood", "nothing_to_undo", "no_person", "left_alone", "use_card",
)  # fmt: skip
MAX_NAMED: Final = 120  # characters of a repeated question


def reply_to(request: ModelRequest) -> Reply:
    """Return the reply to a request, whatever its purpose."""
    if request.purpose == "rewrite":
        return Reply(standalone(request.question, request.messages))
    if request.purpose == "summarise":
        return Reply(_summary(request.messages, base_language(request.locale)))
    language = language_of(request.question, base_language(request.locale))
    if request.purpose == "draft":
        return _with_regret(Reply(_draft(request, language)), request, language)
    return _with_regret(_reply(request, language), request, language)


def _with_regret(reply: Reply, request: ModelRequest, language: str) -> Reply:
    """Return the reply. If the customer reports that something went wrong, it begins with an apology. Calls, which
    report their own outcome, and texts that replace an answer are unchanged.
    """
    is_instead = any(reply.text == say(phrase, language) for phrase in SAID_ALONE)
    has_regret = reply.text.startswith(say("complaint", language)) or _has_called_action(request)
    if not reply.text or reply.calls or is_instead or has_regret or not is_complaint(request.question):
        return reply
    return replace(reply, text=f"{say('regret', language)}\n\n{reply.text}")


def _reply(request: ModelRequest, language: str) -> Reply:
    if _asks_for_a_person(request):
        return _to_a_person(request, language)
    if _has_accepted_offer(request):
        # An apology with a card also offers to hand over to a person. A "yes" does not confirm the card, so the reply
        # mentions its button as well as the offer.
        if says_yes_to_card(request):
            return Reply(f"{say('use_card', language)} {say('offer', language)}")
        return _to_a_person(request, language)
    if (step := next_step(request, language)) is not None:
        return _heard(step, request, language)
    if needs_account(request):
        return Reply(_with_offer(_for_a_visitor(request, language), request.question, language))
    # check after `next_step`, because "the second one" is unclear only if nothing was asked
    if kind := courtesy(request.question):
        return Reply(say(kind, language))
    if is_mere_no(request.question):
        return Reply(say("acknowledgement", language))
    answer = _with_offer(_answer(request, language), request.question, language)
    return Reply(answer or say(_otherwise(request.question), language))


def _heard(step: Reply, request: ModelRequest, language: str) -> Reply:
    """Return a step towards an action. If the customer reports a problem and the step shows a card or asks what they
    want, it begins with an apology. If they ask nothing, it also offers to hand over to a person, because they may not
    want this action at all.
    """
    question = request.question
    if _ends_look_up(step, request) and reports_order_problem(question):
        # "It says delivered, but it is not here": the look-up tells the state, and a page may say what to do.
        answer = _answer(request, language) if request.is_answerable else ""
        if not answer and not (order_numbers_in(question) and is_complaint(without_records(question))):
            return step
        return Reply("\n\n".join(part for part in (say("complaint", language), answer) if part))
    makes_card = not _actions_in(request).isdisjoint(call.name for call in step.calls)
    if makes_card and _has_called_action(request):  # the apology came with the first call
        return step
    if not makes_card and (phrase_in(step.text) != "meant" or asks_something(question)):
        return step
    least = BEFORE_CARD_FROM if makes_card else COMPLAINT_FROM
    if not is_complaint(question, least) and courtesy(question) != "complaint":
        return step
    regret = say("regret" if asks_something(question) else "complaint", language)
    return replace(step, text="\n\n".join(part for part in (regret, step.text) if part))


def _ends_look_up(step: Reply, request: ModelRequest) -> bool:
    """Return whether a step adds nothing to a look-up of this turn, whose result is the answer."""
    look_ups = {tool.name for tool in request.tools if tool.is_read}
    return step == Reply() and not look_ups.isdisjoint(called_with(request.messages))


def _has_called_action(request: ModelRequest) -> bool:
    """Return whether an action was called earlier in this turn. If the built-in answerer called it, it has already
    apologised.
    """
    return not _actions_in(request).isdisjoint(called_with(request.messages))


def _actions_in(request: ModelRequest) -> frozenset[str]:
    """Return the names of the actions that change something, so that calling them shows a card."""
    return frozenset(tool.name for tool in request.tools if tool.examples and not tool.is_read)


def _with_offer(answer: str, question: str, language: str) -> str:
    """Return an answer. If the customer reports a problem and asks nothing, it begins with an apology and an offer to
    hand over to a person: such a customer wants to be heard and may not want to read a page.
    """
    if not answer or asks_something(question) or not is_complaint(question):
        return answer
    return f"{say('complaint', language)}\n\n{answer}"


def _draft(request: ModelRequest, language: str) -> str:
    """Return a quotation for an agent's reply, without the assistant's phrases about itself. Return "" for courtesies
    such as a greeting, and if the customer asks for a person, because the agent is one.
    """
    if _asks_for_a_person(request) or _has_accepted_offer(request) or courtesy(request.question):
        return ""
    return _answer(request, language)


def _otherwise(question: str) -> Phrase:
    """Return the phrase for a question that has no answer."""
    if is_surely("contact", question):
        return "no_person"
    if wants_undo(question):
        return "nothing_to_undo"
    if is_surely("nonsense", question):
        return "not_understood"
    return "complaint" if is_complaint(question) and not asks_something(question) else "not_found"


def _for_a_visitor(request: ModelRequest, language: str) -> str:
    """Return the reply to a visitor who has to sign in for what they want. A question is answered from the public help
    pages, followed by a hint to sign in. Otherwise, the visitor is first asked to sign in. No page is quoted for a
    request that names an order, because only the account knows about this order.
    """
    names_order, asks = bool(order_numbers_in(request.question)), asks_something(request.question)
    answer = _answer(request, language) if asks or not names_order else ""
    if answer and asks and not names_order:
        return f"{answer}\n\n{say('once_signed_in', language)}"
    return "\n\n".join(part for part in (say("sign_in", language), answer) if part)


def quotation_for(request: ModelRequest) -> str:
    """Return the quotation from the sources that answers the question; "" if there is nothing to quote."""
    return _answer(request, language_of(request.question, base_language(request.locale)))


def _asks_for_a_person(request: ModelRequest) -> bool:
    actions = [tool for tool in (*request.tools, *request.tools_signed_in) if tool.name != HUMAN_TOOL]
    return wants_person(request.question, actions) and not gives_figure(request)


def _has_accepted_offer(request: ModelRequest) -> bool:
    """Return whether the customer says yes to the last answer, which offered to hand over to a person."""
    answers = [message.content for message in request.messages if message.role == "assistant"]
    return bool(answers) and is_unanswered_offer_of_a_person(answers[-1]) and is_surely("affirm", request.question)


def _to_a_person(request: ModelRequest, language: str) -> Reply:
    if HUMAN_TOOL not in {tool.name for tool in request.tools}:
        return Reply(say("no_person", language))
    reason = orjson.dumps({"reason": request.question[:MAX_REASON]}).decode()
    return Reply(say("to_person", language), (ToolCall("builtin-1", HUMAN_TOOL, reason),))


def _answer(request: ModelRequest, language: str) -> str:
    """Return the answers from the sources, including a note on the questions that have none; "" if no question has an
    answer.
    """
    shown: list[Piece] = []
    texts: list[str] = []
    missing: list[str] = []
    found = [(part, _chosen(part, language) if part.is_answerable else []) for part in request.parts or (request,)]
    for part, chosen in found:
        fresh = [entry for entry in chosen if entry.piece not in shown]
        shown += [entry.piece for entry in fresh]
        texts += [quoted(entry, part.sought, language) for entry in fresh]
        if (lead := lead_to(fresh, language)) and lead not in texts:
            texts.insert(-len(fresh), lead)
        # If another question depends on this one, both were searched for together, and one answer covers both.
        is_answered = any(part.question in other.sought for other, pieces in found if pieces)
        if not chosen and not is_answered and is_question(part.question):
            missing.append(_nothing_on(part.question, language))
    # Answers come first, whatever the order of the questions.
    return "\n\n".join([*texts, *missing]) if texts else ""


def _chosen(request: ModelRequest, language: str) -> list[Ranked]:
    return figure_first(ranked(request), request.question, language)


def _nothing_on(question: str, language: str) -> str:
    return say("nothing_on", language, question=" ".join(question.split()).rstrip("?!. ")[:MAX_NAMED])


def _summary(messages: Sequence[ChatMessage], locale: str) -> str:
    """Return up to three lines for the person who takes over: the customer's first and last message, and the last
    answer.
    """
    said = said_by_customer(messages)
    language = detect(" ".join(said), locale)
    if not said:
        return say("nothing_said", language)
    lines = [with_label(language, say("wants", language), _quote(said[0]))]
    if len(said) > 1:
        lines.append(with_label(language, say("last_said", language), _quote(said[-1])))
    answers = [message.content for message in messages if message.role == "assistant" and message.content.strip()]
    if answers:
        lines.append(with_label(language, say("answered", language), _quote(answers[-1])))
    return "\n".join(lines)


def _quote(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 1].rsplit(" ", 1)[0] + "…"
