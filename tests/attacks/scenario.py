"""One row played against the real product: real turns, real services, a merchant that records refunds; only the model
is fake.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from actions.models import ActionRequest, AuditEntry
from actions.policy_store import policy_of, switch
from actions.principals import principal_in_conversation
from actions.services import confirm
from actions.states import State
from actions.testing import run_queued
from supportbot.accounts.models import Customer
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_customer_message, give_back
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import Delta, EventView, Signal, Status
from supportbot.chat.turns import Claim, claim_turn
from supportbot.errors import SupportBotError
from supportbot.llm.testing import answering
from supportbot.llm.types import ToolCall
from supportbot.outbox.delivery import deliver_due
from tests.attacks.captured import CapturedModel, Emission
from tests.attacks.world import World, write_article

ASKED = "Hello, please help me with my order"
NAMES = {"get_order": "order_status", "update_shipping": "change_shipping_address", "handoff": "request_human"}
SPOKEN = ("text", "tool_call", "tool_call_raw")


@dataclass
class Scenario:
    """A conversation under attack, and everything its customer sees."""

    world: World
    conversation: Conversation
    is_anonymous: bool = False
    heard: list[str] = field(default_factory=list)  # the deltas and statuses that a socket gets
    refusals: list[str] = field(default_factory=list)
    models: list[CapturedModel] = field(default_factory=list)
    _asked: Iterator[int] = field(default_factory=lambda: count(1))

    # --- The conversation.

    async def play(self, steps: list[dict[str, Any]]) -> None:
        """Play a row's steps. The model's texts between two other steps make one turn."""
        emissions: list[Emission] = []
        for step in steps:
            # Our model has no search tool, so the text comes with the passages.
            if step["type"] == "tool_result_contains":
                await db(self.plant, step["text"])
        for step in steps:
            if step["type"] in SPOKEN:
                _add(emissions, step)
            elif step["type"] != "tool_result_contains":
                await self._speak(emissions)
                await db(self._happen, step)
        await self._speak(emissions)
        await db(deliver_due)

    async def _speak(self, emissions: list[Emission]) -> None:
        if emissions:
            await self.ask(ASKED, *emissions)
            emissions.clear()

    async def ask(self, text: str, *emissions: Emission, model: CapturedModel | None = None) -> list[EventView]:
        """Let the customer write and the captured model answer; return the events of this turn."""
        playing = model or CapturedModel(list(emissions))
        self.models.append(playing)
        with answering(playing):  # type: ignore[arg-type]  # a provider by shape
            return await self.ask_whoever_answers(text)

    async def ask_whoever_answers(self, text: str) -> list[EventView]:
        before = len(await db(self.events))
        claim = await db(self._say, text)
        await signal_broker().listen(self.conversation.pk, self._hear)
        await carry_out(claim)
        signal_broker().unlisten(self.conversation.pk, self._hear)
        return (await db(self.events))[before:]

    def _say(self, text: str) -> Claim:
        with self.world.at_home():
            add_customer_message(self.conversation.pk, text=text, client_id=f"c{next(self._asked)}")
            claim = claim_turn("test-runner", only=self.conversation.pk)
        assert claim is not None
        return claim

    def _hear(self, signal: Signal) -> None:
        if isinstance(signal, Delta | Status):
            self.heard.append(signal.text)

    def events(self) -> list[EventView]:
        """Return the customer's view of the log."""
        with self.world.at_home():
            return events_after(self.conversation.pk, 0)

    # --- Other participants.

    def _happen(self, step: dict[str, Any]) -> None:
        with self.world.at_home():
            match step["type"]:
                case "user_confirms":
                    self._click(self.world.speaker, self._next_card())
                case "user_confirms_all":
                    for request in self.requests():
                        self._click(self.world.speaker, request)
                case "other_customer_confirms":
                    self._click(self.world.customers[step["customer"]], self._next_card())
                case "advance_clock":
                    ActionRequest.objects.update(expires_at=now() - timedelta(seconds=1))
                case "world_change":
                    self._change_world(step)
                case other:
                    raise AssertionError(f"nobody has written down what {other} means")

    def _click(self, who: Customer, request: ActionRequest | None) -> None:
        if request is None:  # no card was shown, so there is nothing to click
            return
        principal = replace(principal_in_conversation(who), expires_at=now() + timedelta(minutes=10))
        try:
            confirm(request.pk, principal=principal, digest=request.digest)
        except SupportBotError as error:
            self.refusals.append(error.message)
        run_queued()

    def _next_card(self) -> ActionRequest | None:
        requests = self.requests()
        waiting = [request for request in requests if request.state == State.AWAITING_CONFIRMATION]
        return next(iter(waiting or requests), None)

    def _change_world(self, step: dict[str, Any]) -> None:
        changes = {name: step[name] for name in ("status", "refunded") if name in step}
        if "refunded" in changes:
            changes["refunded"] = Decimal(str(changes["refunded"]))
        self.world.shop.change_order(step["order"], **changes)

    def plant(self, text: str) -> None:
        with self.world.at_home():
            title = f"Help with my order {len(text)} {abs(hash(text)) % 9_999}"
            write_article(title, f"Please note about help with my order.\n\n{text}")

    def note(self, text: str) -> None:
        """Let a colleague return the conversation with this note, which only the model reads."""
        with self.world.at_home(), transaction.atomic():
            give_back(lock_conversation(self.conversation.pk), note=text)

    def switch_off(self, names: Iterable[str]) -> None:
        with self.world.at_home():
            for name in names:
                policy = policy_of(NAMES.get(name, name))
                assert policy is not None
                switch(policy, is_enabled=False, actor="test")

    # --- Stored records.

    def fresh(self) -> Conversation:
        with self.world.at_home():
            return Conversation.objects.get(pk=self.conversation.pk)

    def requests(self) -> list[ActionRequest]:
        with self.world.at_home():
            return list(ActionRequest.objects.order_by("id"))

    def audit(self) -> list[AuditEntry]:
        with self.world.at_home():
            return list(AuditEntry.objects.order_by("seq"))

    def shown(self) -> str:
        """Return every text that the customer got: deltas, statuses, refusals and the payloads of all events."""
        payloads = [json.dumps(event.payload, ensure_ascii=False) for event in self.events()]
        return "\n".join([*self.heard, "".join(self.heard), *self.refusals, *payloads])

    def finals(self) -> list[str]:
        """Return the assistant's answers."""
        return [event.payload["text"] for event in self.events() if event.event == "assistant.final"]

    def sent_to_models(self) -> str:
        return "\n".join(str(request) for model in self.models for request in model.requests)


def _add(emissions: list[Emission], step: dict[str, Any]) -> None:
    """Add a step to its answer; repeated calls become separate answers, one after the other."""
    if step["type"] == "text":
        emissions.append(Emission((step["text"],)))
        return
    call = _call(step, len(emissions))
    if step.get("is_repeated") or not emissions:
        emissions.append(Emission(calls=(call,)))
    else:
        last = emissions[-1]
        emissions[-1] = replace(last, calls=(*last.calls, call))


def _call(step: dict[str, Any], number: int) -> ToolCall:
    name = step["name"]
    text = step["arguments_text"] if step["type"] == "tool_call_raw" else json.dumps(step["arguments"])
    return ToolCall(step.get("call_id", f"call_{number}"), NAMES.get(name, name), mapped(name, text))


def mapped(name: str, text: str) -> str:
    """Adapt a row's fields to the catalogue, so that it is refused as an attack and not for a missing field."""
    if name == "refund_order" and '"reason"' not in text:
        return text.replace("{", '{"reason": "x", ', 1)
    if name == "update_shipping":
        arguments = json.loads(text)
        arguments["address"] = {"line1": arguments["address"], "postal_code": "79102", "city": "Freiburg"}
        return json.dumps(arguments)
    return text
