"""An argument that customers choose from a public list, and how its card shows what they chose."""

from typing import Any

import pytest

from actions.cards import card_of
from actions.definitions.parsing.document import missing
from actions.principals import Principal
from actions.record_choices import offer_of
from actions.services import propose
from supportbot.async_db import db
from supportbot.chat.services import start_conversation
from tests.actions.defined.chats import final, log_after, reply
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.record_choices import FIRST, WISH, Put, cancel_with_gift, goods_of, with_open_guard
from tests.assistant.conftest import payloads

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.long
async def test_the_value_that_finds_the_records_is_asked_for_first(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    await db(put_in_force, cancel_with_gift())
    conversation = await db(start_conversation, ann.customer_id)
    assert "Purchase number" in (await final(conversation, WISH))["text"] and retail.asked == []
    asked = await final(conversation, FIRST)
    assert "Gift" in asked["text"] and asked["blocks"][0]["options"][0]["id"] == "1000000001"
    await reply(conversation, asked, "1000000001")
    await reply(conversation, await final(conversation), "no longer needed")
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert (card["arguments"]["gift"], card["arguments"]["purchase"]) == ("1000000001", FIRST)


@pytest.mark.parametrize("guard", ["arguments.gift != order.status", "goods.name != arguments.gift or true", ""])
@pytest.mark.parametrize(("gift", "state"), [("1000000001", "awaiting_confirmation"), ("999", "refused")])
def test_a_value_that_a_public_list_does_not_have_is_refused_whatever_the_guards_say(
    ann: Principal, put_in_force: Put, guard: str, gift: str, state: str
) -> None:
    made = cancel_with_gift()
    made["guards"][-1]["require"] = guard
    if not guard:
        made["guards"].pop()
    assert missing(made) == []
    put_in_force(made)
    arguments = {"purchase": FIRST, "gift": gift, "reason": "no longer needed"}
    proposed = propose(ann, "cancel_pending_order", arguments, proposal_key="turn:1:1")
    assert (proposed.state, proposed.reason_code) == (state, "choice_not_offered" if state == "refused" else "")


@pytest.mark.parametrize(
    "ids",
    [
        ["60 ", "Cafe\N{COMBINING ACUTE ACCENT}", 7],  # not in the form in which an argument is stored
        [*(f"i-{place}" for place in range(60)), None],  # beyond those that are offered
        [None, "two\nlines", "x" * 300, "1"],
    ],
)
def test_each_offered_value_is_accepted(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, ids: list[Any]
) -> None:
    put_in_force(with_open_guard())
    goods_of(retail, *ids)
    given = {"purchase": FIRST, "reason": "no longer needed"}
    offer = offer_of(ann, "cancel_pending_order", given)
    assert offer is not None
    offered = [one.value for one in offer.choices["gift"]]
    assert len(offered) == min(50, sum(isinstance(one, int) or len(one or "\n" * 9) < 9 for one in ids))
    for gift in (*offered[:3], offered[-1]):
        proposed = propose(ann, "cancel_pending_order", given | {"gift": gift}, proposal_key=f"turn:1:{gift}")
        assert (proposed.state, proposed.reason_code) == ("awaiting_confirmation", "")
    refused = propose(ann, "cancel_pending_order", given | {"gift": "else"}, proposal_key="turn:2:1")
    assert refused.reason_code == "choice_not_offered"


def test_a_row_of_the_card_shows_a_choice_by_its_line(ann: Principal, put_in_force: Put) -> None:
    made = cancel_with_gift()
    put_in_force(made)
    given = {"purchase": FIRST, "gift": "1000000001", "reason": "no longer needed"}
    card = propose(ann, "cancel_pending_order", given, proposal_key="turn:1:1")
    assert (card_of(card).rows[-1].label, card_of(card).rows[-1].value) == ("Gift", "1000000001: blue")


@pytest.mark.parametrize(
    ("words", "row", "title"),
    [
        ("{one.options.colour}", "arguments.gift", "With blue"),
        ("{one.options.colour}", "text(arguments.gift)", "With 1000000001"),  # a name alone may not be unique
        ("{one.options.colour} ({one.item_id})", "arguments.gift", "With 1000000001"),
        ("{one.options.colour}" + " and so on" * 9, "arguments.gift", "With 1000000001"),
        ("{one.title}", "arguments.gift", "With 1000000001"),
    ],
)
def test_sentences_of_the_card_name_a_record_whose_row_shows_its_value(
    ann: Principal, put_in_force: Put, words: str, row: str, title: str
) -> None:
    made = cancel_with_gift()
    made["arguments"]["gift"]["choose_from"]["words"] = {"en": words}
    made["card"]["rows"][-1]["value"] = row
    made["card"] |= {"title": {"en": "With {arguments.gift}"}, "summary": {"en": "It is {lower(arguments.gift)}."}}
    put_in_force(made)
    given = {"purchase": FIRST, "gift": "1000000001", "reason": "no longer needed"}
    card = card_of(propose(ann, "cancel_pending_order", given, proposal_key="turn:1:1"))
    assert (card.title, card.summary) == (title, "It is 1000000001.")
    assert "1000000001" in card.rows[-1].value


@pytest.mark.parametrize(("gift", "shown"), [("1", "1: A cup"), ("2", "2")])
def test_a_choice_that_the_list_cannot_describe_is_shown_by_its_value(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, gift: str, shown: str
) -> None:
    made = cancel_with_gift()
    made["arguments"]["gift"]["choose_from"]["words"] = {"en": "{one.title}"}
    put_in_force(made)
    goods_of(retail, "1", "2")
    retail.records.records["products"]["5000000001"]["variants"]["0"]["title"] = "A cup"
    given = {"purchase": FIRST, "gift": gift, "reason": "no longer needed"}
    card = propose(ann, "cancel_pending_order", given, proposal_key="turn:1:1")
    assert card_of(card).rows[-1].value == shown


@pytest.mark.parametrize("row", ["text(arguments.gift)", "lower(arguments.gift)"])
def test_only_a_row_with_nothing_but_the_choice_shows_its_line(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, row: str
) -> None:
    made = cancel_with_gift()
    made["card"]["rows"][-1]["value"] = row
    put_in_force(made)
    given = {"purchase": FIRST, "gift": "1000000001", "reason": "no longer needed"}
    card = propose(ann, "cancel_pending_order", given, proposal_key="turn:1:1")
    assert card_of(card).rows[-1].value == "1000000001"


def test_a_list_whose_entries_all_lack_the_value_is_a_mistake_of_the_definition(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(with_open_guard())
    goods_of(retail, None, None)
    given = {"purchase": FIRST, "reason": "no longer needed"}
    offer = offer_of(ann, "cancel_pending_order", given)
    assert offer is not None and offer.reason is not None and offer.reason.code == "definition_failed"
    refused = propose(ann, "cancel_pending_order", given | {"gift": "1"}, proposal_key="turn:1:1")
    assert refused.reason_code == "definition_failed"


def test_a_value_that_names_no_record_need_not_be_in_its_list(ann: Principal, put_in_force: Put) -> None:
    made = with_open_guard()
    made["arguments"]["gift"]["names_no_record"] = True
    put_in_force(made)
    arguments = {"purchase": FIRST, "gift": "a blue one", "reason": "no longer needed"}
    proposed = propose(ann, "cancel_pending_order", arguments, proposal_key="turn:1:1")
    assert (proposed.state, proposed.reason_code) == ("awaiting_confirmation", "")
