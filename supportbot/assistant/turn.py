"""One turn of the assistant, from a claimed row to its last event.

Invariants: every write by a turn specifies its claim. Once the claim is lost (an agent took over, or another runner
holds the turn), nothing more is sent or stored. "Stop" ends the turn with the text shown so far. Tools are used only
when the answer that calls them is complete. A proposal ends the turn: nothing that a model or fallback writes may
follow it.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing, nullcontext, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant import second_look
from supportbot.assistant.action_tools import proposed_before
from supportbot.assistant.admission import Admission
from supportbot.assistant.answer_assembly import answer_from_curated, finalize
from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.checks.evidence import Author
from supportbot.assistant.closest_pages import with_closest_pages
from supportbot.assistant.context import TurnContext, build_context
from supportbot.assistant.delta_buffer import DeltaBuffer, StatusLine
from supportbot.assistant.lease_thread import leases
from supportbot.assistant.prompts import GuidelineMarks, confidential_text, second_try
from supportbot.assistant.texts import BUSY, READING, SEARCHING, STILL_WORKING
from supportbot.assistant.tool_results import Place, ToolResult
from supportbot.assistant.tools import Tools, answerable
from supportbot.assistant.turn_limits import MAX_STEPS, PIECE_CHARACTERS
from supportbot.assistant.turn_telemetry import SECOND_TRIES, TurnReport
from supportbot.assistant.vector_prefetch import vectors_prefetched
from supportbot.assistant.vectors_for_checks import vectors_of
from supportbot.async_db import db, outside
from supportbot.builtin.answerer import quotation_for
from supportbot.chat.answers import Answer
from supportbot.chat.errors import LeaseLost
from supportbot.chat.retrieval_trace import RetrievalTrace
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import Signal, StopRequested, TurnsSuperseded, WatchRequested
from supportbot.chat.turns import Claim, Heartbeat, fail_turn, finish_turn, restart_attempt
from supportbot.language.detection import base_language
from supportbot.llm import gateway
from supportbot.llm.errors import LlmError
from supportbot.llm.types import (
    CUT_OFF,
    Blocks,
    ChatMessage,
    Finished,
    ModelEvent,
    ModelRequest,
    Restarted,
    RouteStarted,
    TextDelta,
    ToolCall,
)
from supportbot.observing import span_descriptions
from supportbot.observing.logs import concerning
from supportbot.observing.tracing import span
from supportbot.translation import text_in

logger = logging.getLogger(__name__)


class Turn:
    """Carries out a claim as soon as there is room for it. Can be used only once."""

    def __init__(self, claim: Claim, admission: Admission | None = None) -> None:
        self.claim = claim
        self._admission = admission
        self._deltas = DeltaBuffer(claim)
        self._streamed = CheckedStream((), "en")
        self._language = base_language(claim.locale)  # until the question has been read
        self._locale = ""
        self._status = StatusLine(self._deltas, text_in(self._language, SEARCHING))
        self._trace: RetrievalTrace | None = None
        self._release: UUID | None = None
        self._guidelines = GuidelineMarks(())
        self._is_stopped = False
        self._is_void = False
        self._lookup_summaries: list[str] = []  # our own texts about the look-ups
        self._looked_up: list[str] = []  # the full text of each result
        self._blocks: tuple[Mapping[str, Any], ...] = ()  # the answer's buttons and forms
        self._cards: tuple[Mapping[str, Any], ...] = ()  # records that were looked up
        self._report = TurnReport(claim)
        self._writing: asyncio.Task[Answer] | None = None
        self._is_claim_changing = False

    async def run(self) -> None:
        """Write and store the answer, or record that it failed."""
        claim, report = self.claim, self._report
        ids = {"turn": claim.turn_id, "conversation": claim.conversation_id, "workspace": claim.workspace_id}
        with (
            workspace_scope(claim.workspace_id),
            concerning(**ids),
            span(span_descriptions.turn(claim.conversation_id)),
        ):
            await signal_broker().listen(claim.conversation_id, self._on_signal)
            try:
                await self._answer()
            except LeaseLost:
                report.outcome = "lost"
                logger.info("the claim of a turn was lost")
            except LlmError as error:
                report.code = error.code
                logger.warning("a turn failed: %s", error.code)
                with suppress(LeaseLost):
                    await db(fail_turn, self.claim, error.code)
            except asyncio.CancelledError:
                report.outcome = "released"
                raise
            finally:
                report.record(self.claim.attempt)
                self._deltas.close()
                signal_broker().unlisten(claim.conversation_id, self._on_signal)

    async def _answer(self) -> None:
        with leases.kept(self):
            answer = replace(await self._write(), release=self._release, locale=self._locale)
            self._deltas.flush()
            self._report.phases.mark("first_text")
            with self._report.phases.during("store"):
                await db(finish_turn, self.claim, answer, self._trace_of(answer))
        self._report.settle(answer)

    def _trace_of(self, answer: Answer) -> RetrievalTrace | None:
        """Return the answer's sources and withheld text; None if there is nothing to record."""
        followed = () if answer.is_abstention else self._guidelines.followed
        if not answer.withheld and answer.is_confirmed is None and not followed:
            return self._trace
        return replace(
            self._trace or RetrievalTrace("", ()),
            withheld=answer.withheld,
            is_confirmed=answer.is_confirmed,
            guidelines=followed,
        )

    async def _write(self) -> Answer:
        """Return the answer, or the part of it that was shown before it was stopped. Raises LeaseLost or LlmError."""
        self._writing = asyncio.create_task(self._compose())
        if self._is_void or self._is_stopped:  # the signal arrived before there was a task to cancel
            self._writing.cancel()
        try:
            return await self._writing
        except asyncio.CancelledError:
            if self._is_void:
                raise LeaseLost() from None
            if not self._is_stopped:  # the process is shutting down
                raise
            return self._streamed.answer(is_stopped=True)

    async def _compose(self) -> Answer:
        with self._status.shown(lambda: text_in(self._language, STILL_WORKING)):
            await self._begin()
            with self._report.phases.during("search"):
                await vectors_prefetched(self.claim.conversation_id)
                async with self._admission.searching if self._admission else nullcontext():
                    context = await self._context()
            self._language, self._locale = context.language, context.locale
            self._trace, self._release = context.trace, context.release
            self._begin_answer(context)
            if self.claim.attempt > 1:
                earlier = await db(proposed_before, self.claim, context.locale)
                if earlier:
                    return await self._checked(context.request, earlier)
            if context.curated is not None:
                return self._given(answer_from_curated(context.curated))
            if context.request.is_answerable and context.passages:
                self._status.set(text_in(self._language, READING, title=context.passages[0].title))
            answer = _as_small_talk(await self._converse(context), context.courtesy)
            return await db(with_closest_pages, answer, context) if answer.is_abstention else answer

    async def _begin(self) -> None:
        """Wait until the process has room for this turn. If that takes a while, tell the customer."""
        if self._admission is None:
            return
        work = self._status.words
        if not self._admission.has_room:
            self._status.words = text_in(self._language, BUSY)
        with self._report.phases.during("queue"):
            await self._admission.enter()
        if self._status.words != work:
            self._status.set(work)

    def _given(self, answer: Answer) -> Answer:
        """Show a curated answer at once."""
        self._report.route = "builtin"
        self._deltas.emit(answer.text)
        return answer

    async def _context(self) -> TurnContext:
        return await db(build_context, self.claim)

    def _tools(self, request: ModelRequest) -> Tools:
        return Tools(request.tools)

    def _may_fall_back(self) -> bool:
        """Return whether another route may answer if the first one fails."""
        return True

    async def _converse(self, context: TurnContext) -> Answer:
        """Call the model, step by step, until it is done or a tool ends the turn. Return the answer."""
        request = context.request
        tools = self._tools(request)
        for step in range(MAX_STEPS):
            calls = await self._ask(request, context)
            with self._report.phases.during("tools"):
                results = [
                    # Read the claim only now, because a fallback may have raised its attempt.
                    await outside(tools.use, call, Place(self.claim, step, position, context.locale))
                    for position, call in enumerate(calls)
                ]
            if not calls or any(result.closing for result in results):
                return await self._ended(request, context, results)
            self._deltas.emit(self._streamed.end_paragraph())
            await self._settle()
            self._learn(results)
            request = _with_results(request, step, calls, results)
        results = [await outside(tools.end_of_steps, Place(self.claim, MAX_STEPS, 0, context.locale))]
        return await self._ended(request, context, results)

    async def _ended(self, request: ModelRequest, context: TurnContext, results: list[ToolResult]) -> Answer:
        """Return the checked answer. If it fails the checks, the model tries once more; after a second failure, a
        quotation is returned if there is one.

        The text that was withheld in both tries is stored with the answer, for the team.
        """
        answer = await self._checked(request, results)
        if not self._is_worth_another_try(answer, context, results):
            return answer
        SECOND_TRIES.inc()
        reasons = ChatMessage("system", second_try(answer.withheld))
        await self._begin_again(context)
        if await self._ask(replace(request, messages=(*request.messages, reasons), tools=()), context):
            return answer  # the model asked for a tool although none was offered
        second = await self._checked(request, results)
        withheld = (*answer.withheld, *second.withheld)
        last = self._quoted(context) or second if second.is_abstention else second
        return replace(last, withheld=withheld)

    async def _checked(self, request: ModelRequest, results: list[ToolResult]) -> Answer:
        with self._report.phases.during("check"):
            self._deltas.emit(self._streamed.finish())
            await self._settle()
            self._streamed.apply(await second_look.verdicts(request, self._streamed.doubtful, self._streamed.facts))
            return finalize(self._streamed.answer(), results, self._lookup_summaries, self._blocks, self._cards)

    def _is_worth_another_try(self, answer: Answer, context: TurnContext, results: list[ToolResult]) -> bool:
        """Return whether the checks rejected a model's answer although search was confident that the articles contain
        an answer.
        """
        has_pages = context.request.is_answerable and bool(context.passages)
        is_lost = answer.is_abstention and bool(answer.withheld) and answer.by == "model"
        return is_lost and has_pages and not results and not self._lookup_summaries

    def _quoted(self, context: TurnContext) -> Answer | None:
        """Return the built-in answerer's quotation, which replaces the text shown so far; None if it finds none."""
        self._begin_answer(context, by="builtin")
        self._streamed.write(quotation_for(context.request))
        self._streamed.finish()
        answer = self._streamed.answer()
        return answer if answer.citations else None

    async def _settle(self) -> None:
        """Give the streamed answer the vectors that it needs. A thread computes them, so the event loop stays free."""
        while texts := self._streamed.unsure:
            with self._report.phases.during("check"):
                vectors = await asyncio.to_thread(vectors_of, texts)
            self._deltas.emit(self._streamed.weigh(vectors))

    def _learn(self, results: list[ToolResult]) -> None:
        for result in results:
            self._cards += tuple(card for card in result.cards if card not in self._cards)
            if result.summary:
                self._lookup_summaries.append(result.summary)
            if result.looked_up:
                self._looked_up.append(result.looked_up)
                self._streamed.learn(result.looked_up)

    async def _ask(self, request: ModelRequest, context: TurnContext) -> list[ToolCall]:
        """Stream a model's answer through the checks; return the tool calls in it."""
        calls: list[ToolCall] = []
        with self._report.phases.during("model"):
            async with aclosing(gateway.stream(request, may_fall_back=self._may_fall_back)) as events:
                async for event in events:
                    await self._take(event, context, calls)
        return calls

    async def _take(self, event: ModelEvent, context: TurnContext, calls: list[ToolCall]) -> None:
        match event:
            case TextDelta(text):
                await self._show(self._guidelines.without_marks(text))
            case Blocks(blocks):
                self._blocks = blocks
            case ToolCall():
                calls.append(event)
            case RouteStarted(provider=provider):
                self._streamed.by, self._report.route = _author(provider), provider
            case Finished(finish_reason=reason):
                await self._show(self._guidelines.rest())
                if reason in CUT_OFF:
                    self._streamed.break_off()
            case Restarted(provider=provider):
                calls.clear()
                await self._begin_again(context)
                self._streamed.by, self._report.route = _author(provider), provider

    async def _show(self, text: str) -> None:
        """Check and show text in small pieces, so that a server that sends pages of text at once does not block other
        chats.
        """
        for start in range(0, len(text), PIECE_CHARACTERS):
            if start:
                await asyncio.sleep(0)
            self._deltas.emit(self._streamed.write(text[start : start + PIECE_CHARACTERS]))
            await self._settle()
            if self._deltas.text:
                self._report.phases.mark("first_text")

    async def _begin_again(self, context: TurnContext) -> None:
        """Start over for another route or try. Readers notice this only if text has already been shown."""
        self._begin_answer(context)
        if not self._deltas.text:
            return
        self._is_claim_changing = True
        try:
            await self._raise_attempt()
            self._deltas.restart(self.claim)
        finally:
            self._is_claim_changing = False

    async def _raise_attempt(self) -> None:
        """Continue under the next attempt. If a stop was requested in the meantime, it is already in the row and ends
        this attempt.
        """
        raising = asyncio.create_task(db(restart_attempt, self.claim))
        try:
            self.claim = await asyncio.shield(raising)
        except asyncio.CancelledError:
            self.claim = await raising
            raise

    def _begin_answer(self, context: TurnContext, by: Author = "model") -> None:
        self._blocks = ()
        self._guidelines = GuidelineMarks(context.guidelines if by == "model" else ())
        self._streamed = CheckedStream(
            context.passages,
            context.language,
            context.customer_messages,
            site=settings.BASE_URL,
            now=context.now,
            looked_up=self._looked_up,
            done=context.done,
            confidential=confidential_text(context.request.messages[0].content),
            strictness=context.strictness,
            by=by,
            looks_twice=gateway.has_route("verify"),
        )

    def _on_signal(self, signal: Signal) -> None:
        if isinstance(signal, TurnsSuperseded):
            self.claim_lost()
        elif isinstance(signal, StopRequested) and signal.turn == str(self.claim.turn_id):
            self.stop_requested()
        elif isinstance(signal, WatchRequested):
            self._deltas.repeat()
            self._status.repeat()

    def _cancel(self) -> None:
        if self._writing is not None:
            self._writing.cancel()

    # --- Called by the thread that keeps the leases, which also notices stops and lost claims whose signals did not
    # arrive.

    def heartbeat(self) -> Heartbeat | None:
        text, index = self._deltas.sent
        return None if self._is_claim_changing else Heartbeat(self.claim, text, index)

    def claim_lost(self) -> None:
        self._is_void = True
        self._cancel()

    def stop_requested(self) -> None:
        self._is_stopped = True
        self._cancel()


def _as_small_talk(answer: Answer, courtesy: str) -> Answer:
    """Return the answer as a reply to a courtesy, so that no question counts as unanswered."""
    return replace(answer, courtesy=courtesy, is_abstention=False) if courtesy else answer


def _author(provider: str) -> Author:
    return "builtin" if provider == "builtin" else "model"


def _with_results(request: ModelRequest, step: int, calls: list[ToolCall], results: list[ToolResult]) -> ModelRequest:
    calls_to_answer = [answerable(call, step, position) for position, call in enumerate(calls)]
    answers = [
        ChatMessage("tool", result.for_model, tool_call_id=call.id)
        for call, result in zip(calls_to_answer, results, strict=True)
    ]
    message = ChatMessage("assistant", "", tool_calls=tuple(calls_to_answer))
    return replace(request, messages=(*request.messages, message, *answers))
