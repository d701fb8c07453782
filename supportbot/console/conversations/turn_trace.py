"""The trace of a turn, on one page: its question, search results, prompts, checks, duration and cost."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from actions.models import ActionRequest
from supportbot.chat.models import Citation, Message, Source, Turn
from supportbot.chat.retrieval_trace import RetrievalTrace, traces_of
from supportbot.console.display import amounts
from supportbot.console.evals.case_pages import may_make_cases
from supportbot.console.model_calls import prompt_number, purpose_label, reason_label
from supportbot.console.permissions import may
from supportbot.console.request_context import needs
from supportbot.errors import NotFound
from supportbot.handoff.desk.action_records import action_record
from supportbot.handoff.desk.assistant_activity import confirmation_label, withheld_sentences
from supportbot.llm.models import LLMBody, LLMCall
from supportbot.llm.selectors import model_in_words
from supportbot.releases.selectors import releases
from supportbot.widget.models import Rating


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a turn. `after` is the time since the question, in milliseconds."""

    after: int
    what: str
    detail: str = ""


def trace(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Show the turn that wrote one of the assistant's messages."""
    person = needs(request, "conversations:read")
    answer = Message.objects.filter(pk=message_id, source=Source.ASSISTANT).select_related("conversation").first()
    if answer is None:
        raise NotFound()
    turn = Turn.objects.filter(message_id=answer.pk).first()
    calls = list(LLMCall.objects.filter(turn_id=turn.pk).order_by("started_at", "pk")) if turn else []
    reading = traces_of(answer.conversation).get(answer.pk)
    sees_cost = may(person, "costs:read")
    context = {
        **admin.site.each_context(request),
        "title": gettext("Trace of an answer"),
        "answer": answer,
        "question": _question(answer, turn),
        "release": _release(answer),
        "steps": _steps(answer, turn, calls),
        "reading": reading,
        "passages": _passages(answer, reading),
        "withheld": withheld_sentences(reading.withheld) if reading else (),
        "verdict": confirmation_label(reading),
        "calls": [_call(call, sees_cost=sees_cost) for call in calls],
        "cost": _cost(calls) if sees_cost else None,
        "tokens": (sum(call.input_tokens for call in calls), sum(call.output_tokens for call in calls)),
        "actions": _actions(turn) if may(person, "actions:read") else [],
        "may_evaluate": may_make_cases(person),
        "ratings": list(Rating.objects.filter(message_id=answer.pk)),
    }
    return render(request, "console/trace.html", context)


def _question(answer: Message, turn: Turn | None) -> str:
    question = Message.objects.filter(conversation=answer.conversation, source=Source.CUSTOMER, seq__lt=answer.seq)
    if turn is not None and turn.from_seq is not None and turn.through_seq is not None:
        question = question.filter(seq__gt=turn.from_seq, seq__lte=turn.through_seq)
        return "\n".join(question.order_by("seq").values_list("text", flat=True))
    return ""


def _release(answer: Message) -> int | None:
    number: int | None = None
    if answer.release_id:
        number = releases().filter(pk=answer.release_id).values_list("number", flat=True).first()
    return number


def _steps(answer: Message, turn: Turn | None, calls: list[LLMCall]) -> list[Step]:
    """Return the steps in chronological order."""
    if turn is None:
        return []

    def after(moment: datetime) -> int:
        return max(0, round((moment - turn.created_at).total_seconds() * 1000))

    steps = [Step(0, gettext("Asked"))]
    if turn.started_at:
        attempts = gettext("attempt {number}").format(number=turn.attempt) if turn.attempt > 1 else ""
        steps.append(Step(after(turn.started_at), gettext("Answering started"), attempts))
    for call in calls:
        model = model_in_words(call.provider, call.model)
        detail = f"{purpose_label(call.purpose)}, {model}"
        is_sent = call.outcome != LLMCall.Outcome.SKIPPED
        what = gettext("Sent to the model") if is_sent else gettext("Not sent: too little of today's budget is left")
        steps.append(Step(after(call.started_at), what, detail))
        if call.first_token_at is not None:
            steps.append(Step(after(call.first_token_at), gettext("First word"), model))
    steps.append(Step(after(turn.finished_at or answer.created_at), gettext("Answered"), turn.failure_code))
    return sorted(steps, key=lambda step: step.after)


def _passages(answer: Message, reading: RetrievalTrace | None) -> list[dict[str, Any]]:
    """Return the passages that search found, best first. For each, say whether the answer cites its article."""
    cited = {str(pk) for pk in Citation.objects.filter(message=answer).values_list("article_id", flat=True)}
    found = reading.passages if reading else ()
    return [{"passage": one, "is_cited": one.article in cited} for one in found]


def _call(call: LLMCall, *, sees_cost: bool) -> dict[str, Any]:
    # The call's own page also shows the text that was sent, and requires the same right.
    body = LLMBody.objects.filter(call=call).first() if sees_cost else None
    spent = {call.currency: call.cost} if call.cost is not None else {}
    return {
        "row": call,
        # If a call was skipped, its outcome already says why.
        "reason": "" if call.outcome == LLMCall.Outcome.SKIPPED else reason_label(call.reason),
        "purpose": purpose_label(call.purpose),
        "model": model_in_words(call.provider, call.model),
        "prompt": prompt_number(call),
        "cost": amounts(spent) if sees_cost else "",
        "body": body,
    }


def _cost(calls: list[LLMCall]) -> str:
    spent: dict[str, Decimal] = {}
    for call in calls:
        if call.cost is not None:
            spent[call.currency] = spent.get(call.currency, Decimal(0)) + call.cost
    return amounts(spent)


def _actions(turn: Turn | None) -> list[Any]:
    """Return the actions that this turn proposed or used for look-ups."""
    if turn is None:
        return []
    rows = ActionRequest.objects.filter(proposal_key__startswith=f"turn:{turn.pk}:").order_by("pk")
    return [action_record(row) for row in rows]
