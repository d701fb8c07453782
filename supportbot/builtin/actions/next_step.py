"""Decides the next step towards the customer's intents: look up orders, ask for missing values, or call tools. Pure,
apart from `intents`.

The calls are like those of a model, so the same safeguards apply. No tool is called while anything about its call is
unclear. Questions are sent as text, and as typed blocks for clients that support them.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import date
from typing import Any, Final

import orjson

from supportbot.builtin import intents
from supportbot.builtin.actions.asking import Reply, again, ask_for, ask_which_record, choices_block
from supportbot.builtin.actions.dialogue import RECORD_TOOL, UNDO_TOOL, DialogueState, follow_dialogue
from supportbot.builtin.actions.limits_in_words import takes_day
from supportbot.builtin.actions.message_reading import says_why
from supportbot.builtin.actions.orders import (
    KnownOrder,
    called_with,
    choices_in_turn,
    items_named,
    matching_orders,
    orders_in,
    refused_by_call,
)
from supportbot.builtin.actions.patterns import form_of
from supportbot.builtin.actions.replaced_numbers import denies_all
from supportbot.builtin.actions.slots import Intent, meant_order, request_words, whole_text
from supportbot.builtin.actions.tool_fields import field_of_kind, fields_of, kind_of, missing_in, required_by
from supportbot.builtin.actions.values_in_text import record_described, record_named
from supportbot.builtin.phrases import say
from supportbot.formats import in_region
from supportbot.language.figures import known_figures
from supportbot.language.order_numbers import order_numbers_in, placed_order_numbers, without_numbers
from supportbot.language.words import words
from supportbot.llm.types import REPLACES_CARD, ChatMessage, ModelRequest, ToolCall, ToolSpec

WITHDRAW_TOOL: Final = "withdraw_cards"
ONLY_ASKS: Final = "only-asks"  # the option for customers who have only a question
OFFERED: Final = 5  # maximum number of orders to choose from
_FEW_WORDS: Final = 4


def next_step(request: ModelRequest, language: str) -> Reply | None:
    """Return the next step for the customer's request; None if the message is about something else, or if the customer
    must sign in first (`needs_account`). Dates are written as in the region of the conversation.
    """
    locale = in_region(language, request.locale)
    tools = [tool for tool in request.tools if tool.examples]
    if not tools:
        return undo_step(request, language) if intents.wants_undo(request.question) else None
    dialogue = follow_dialogue(request, tools)
    match dialogue.outcome:
        case "withdrawn" if WITHDRAW_TOOL in {tool.name for tool in request.tools}:
            return _call(WITHDRAW_TOOL, {})
        case "withdrawn" | "left_alone":
            return Reply(say("left_alone", language))
        case "use_card" if WITHDRAW_TOOL in {tool.name for tool in request.tools}:  # a card waits
            return Reply(say("use_card", language))
        case "use_card" if dialogue.has_outcome and dialogue.is_after_deed:
            return Reply(say("left_alone", language))
        case "use_card":  # a refusal has no card; it offers a person with a button
            return Reply(say("offer", language))
        case "undo":
            return undo_step(request, language)
        case "recorded":
            return _record_step(request, dialogue)
        case "not_done":
            asked = _ask_which_action([dialogue.tool(action) for action in dialogue.candidates], language)
            return replace(asked, text=f"{say('nothing_done', language)}\n\n{asked.text}")
        case "ambiguous":
            return _ask_which_action([dialogue.tool(action) for action in dialogue.candidates], language)
        case "advanced":
            planner = _Planner(tools, request.messages, language, locale, has_one_intent=len(dialogue.open) == 1)
            steps = [planner.step(dialogue.tool(intent.action), intent) for intent in dialogue.open]
            reply = planner.combine(steps)
            # The dialogue does not know the records, but if the same question is asked again, the last answer named
            # none of them.
            question = reply.text.partition("\n")[0]
            repeated = sum(question in asked for asked in dialogue.asked_which) if question else 0
            return again(reply, dialogue.unread or repeated, locale)
    return None


def says_yes_to_card(request: ModelRequest) -> bool:
    """Return whether the customer writes "yes" directly below a card that is still waiting to be confirmed."""
    if WITHDRAW_TOOL not in {tool.name for tool in request.tools}:
        return False
    dialogue = follow_dialogue(request, [tool for tool in request.tools if tool.examples])
    return dialogue.outcome == "use_card" and dialogue.is_right_after_card


def gives_figure(request: ModelRequest) -> bool:
    """Return whether a short message contains a figure that an action is waiting for or that corrects its card. Such a
    message, for example "2 personnes" or "twenty-one, please", does not ask for a person.
    """
    text, tools = request.question, [tool for tool in request.tools if tool.examples]
    if not tools or len(text.split()) > _FEW_WORDS:
        return False
    if not any(sign.isdigit() for sign in text) and not known_figures([text]).numbers:
        return False
    return follow_dialogue(request, tools).has_new_value


def undo_step(request: ModelRequest, language: str) -> Reply | None:
    """Return the step for a customer who wants to undo something. It never starts a different action. Return None if
    there is nothing to undo and the message may mean something else.
    """
    if UNDO_TOOL in {tool.name for tool in request.tools}:
        numbers = order_numbers_in(request.question)
        return _call(UNDO_TOOL, {"number": numbers[0]} if numbers else {})
    return Reply(say("nothing_to_undo", language)) if intents.is_surely(intents.UNDO, request.question) else None


def _record_step(request: ModelRequest, dialogue: DialogueState) -> Reply:
    """Return the call that answers, from the requests on record, whether something was done. A question about several
    orders gets what is on record about all of them.
    """
    action, numbers = dialogue.action_named(request.question), order_numbers_in(request.question)
    arguments = ({"action": action} if action else {}) | ({"number": numbers[0]} if len(numbers) == 1 else {})
    return _call(RECORD_TOOL, arguments)


def needs_account(request: ModelRequest) -> bool:
    """Return whether a visitor asks for something that requires signing in."""
    if any(tool.examples for tool in request.tools):
        return False
    possible = intents.possible_intents(request.question, request.tools_signed_in)
    if intents.wants_undo(request.question, request.tools_signed_in):
        return False
    return bool(possible) and possible[0].is_certain


def _ask_which_action(tools: Sequence[ToolSpec], language: str) -> Reply:
    """Return a question that asks whether the customer wants an action or only information about it, with a button for
    each. A look-up prepares nothing, so the question offers to look it up.
    """
    prompt = say("meant_look_up" if tools[0].is_read else "meant", language, title=tools[0].title or tools[0].name)
    options = {tool.name: tool.title or tool.name for tool in tools}
    return Reply(prompt, blocks=(choices_block(prompt, options | {ONLY_ASKS: say("only_asks", language)}),))


class _Planner:
    """Decides the next step of each intent: a look-up if one is required; otherwise, a question if something is
    missing; otherwise, its call.
    """

    def __init__(
        self,
        tools: Sequence[ToolSpec],
        messages: Sequence[ChatMessage],
        language: str,
        locale: str,
        *,
        has_one_intent: bool,
    ) -> None:
        self._has_one_intent = has_one_intent
        self._orders = orders_in(messages)
        self._called = refused_by_call(messages)
        self._choices, self._arguments = choices_in_turn(messages), called_with(messages)
        self._language, self._locale = language, locale
        # Most actions concern future days, so the days from today on are offered first.
        self._today = next((one.written_on for one in reversed(messages) if one.written_on), date.min)
        open_reads = [tool for tool in tools if tool.is_read and not required_by(tool)]
        look_up = next((tool for tool in open_reads if field_of_kind(tool, "order")), next(iter(open_reads), None))
        self._look_up = _call(look_up.name, {}) if look_up else None
        self._look_up_tool = look_up
        self._may_look_up = self._orders is None and look_up is not None and look_up.name not in self._called

    def combine(self, steps: Sequence[Reply]) -> Reply:
        """Return the look-up if an intent needs it; otherwise, the first open question; otherwise, all calls. An empty
        step means that the result of a look-up is itself the answer; it must not hide another intent's question or
        call.
        """
        if self._look_up is not None and self._look_up in steps:
            return self._look_up
        calls = [call for step in steps for call in step.calls]
        together = Reply(calls=tuple(replace(call, id=f"builtin-{at}") for at, call in enumerate(calls, 1)))
        return next((step for step in steps if step.text), together if calls else Reply())

    def step(self, tool: ToolSpec, intent: Intent) -> Reply:
        return self._look_up_step(tool, intent) if tool.is_read else self._call_step(tool, intent)

    def _look_up_step(self, tool: ToolSpec, intent: Intent) -> Reply:
        """Return the call that looks up the requested information. If the orders are already known, return lines for
        those that are meant.
        """
        order_field = field_of_kind(tool, "order")
        if required_by(tool) or fields_of(tool).keys() - {order_field}:
            return self._call_step(tool, intent) if self._may_call(tool) else self._after_refusal(tool)
        # "My last refund" is not the refund of the last order, so a position does not count.
        ref = intent.order if intent.order and intent.order.number else None
        of_all = _call(tool.name, {})
        of_one = _call(tool.name, {order_field: ref.number}) if ref and order_field else of_all
        if self._orders is None:
            if tool.name in self._called:
                return Reply()
            return of_one if ref and ref.is_whole else of_all
        found = matching_orders(replace(intent, order=ref), self._orders)
        if ref and order_field and self._orders and not found:  # only the shop knows whether this order exists
            return of_one
        is_all = len(found) in (0, len(self._orders)) or not all(order.fits_one_line for order in found)
        return Reply("" if is_all else "\n".join(f"- {order.dated_line(self._locale)}" for order in found[:OFFERED]))

    def _may_call(self, tool: ToolSpec) -> bool:
        """Return whether a look-up may be called, because it has not been called in this turn or has only returned
        records to choose from.
        """
        refused = self._called.get(tool.name)
        return refused is None or (bool(refused) and all(name in self._choices for name in refused))

    def _after_refusal(self, tool: ToolSpec) -> Reply:
        """Return the question about a value that the call refused; an empty reply if the result is the answer."""
        refused = [name for name in fields_of(tool) if name in self._called[tool.name]]
        # Records to choose from come last, because they may depend on the other values.
        refused = [*(name for name in refused if name not in tool.chosen), *refused]
        return ask_for(tool, refused[0], self._locale) if refused else Reply()

    def _chosen(self, tool: ToolSpec, intent: Intent, arguments: dict[str, Any], *, names_record: bool) -> Reply | None:
        """Add to `arguments` the records that the customer has named. Return the call that looks up the customer's
        records, or the question of which one is meant; None if no record is missing.
        """
        for name in [name for name in missing_in(tool, arguments) if name in tool.chosen]:
            if name not in self._choices:  # the choices are part of the refusal
                # With an empty value, even a single record is offered and not used at once, because the number may
                # belong to another one.
                return _call(tool.name, arguments | ({name: ""} if names_record else {}))
            options = self._choices[name]
            given = {arguments[other] for other in tool.chosen - {name} if other in arguments}
            named = self._record_meant(options, intent, name, given)
            is_refused = name in self._called.get(tool.name, ()) and self._arguments.get(tool.name, {}).get(name)
            if named is None or is_refused:
                return ask_which_record(tool, name, options, self._language)
            arguments[name] = named
        return None

    def _record_meant(self, options: Mapping[str, str], intent: Intent, name: str, given: Set[str]) -> str | None:
        """Return the record that was named last for this argument; None if there is none. An answer may also describe a
        record with some of its words. Answers about other arguments do not count, and a record that is already `given`
        for another argument counts only in an answer.
        """
        not_given = {value: label for value, label in options.items() if value not in given}
        answers = {line for asked, line in intent.answers if asked == name}
        others = {line for _, line in intent.answers} - answers
        for line in reversed(intent.text.splitlines()):
            if line in others:
                continue
            named = record_named(options if line in answers else not_given, line, self._language)
            if named is None and line in answers:
                named = record_described(options, line, self._language)
            if named is not None:
                return named
        return None

    def _call_step(self, tool: ToolSpec, intent: Intent) -> Reply:
        """Return the action's call with all its arguments, or the question about the first argument that is missing or
        unclear.
        """
        shapes, language = fields_of(tool), self._language
        if any(name not in self._choices for name in self._called.get(tool.name, ())):
            return self._after_refusal(tool)
        arguments = self._arguments_with_order(tool, intent)
        if isinstance(arguments, Reply):
            return arguments
        if missing_in(tool, arguments) or intent.first_unclear:
            step = self._state_step(tool, arguments)
            if step is not None:
                return step
        if unclear := intent.first_unclear:
            is_amount = kind_of(unclear, shapes[unclear]) == "amount"
            return Reply(say("amount", language)) if is_amount else ask_for(tool, unclear, self._locale)
        numbers = _record_numbers(tool, intent, language) if tool.is_read else []
        arguments |= _record_number(tool, intent, arguments, numbers)
        if (step := self._chosen(tool, intent, arguments, names_record=bool(numbers))) is not None:
            return step
        if missing := missing_in(tool, arguments):
            shape = shapes[missing[0]]
            days = [day for day in intent.days if day.isoformat() not in arguments.values() and takes_day(shape, day)]
            return ask_for(tool, missing[0], self._locale, sorted(days, key=lambda day: (day < self._today, day)))
        for name in tool.from_chat.intersection(required_by(tool)) - arguments.keys():
            # "Refund order WF-20417 please" is a command, not a reason.
            is_told = kind_of(name, shapes[name]) != "reason" or says_why(tool, intent.text)
            words_of_it = whole_text(shapes[name], intent.text) if is_told else ""
            arguments[name] = words_of_it or say("no_reason", language)
        may_replace = intent.replaces_card and REPLACES_CARD in tool.parameters.get("properties", {})
        return _call(tool.name, arguments | ({REPLACES_CARD: True} if may_replace else {}))

    def _arguments_with_order(self, tool: ToolSpec, intent: Intent) -> dict[str, Any] | Reply:
        """Return the arguments known so far, with the order if the action needs one; or the look-up of the customer's
        orders, or the question which of them is meant.
        """
        order_field = field_of_kind(tool, "order")
        if not order_field:
            return dict(intent.values)
        number = intent.order.number if intent.order else ""
        if tool.is_read and order_field not in required_by(tool):
            return {**intent.values, **({order_field: number} if number else {})}
        if self._look_up is not None and self._may_look_up and _needs_look_up(tool, intent):
            return self._look_up
        found = matching_orders(intent, self._orders or ())
        if len(found) == 1 and not (intent.order and intent.order.is_unclear):
            return _for_order(tool, intent, found[0])
        return {**intent.values, order_field: number} if number else self._ask_which_order(found)

    def _state_step(self, tool: ToolSpec, arguments: Mapping[str, Any]) -> Reply | None:
        """Return the call that tells the customer why the state of their order rules out the action, before they answer
        questions for nothing, or the look-up of the order if its state is not known; None if nothing is known against
        it.
        """
        look_up, number = self._look_up_tool, arguments.get(field_of_kind(tool, "order"), "")
        order_field = field_of_kind(look_up, "order") if look_up else ""
        if look_up is None or not order_field or not number or tool.is_read:
            return None
        if not self._has_one_intent:  # the answer about this order would end the turn, and hide the other intents
            return None
        order = next((order for order in self._orders or () if order.id == number), None)
        if order is not None:
            return None if order.allows(tool.name) or tool.name in self._called else _call(tool.name, arguments)
        if look_up.name not in self._called:
            return _call(look_up.name, {order_field: number})
        is_missing = self._arguments[look_up.name] == {order_field: number} and not self._called[look_up.name]
        return Reply() if is_missing else None  # the look-up has said that there is no such order

    def _ask_which_order(self, found: Sequence[KnownOrder]) -> Reply:
        """Return a question that asks which order the customer means. If there are no orders, return an empty reply,
        because the look-up says so.
        """
        if self._look_up is None or self._orders is None:
            return Reply(say("order_number", self._language))
        if not self._orders:
            return Reply()
        offered, prompt = (found or self._orders)[:OFFERED], say("which_of_these", self._language)
        lines = "\n".join(f"- {order.line}" for order in offered)
        return Reply(f"{prompt}\n{lines}", blocks=(choices_block(prompt, {order.id: order.line for order in offered}),))


def _record_numbers(tool: ToolSpec, intent: Intent, language: str) -> list[str]:
    """Return the numbers of records that the customer named and did not deny, in the order of the text."""
    numbers = [intent.order.number] if intent.order and intent.order.number else []
    for line in intent.text.splitlines():
        meant = meant_order(tool, line, language)
        if meant is None or denies_all(line, language, placed_order_numbers(line), request_words(tool)):
            numbers = []  # it is unclear which number is meant
        else:
            numbers += order_numbers_in(meant)
    return numbers


def _record_number(
    tool: ToolSpec, intent: Intent, arguments: Mapping[str, Any], numbers: Sequence[str]
) -> dict[str, str]:
    """If a look-up lacks exactly one argument, return that argument with the last number that the customer named; {} if
    the argument does not take such numbers. If the number belongs to something else, the look-up finds nothing.
    """
    missing = missing_in(tool, arguments)
    if len(missing) != 1 or not numbers:
        return {}
    name, shape = missing[0], fields_of(tool)[missing[0]]
    if name in tool.chosen:  # the customer chooses from their records, unless the number has the argument's own format
        is_answered = any(asked == name for asked, _ in intent.answers)
        is_meant = not is_answered and "pattern" in shape and _fits(shape, numbers[-1])
    else:
        is_meant = kind_of(name, shape) == "text"
    return {name: numbers[-1]} if is_meant else {}


def _fits(shape: Mapping[str, Any], number: str) -> bool:
    return form_of(str(shape["pattern"])).fullmatch(number) is not None


def _needs_look_up(tool: ToolSpec, intent: Intent) -> bool:
    """Return whether the customer's orders are needed to find the right order or its items, or to compare an amount
    with its total.
    """
    may_name_items = bool(field_of_kind(tool, "items")) and len(words(without_numbers(intent.text))) > 2
    is_clear = intent.order is not None and intent.order.is_whole
    return not is_clear or may_name_items or field_of_kind(tool, "amount") in intent.values


def _for_order(tool: ToolSpec, intent: Intent, order: KnownOrder) -> dict[str, Any]:
    """Return the arguments for an order. An amount that equals the order's total is left out; items that the customer
    named are added.
    """
    amount, items = field_of_kind(tool, "amount"), field_of_kind(tool, "items")
    kept = {name: value for name, value in intent.values.items() if name != amount or not order.costs(value)}
    named = _items(intent, order) if items and not intent.unclear and amount not in kept else []
    return kept | {field_of_kind(tool, "order"): order.id} | ({items: named} if named else {})


def _items(intent: Intent, order: KnownOrder) -> list[dict[str, Any]]:
    """Return the items of an order that the customer named; [] if these are all of its items."""
    goods = items_named(intent.text, [order])
    named = [item for item in order.items if item.get("sku") and str(item.get("name", "")) in goods]
    if len(named) == len(order.items):
        return []
    return [{"sku": item["sku"], "quantity": max(1, int(item.get("quantity", 1)))} for item in named]


def _call(name: str, arguments: Mapping[str, Any]) -> Reply:
    return Reply(calls=(ToolCall("builtin-1", name, orjson.dumps(arguments).decode()),))
