"""Four weeks of conversations for the demo, so that its figures, results and findings are not empty on the first day.

They are made up, and the customers' names and each conversation's first line say so. No conversation needs attention.
All of them are written at once, in bulk, and only if the workspace has no conversation yet.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.db import models, transaction
from django.utils.timezone import localtime

from kb.models import Article
from supportbot.accounts.models import Channel, Customer, User
from supportbot.builtin.phrases import say
from supportbot.chat.answers import Answer, CitedSpan, Withheld, final_payload
from supportbot.chat.models import Audience, Citation, Conversation, ConversationEvent, Message, Source, Turn
from supportbot.chat.retrieval_trace import RetrievalTrace, TracedPassage, with_trace
from supportbot.chat.turns import message_of
from supportbot.handoff.models import Requester, State, Ticket
from supportbot.ids import uuid7_at
from supportbot.llm.models import LLMCall
from supportbot.llm.pricing import Price
from supportbot.llm.types import Usage
from supportbot.translation import msgid, text_in
from supportbot.widget.models import Rating

FILE: Final = Path(__file__).parent / "data" / "history.json"
DAYS: Final = 28
LABEL: Final = msgid("Made up for the demo: neither this chat nor its customer is real.")
NAME: Final = "{name} (made up)"
AGENTS: Final = ("ines", "noor")
# A shop's typical distribution over the day: few chats at night, most in the afternoon and evening.
HOURS: Final = (8, 9, 10, 10, 11, 11, 12, 13, 14, 14, 15, 15, 16, 16, 17, 18, 19, 19, 20, 20, 21, 22)
# The answers seem to come from a model, so pages show costs. The model does not exist, as its name says.
MODEL: Final = "made-up-for-the-demo"
PRICE: Final = Price("EUR", input=Decimal(2), output=Decimal(8), cached=Decimal(2))
_ORDER: Final = (
    Customer, Conversation, Message, ConversationEvent, Citation, Turn, Ticket, Rating, LLMCall,
)  # fmt: skip


def write_history(channel: Channel) -> int:
    """Write the history, unless the workspace already has conversations; return how many were written."""
    if Conversation.objects.exists():
        return 0
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    chance = random.Random(FILE.name)  # the same history in every demo
    writer = _Writer(channel, recorded["customers"], chance)
    plan = [one for one in recorded["dialogues"] for _ in range(one["often"])]
    chance.shuffle(plan)
    for place, dialogue in enumerate(plan):
        writer.add(dialogue, _moment(place, len(plan), chance))
    with transaction.atomic():
        for model in _ORDER:
            model._base_manager.bulk_create(writer.rows[model])
    return len(plan)


def _moment(place: int, number: int, chance: random.Random) -> datetime:
    """Return when a conversation started. The starts are spread over the four weeks up to yesterday."""
    day = localtime().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    day += timedelta(days=place * DAYS // number)
    return day.replace(hour=chance.choice(HOURS), minute=chance.randrange(60), second=chance.randrange(60))


@dataclass
class _Writer:
    """Creates the rows for one conversation after another."""

    channel: Channel
    names: Sequence[str]
    chance: random.Random
    rows: dict[type[models.Model], list[Any]] = field(default_factory=lambda: {model: [] for model in _ORDER})

    def __post_init__(self) -> None:
        self.agents = {one.username: one for one in User.objects.filter(username__in=AGENTS)}
        self.customers: dict[str, Customer] = {}
        live = Article.objects.filter(live_revision__isnull=False).select_related("live_revision")
        self.articles: Mapping[str, Article] = {one.external_id: one for one in live}

    def add(self, dialogue: Mapping[str, Any], began: datetime) -> None:
        talk = _Talk(self, dialogue, began)
        talk.play()
        self.rows[Conversation].append(talk.conversation)

    def customer(self, language: str, at: datetime) -> Customer:
        name = self.names[len(self.rows[Conversation]) * 7 % len(self.names)]
        if name not in self.customers:
            made = Customer(
                id=uuid7_at(at),
                external_id=f"made-up-{len(self.customers) + 1:02}",
                name=NAME.format(name=name),
                locale=language,
                created_at=at,
            )
            self.customers[name] = made
            self.rows[Customer].append(made)
        return self.customers[name]


class _Talk:
    """One conversation, with the same log as a real one."""

    def __init__(self, writer: _Writer, dialogue: Mapping[str, Any], began: datetime) -> None:
        self.writer, self.dialogue, self.at, self.chance = writer, dialogue, began, writer.chance
        self.language: str = dialogue["language"]
        self.conversation = Conversation(
            id=uuid7_at(began),
            customer=writer.customer(self.language, began),
            channel=writer.channel,
            locale=self.language,
            created_at=began,
        )

    def play(self) -> None:
        self.message(Source.SYSTEM, text_in(self.language, LABEL))
        self.wait(2, 40)
        question = self.message(Source.CUSTOMER, self.dialogue["question"])
        answer = self.answer(question)
        if "reply" in self.dialogue:
            self.person()
        elif self.chance.random() < 0.7 and "thanks" in self.dialogue:
            self.wait(10, 90)
            thanks = self.message(Source.CUSTOMER, self.dialogue["thanks"], courtesy="thanks")
            self.turn(thanks, Answer(say("thanks", self.language), (), "builtin"))
        if "score" in self.dialogue and self.chance.random() < 0.6:
            given = {"reason": self.dialogue.get("reason", ""), "comment": self.dialogue.get("comment", "")}
            self.rate(self.dialogue["score"], answer.pk, **given)
        self.conversation.last_event_at = self.at

    def wait(self, least: float, most: float) -> None:
        self.at += timedelta(seconds=self.chance.uniform(least, most))

    def event(self, name: str, payload: dict[str, Any], *, audience: str = Audience.EVERYONE) -> int:
        talk = self.conversation
        is_public = audience == Audience.EVERYONE
        self.add(
            ConversationEvent(
                id=uuid7_at(self.at),
                conversation=talk,
                seq=talk.last_seq + 1,
                prev_seq=talk.last_public_seq if is_public else None,
                event=name,
                payload=payload,
                audience=audience,
                created_at=self.at,
            )
        )
        talk.last_seq += 1
        talk.last_public_seq = talk.last_seq if is_public else talk.last_public_seq
        return talk.last_seq

    def add(self, row: Any) -> None:
        self.writer.rows[type(row)].append(row)

    def message(self, source: str, text: str, *, author: User | None = None, courtesy: str = "") -> Message:
        made = Message(
            id=uuid7_at(self.at),
            conversation=self.conversation,
            source=source,
            text=text,
            author=author,
            author_name=author.display_name if author else "",
            courtesy=courtesy,
            created_at=self.at,
        )
        payload = {"message": str(made.pk), "source": str(source), "text": text}
        if author is not None:
            payload |= {"author": author.display_name, "person": str(author.pk)}
        made.seq = self.event("message", payload)
        self.add(made)
        return made

    def answer(self, question: Message) -> Message:
        """Add the assistant's answer, which quotes the named article or says that nothing was found."""
        span = self.span()
        if span is not None:
            passage = TracedPassage(str(span.article_id), span.title, "", span.revision, 3.0, 0.9)
            found = Answer(f"{span.quote} [1]", (span,), "builtin", is_confirmed=True)
            return self.turn(question, found, RetrievalTrace(question.text, (passage,), (), True))
        lost = (Withheld("figure", self.dialogue["withheld"], 0.1),) if "withheld" in self.dialogue else ()
        text = say("not_found", self.language)
        found = Answer(text, (), "builtin", is_abstention=True, offers_human=True, withheld=lost)
        return self.turn(question, found, RetrievalTrace(question.text, (), lost))

    def span(self) -> CitedSpan | None:
        """Return the quoted span, or None if an edited article no longer contains it."""
        article = self.writer.articles.get(self.dialogue.get("article", ""))
        live, quote = article.live_revision if article else None, self.dialogue.get("quote", "")
        start = live.body.find(quote) if live is not None and quote else -1
        if article is None or live is None or start < 0:
            return None
        url = article.url or f"/help/{article.external_id}/"
        return CitedSpan(
            article.pk, article.external_id, live.title, url, live.number, start, start + len(quote), quote
        )

    def turn(self, question: Message, answer: Answer, trace: RetrievalTrace | None = None) -> Message:
        turn = Turn(
            id=uuid7_at(self.at),
            conversation=self.conversation,
            state=Turn.State.DONE,
            attempt=1,
            from_seq=question.seq - 1,
            through_seq=question.seq,
            message_id=uuid7_at(self.at),
            created_at=self.at,
            started_at=self.at,
        )
        self.event("assistant.started", {"message": str(turn.message_id), "attempt": 1})
        started, first_ms = self.at, self.chance.randint(250, 900)
        self.wait(0.9, 2.8)
        turn.finished_at = self.at
        made, citations = message_of(self.conversation, turn.message_id, answer)
        made.created_at = self.at
        made.seq = self.event("assistant.final", with_trace(final_payload(turn.message_id, answer), trace))
        self.conversation.answered_seq = question.seq
        for row in (turn, made, *citations):
            self.add(row)
        self.add(self._call(turn, started, first_ms, is_priced=trace is not None))
        return made

    def _call(self, turn: Turn, started: datetime, first_ms: int, *, is_priced: bool) -> LLMCall:
        """Return the record of a turn's model call, either to the made-up model or to the built-in answerer, which
        costs nothing.
        """
        usage = Usage(self.chance.randint(700, 1900), self.chance.randint(20, 90), is_estimated=not is_priced)
        cost = PRICE.of(usage)
        return LLMCall(
            id=uuid7_at(started),
            purpose="answer",
            provider=MODEL if is_priced else "builtin",
            model=MODEL if is_priced else "extractive",
            conversation_id=self.conversation.pk,
            turn_id=turn.pk,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            is_estimated=usage.is_estimated,
            cost=cost.amount if is_priced else 0,
            currency=cost.currency if is_priced else "",
            time_to_first_token_ms=first_ms,
            duration_ms=round((self.at - started).total_seconds() * 1000),
            outcome=LLMCall.Outcome.DONE,
            started_at=started,
        )

    def person(self) -> None:
        """Add a team member who joins, answers and closes the conversation."""
        agent = self.writer.agents[self.chance.choice(AGENTS)]
        self.wait(8, 60)
        asked_at = self.at
        ticket = Ticket(
            id=uuid7_at(self.at),
            conversation=self.conversation,
            state=State.RESOLVED,
            reason=self.dialogue["reason_for_person"],
            summary=self.dialogue["question"],
            language=self.language,
            requested_by=Requester.CUSTOMER,
            assignee=agent,
            created_at=asked_at,
            waiting_since=asked_at,
        )
        name = {"ticket": str(ticket.pk)}
        self.event("handoff.requested", {**name, "reason": ticket.reason, "place": 1})
        self.wait(30, 900)
        ticket.claimed_at = self.at
        self.event("handoff.joined", {**name, "agent": agent.display_name, "person": str(agent.pk)})
        self.wait(40, 400)
        reply = self.message(Source.AGENT, self.dialogue["reply"], author=agent)
        self.wait(30, 240)
        ticket.ended_at = self.at
        self.event("handoff.ended", {**name, "outcome": "resolved"})
        self.conversation.answered_seq = self.conversation.last_seq
        self.add(ticket)
        if "score_person" in self.dialogue and self.chance.random() < 0.7:
            self.rate(self.dialogue["score_person"], reply.pk, comment=self.dialogue.get("comment_person", ""))

    def rate(self, score: int, message: UUID, **given: str) -> None:
        self.wait(5, 60)
        filled = {name: value for name, value in given.items() if value}
        self.event("rated", {"score": score, "message": str(message), **filled}, audience=Audience.STAFF)
        self.add(
            Rating(
                id=uuid7_at(self.at),
                conversation=self.conversation,
                message_id=message,
                score=score,
                created_at=self.at,
                **filled,
            )
        )
