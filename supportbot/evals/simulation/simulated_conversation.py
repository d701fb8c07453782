"""Runs a conversation through the assistant's real turns, without side effects.

The conversation is never stored. Its messages are rows in memory, so nothing reaches the log, the desk, e-mails,
webhooks, the unanswered questions or the overview. Search, models, checks and look-ups work as in a real turn. The
policy decides on proposals, which are then discarded (`actions.services.preview`). A handoff is recorded and ends the
conversation. The audit trail lists look-ups and refusals by the policy under the name `evaluation`. Only the first
route may answer; otherwise, answers from a fallback would count as the model's.

With a simulated merchant (`merchants`), the customer can `press` a card. Confirmed actions are carried out there, and
the assistant's next answers take them into account. As in `actions.requests.execution`, records are read again, the
rules are applied again, and one call is sent.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final
from uuid import UUID

from actions.cards import card_of, reason_of
from actions.errors import ActionError, MerchantUnavailable, NotConnected, ReadRefused
from actions.facts import Identity
from actions.models import ActionRequest
from actions.outcomes import DidNot, Happened
from actions.principals import Principal, find_customer, principal_in_conversation
from actions.reasons import Reason
from actions.record_choices import offer_of
from actions.registry import action_named
from actions.requests.execution import back_end_of, made_with, refusal_reason
from actions.requests.reevaluation import gather_again, reevaluate, spec_of
from actions.services import preview
from actions.simulated_backend import simulated_backend
from actions.states import State
from supportbot.accounts.models import Customer, Workspace
from supportbot.assistant.action_tools import (
    look_up,
    may_replace_card,
    offered,
    outcome_of,
    own_arguments,
    result_of,
)
from supportbot.assistant.checks.evidence import mean_support
from supportbot.assistant.closest_pages import closest_pages
from supportbot.assistant.context import TurnContext, context_of
from supportbot.assistant.delta_buffer import DeltaBuffer
from supportbot.assistant.errors import ToolRefused
from supportbot.assistant.outcome_messages import explanation
from supportbot.assistant.recorded_actions import NAME as RECORDED_ACTIONS
from supportbot.assistant.recorded_actions import record_of, recorded_actions_tool
from supportbot.assistant.texts import AWAITS_APPROVAL, CANNOT_UNDO, WITHDRAWN
from supportbot.assistant.tool_results import Place, ToolResult
from supportbot.assistant.tools import (
    REQUEST_HUMAN,
    WITHDRAW_CARDS,
    Tools,
    handed_over,
    handoff_reason,
    parse_arguments,
    texts_of,
)
from supportbot.assistant.turn import Turn
from supportbot.assistant.turn_search import ON_TOPIC_FROM
from supportbot.assistant.undo_tool import UNDO_LAST
from supportbot.async_db import db
from supportbot.chat.answers import Answer
from supportbot.chat.models import Conversation, Message, Source
from supportbot.chat.turns import Claim
from supportbot.evals.build_fingerprint import product_mark
from supportbot.evals.runs.case_outcomes import WITHOUT_MODEL, CallEnd, MadeCall, Reply
from supportbot.evals.simulation.prompt_injection import PlantedTexts
from supportbot.ids import uuid7
from supportbot.language.sentences import marked_sources
from supportbot.llm.types import ModelRequest, ToolCall
from supportbot.translation import text_in

ACTOR: Final = "evaluation"  # the name used in the audit trail
_SOURCES: Final = {"customer": Source.CUSTOMER, "assistant": Source.ASSISTANT}


class SimulatedConversation:
    """A conversation in memory. Call `say` for one message after another, never concurrently."""

    def __init__(
        self, workspace: Workspace, customer: Customer, locale: str, plant: PlantedTexts | None = None
    ) -> None:
        self.plant = plant or PlantedTexts()
        self.conversation = Conversation(id=uuid7(), workspace=workspace, customer=customer, locale=locale)
        self.messages: list[Message] = []
        self.calls: list[MadeCall] = []
        # cards waiting for the customer, by action and record
        self.cards: dict[tuple[str, str, str], ActionRequest] = {}
        self.is_handed_over = False
        self._done: list[str] = []  # texts about the actions carried out
        self._pressed: list[ActionRequest] = []  # requests that the customer confirmed or declined

    @property
    def principal(self) -> Principal:
        customer = self.conversation.customer
        return replace(principal_in_conversation(customer, locale=self.conversation.locale), agent=ACTOR)

    def remember(self, history: Sequence[tuple[str, str]]) -> None:
        """Start with earlier messages of the customer and the assistant."""
        for speaker, text in history:
            self._add(_SOURCES[speaker], text)

    async def say(self, text: str) -> Reply:
        """Return the assistant's answer to a message. Raises LlmError if there is no answer."""
        began, self.calls = time.perf_counter(), []
        question = self._add(Source.CUSTOMER, text)
        turn = _Turn(self, question)
        answer = await turn.simulate()
        written = self._add(Source.ASSISTANT, answer.text)
        written.by, written.is_abstention = answer.by, answer.is_abstention
        took_ms = round((time.perf_counter() - began) * 1000, 1)
        found, by, is_abstention = turn.found, answer.by, answer.is_abstention
        inputs = await db(inputs_of, found, by=by, is_abstention=is_abstention) if found else ""
        return _reply(text, answer, turn, tuple(self.calls), took_ms, inputs)

    def press(self, *, confirms: bool) -> Reply:
        """Confirm or decline every open card, and return the chat's reply. Needs a simulated merchant."""
        began, calls = time.perf_counter(), list[MadeCall]()
        texts = []
        for request in self.cards.values():
            if confirms:
                execute_simulated(request, self.principal.identity())
                texts.append(_statement(request))
                if request.state == State.SUCCEEDED:
                    self._done.append(texts[-1])
            end: CallEnd = "declined" if not confirms else "done" if request.state == State.SUCCEEDED else "not_done"
            calls.append(
                MadeCall(request.action, request.arguments, end, request.reason_code, card_of(request).summary)
            )
            if not confirms:
                request.state, request.reason_code = State.CANCELLED, "declined"
            self._pressed.append(request)
        self.cards.clear()
        text = "\n".join(texts)
        if text:
            self._add(Source.ASSISTANT, text).by = "builtin"
        took_ms = round((time.perf_counter() - began) * 1000, 1)
        pressed = "confirm" if confirms else "decline"
        return Reply("", text, calls=tuple(calls), by="builtin", pressed=pressed, took_ms=took_ms)

    def found_again(self, reply: Reply) -> TurnContext:
        """Return the context that a turn would now find for an already answered message, and continue the conversation
        with the stored answer.
        """
        context = self.context(self._add(Source.CUSTOMER, reply.said), uuid7())
        written = self._add(Source.ASSISTANT, reply.text)
        written.by, written.is_abstention = reply.by, reply.is_abstention
        return context

    def context(self, question: Message, turn_id: UUID) -> TurnContext:
        before = [message for message in self.messages if message.seq < question.seq]
        context = context_of(self.conversation, before, [question], turn_id=turn_id, also=self.plant.passages)
        context = replace(context, done=(*context.done, *self._done))
        tools = (*((WITHDRAW_CARDS,) if self.cards else ()), *((UNDO_LAST,) if self.cards or self._done else ()))
        if requests := self.requests:
            tools = (*tools, recorded_actions_tool({request.action for request in requests}))
        request = context.request
        offered = tuple(map(may_replace_card, request.tools)) if self.cards else request.tools
        return replace(context, request=replace(request, tools=(*offered, *tools)))

    @property
    def requests(self) -> list[ActionRequest]:
        """The requests of this conversation, the newest first."""
        return [*reversed(self.cards.values()), *reversed(self._pressed)]

    def keep(self, card: ActionRequest, *, corrects: bool) -> None:
        """Add an open card. It replaces the card for the same record or, if it is a correction, the action's newest
        card.
        """
        own = (card.action, card.subject_kind, card.subject_id)
        of_action = [key for key in self.cards if key[0] == card.action]
        ended = of_action[-1] if corrects and of_action and own not in self.cards else own
        self.cards.pop(ended, None)
        self.cards[own] = card

    def _add(self, source: Source, text: str) -> Message:
        seq = len(self.messages) + 1
        self.messages.append(Message(conversation=self.conversation, seq=seq, source=source, text=text))
        return self.messages[-1]


def simulate_conversation(
    workspace: Workspace, customer_id: str, *, locale: str = "", plant: PlantedTexts | None = None
) -> SimulatedConversation:
    """Return a new conversation for the customer with this id of the merchant's, or for a visitor if the id is empty.
    Nothing is stored. Raises NotFound for an unknown id, and MerchantUnavailable.
    """
    customer = find_customer(customer_id) if customer_id else Customer(workspace=workspace)
    return SimulatedConversation(workspace, customer, locale or customer.locale or workspace.locale, plant)


class _Turn(Turn):
    """A turn whose answer is returned instead of stored or streamed."""

    def __init__(self, simulated: SimulatedConversation, question: Message) -> None:
        conversation = simulated.conversation
        claim = Claim(
            uuid7(), simulated.conversation.workspace_pk, conversation.pk, uuid7(), 1, ACTOR, question.seq - 1,
            question.seq, conversation.locale,
        )  # fmt: skip
        super().__init__(claim)
        self._deltas = _UnpublishedDeltas(claim)
        self._simulated = simulated
        self._asked = question
        self._external_ids: dict[str, str] = {}
        self.found: TurnContext | None = None

    async def simulate(self) -> Answer:
        return await self._compose()

    @property
    def query(self) -> str:
        return self._trace.query if self._trace else ""

    @property
    def passages(self) -> tuple[dict[str, Any], ...]:
        found = self._trace.passages if self._trace else ()
        return tuple({**asdict(one), "external_id": self._external_ids.get(one.article, "")} for one in found)

    @property
    def support(self) -> float | None:
        """The mean of the checks' scores for the shown sentences."""
        score = mean_support(self._streamed.sentences)
        return None if score is None else round(score, 3)

    @property
    def unmarked(self) -> int:
        """The number of shown claims whose source the model did not name."""
        shown = (one for one in self._streamed.sentences if one.cited and not one.withheld)
        return sum(not marked_sources(one.raw) for one in shown)

    async def _context(self) -> TurnContext:
        context = await db(self._simulated.context, self._asked, self.claim.turn_id)
        self.found = context
        self._external_ids = {str(one.article_id): one.external_id for one in context.passages}
        return context

    def _tools(self, request: ModelRequest) -> Tools:
        return _Tools(request, self._simulated)

    def _may_fall_back(self) -> bool:
        return False

    async def _raise_attempt(self) -> None:
        self.claim = replace(self.claim, attempt=self.claim.attempt + 1)


class _UnpublishedDeltas(DeltaBuffer):
    """Collects the written text and sends nothing."""

    def status(self, words: str) -> None:
        """Do nothing: nobody is waiting."""

    def _publish(self, index: int, text: str, *, offset: int) -> None:
        """Do nothing: nobody is listening."""


class _Tools(Tools):
    """Decides on each call like a real turn and records it, but carries out only look-ups."""

    def __init__(self, request: ModelRequest, simulated: SimulatedConversation) -> None:
        super().__init__(request.tools)
        self._simulated = simulated

    def _carry_out(self, call: ToolCall, place: Place) -> ToolResult:
        if call.name == REQUEST_HUMAN.name:
            handoff_reason(call)
            self._simulated.is_handed_over = True
            self._note(call, "handed_over")
            return handed_over(place.locale)
        if call.name == WITHDRAW_CARDS.name or (call.name == UNDO_LAST.name and self._simulated.cards):
            self._simulated.cards.clear()
            self._note(call, "withdrawn")
            closing = text_in(place.locale, WITHDRAWN)
            return ToolResult(closing, closing=closing)
        if call.name == UNDO_LAST.name:  # simulated actions are not in the ledger, so they cannot be undone
            closing = text_in(place.locale, CANNOT_UNDO)
            self._note(call, "refused", "cannot_undo", closing)
            return ToolResult(closing, closing=closing, offers_human=True)
        if call.name == RECORDED_ACTIONS:
            arguments, zone = texts_of(call, {"action", "number"}), self._simulated.conversation.workspace.zone
            found = record_of(self._simulated.requests, arguments, place.locale, zone)
            self._note(call, "answered", words=found.closing)
            return found
        return result_of(lambda: self._act(call, place), place.locale)

    def _act(self, call: ToolCall, place: Place) -> ToolResult:
        principal = replace(self._simulated.principal, locale=place.locale)
        try:
            if action_named(call.name).is_read:
                found = self._simulated.plant.into(look_up(principal, call, place))
                if found.hand_over:
                    self._simulated.is_handed_over = True
                self._note(call, "handed_over" if found.hand_over else "answered", words=found.summary)
                return found
            return self._propose(principal, call, place)
        except ActionError as error:
            self._note(call, "refused" if isinstance(error, ReadRefused) else "rejected", error.code, error.message)
            raise

    def _propose(self, principal: Principal, call: ToolCall, place: Place) -> ToolResult:
        arguments, is_correction = own_arguments(call)
        offer = offer_of(principal, call.name, arguments, conversation_id=place.claim.conversation_id)
        if offer is not None:
            result = offered(offer, place.locale)
            code = offer.reason.code if offer.reason else ""
            self._note(call, "refused" if code else "answered", code, result.closing or result.looked_up)
            return result
        shown = preview(principal, call.name, arguments)
        request, reason = shown.request, shown.decision.reason
        if shown.decision.is_refusal:
            request.state = State.REFUSED
            request.reason_code = reason.code if reason else ""
            request.reason_facts = dict(reason.facts) if reason else {}
            refused = reason_of(request)
            self._note(
                call,
                "refused",
                request.reason_code,
                refused["text"] if refused else "",
                request.arguments,
            )
        else:
            request.state = State.AWAITING_CONFIRMATION
            self._simulated.keep(request, corrects=is_correction)
            words, approvals = card_of(request).summary, shown.decision.approvals
            self._note(call, "proposed", words=words, arguments=request.arguments, approvals=approvals)
        return outcome_of(request, place.locale)

    def _audit(self, refusal: ToolRefused, place: Place, *, tool: str = "") -> None:
        """Record the refusal only in memory, because there is no customer conversation."""
        self._simulated.calls.append(MadeCall(tool[:60], {}, "rejected", refusal.code, refusal.message))

    def _note(
        self,
        call: ToolCall,
        end: CallEnd,
        reason: str = "",
        words: str = "",
        arguments: dict[str, Any] | None = None,
        approvals: int = 0,
    ) -> None:
        given = parse_arguments(call.arguments) or {} if arguments is None else arguments
        self._simulated.calls.append(MadeCall(call.name, given, end, reason, words, approvals))


def _statement(request: ActionRequest) -> str:
    """Return the chat's text after a card has been confirmed. For stored requests, see `assistant.outbox_consumers`."""
    if request.state == State.AWAITING_APPROVAL:
        return text_in(request.locale, AWAITS_APPROVAL)
    if request.state == State.CANCELLED:
        reason = reason_of(request)
        return reason["text"] if reason else ""
    return explanation(request)


def _reply(said: str, answer: Answer, turn: _Turn, calls: tuple[MadeCall, ...], took_ms: float, inputs: str) -> Reply:
    return Reply(
        said=said,
        text=answer.text,
        citations=tuple(span.as_payload() for span in answer.citations),
        passages=turn.passages,
        withheld=tuple(asdict(one) for one in answer.withheld),
        calls=calls,
        query=turn.query,
        by=answer.by,
        is_abstention=answer.is_abstention,
        is_confirmed=answer.is_confirmed,
        support=turn.support,
        took_ms=took_ms,
        unmarked=turn.unmarked,
        inputs=inputs,
    )


def inputs_of(context: TurnContext, *, by: str, is_abstention: bool) -> str:
    """Return a digest of everything in a context that affects the answer and that articles or an upgrade can change.
    For an abstention, that includes the pages that it offers. The instructions are left out because they contain the
    time; apart from the time, they depend only on the release, the passages and the build.
    """
    request, curated = context.request, context.curated
    parts = (request, *request.parts)
    passages = [(one.external_id, one.title, one.url, one.heading, one.text, one.page) for one in context.passages]
    facts = (
        product_mark(),
        [(one.role, one.content) for one in request.messages if one.role != "system"],
        [tool.name for tool in request.tools],
        passages,
        [(one.question, one.looked_up, one.is_answerable, one.locale) for one in parts],
        [[(source.number, source.title, source.text) for source in one.sources] for one in parts],
        [[round(source.weight, 9) for source in one.sources] for one in parts] if by in WITHOUT_MODEL else (),
        (curated.external_id, curated.title, curated.url, curated.text) if curated else (),
        _pages_offered(context) if is_abstention else (),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _pages_offered(context: TurnContext) -> list[tuple[str, str]]:
    """Return the title and address of each page that an abstention may offer."""
    if context.confidence < ON_TOPIC_FROM:
        return []
    return [(page.title, page.url) for page in closest_pages(context.passages, context.viewer)]


def execute_simulated(request: ActionRequest, identity: Identity) -> ActionRequest:
    """Confirm a previewed request, send it to the simulated merchant, and return it. The request stays in memory.

    Afterwards, it has succeeded with a receipt, has failed or been cancelled with a reason, or awaits a person's
    approval. Raises RuntimeError without a simulated merchant, because an evaluation must not reach a real system.
    """
    if simulated_backend() is None:
        raise RuntimeError("No simulated shop is set up, so an evaluated conversation cannot carry out actions.")
    try:
        return _carried_out(request, identity)
    except (MerchantUnavailable, NotConnected):
        return _ended(request, State.FAILED, Reason("not_carried_out"))


def _carried_out(request: ActionRequest, identity: Identity) -> ActionRequest:
    records = gather_again(request, identity)
    decision = reevaluate(request, records)
    if decision.is_refusal:
        return _ended(request, State.CANCELLED, decision.reason)
    if decision.needs_approval:
        return _ended(request, State.AWAITING_APPROVAL, None)
    spec = spec_of(request)
    assert spec is not None and not isinstance(records, Reason)  # otherwise it was refused
    command = spec.command(request.arguments, records, key=str(request.pk))
    if isinstance(command, Reason):
        return _ended(request, State.FAILED, command)
    match back_end_of(request).run(command, idempotency_key=str(request.pk)):
        case Happened() as happened:
            made = made_with(request)
            request.receipt = made.receipt(request.arguments, happened.result) if made else {}
            return _ended(request, State.SUCCEEDED, None)
        case DidNot(is_final=True) as refusal:
            return _ended(request, State.FAILED, refusal_reason(refusal))
    return _ended(request, State.UNKNOWN, Reason("outcome_unknown"))


def _ended(request: ActionRequest, state: State, reason: Reason | None) -> ActionRequest:
    request.state = state
    request.reason_code, request.reason_facts = (reason.code, dict(reason.facts)) if reason else ("", {})
    return request
