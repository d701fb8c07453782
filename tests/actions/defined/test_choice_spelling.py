"""A choice has its list's spelling everywhere: in look-ups, guards, the stored request, the call, the look-up of its
outcome, and what undoes it. So a system that distinguishes "60" from "60 " is never asked about the wrong one.
"""

import json
import unicodedata
from typing import Any

import pytest

from actions.cards import card_of
from actions.models import ActionRequest
from actions.principals import Principal
from actions.record_choices import offer_of
from actions.requests.undo import propose_undo
from actions.services import confirm, propose, run_read
from actions.states import State
from actions.testing import make_due, run_queued
from tests.actions.defined.conftest import document, store_as_published
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.record_choices import (
    FIRST,
    NAME,
    ORDERS,
    SECOND,
    Put,
    call_off,
    cancel_with_gift,
    goods_of,
    how_far,
)
from tests.pace import bounded

pytestmark = pytest.mark.django_db
ACTION = "cancel_pending_order"
ACCENTED = "Cafe\N{COMBINING ACUTE ACCENT}"
SPELLINGS = pytest.mark.parametrize("listed", ["60 ", ACCENTED])


def entered(listed: str) -> str:
    """Return a value as it is stored when a customer enters it: without surrounding spaces, accents composed."""
    return unicodedata.normalize("NFC", listed).strip()


def with_gift(guard: str = "true", **outcome: Any) -> dict[str, Any]:
    made = cancel_with_gift()
    made["guards"][-1]["require"] = guard
    made["outcome"] |= outcome
    return made


def chosen(ann: Principal, gift: str, key: str = "turn:1:1") -> ActionRequest:
    given = {"purchase": FIRST, "gift": gift, "reason": "no longer needed"}
    return propose(ann, ACTION, given, proposal_key=key)


def carried_out(ann: Principal, card: ActionRequest) -> ActionRequest:
    assert card.state == State.AWAITING_CONFIRMATION, (card.reason_code, card.reason_facts)
    confirm(card.pk, principal=ann, digest=card.digest)
    for _ in range(3):
        make_due()
        run_queued()
    return ActionRequest.objects.get(pk=card.pk)


@pytest.mark.one_in(2)
@SPELLINGS
def test_guards_the_stored_request_and_the_call_have_the_lists_spelling(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, listed: str
) -> None:
    put_in_force(with_gift("arguments.gift in map(values(goods.variants), v, v.item_id)"))
    goods_of(retail, "1", listed)
    card = chosen(ann, entered(listed))
    assert card.arguments["gift"] == listed
    assert carried_out(ann, card).state == State.SUCCEEDED
    assert [json.loads(body)["gift"] for _, body in retail.commands] == [listed]


@pytest.mark.one_in(2)
@SPELLINGS
def test_an_unclear_outcome_is_looked_up_with_the_spelling_that_was_sent(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, listed: str
) -> None:
    put_in_force(
        with_gift(
            happened="status == 200 and body.gift == arguments.gift",
            did_not="status == 200 and body.gift != arguments.gift",
        )
    )
    goods_of(retail, listed)
    retail.faults, retail.says = ["reply dropped"], (200, {"gift": listed})
    request = carried_out(ann, chosen(ann, entered(listed)))
    assert (request.state, len(retail.performed)) == (State.SUCCEEDED, 1)


def test_a_call_that_the_system_has_never_seen_is_recognised_by_the_spelling_that_was_sent(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(
        with_gift(
            happened="status == 200 and body.gift == arguments.gift",
            never_seen="status == 404 or body.gift != arguments.gift",
            did_not="status == 410",
        )
    )
    goods_of(retail, "60 ")
    retail.faults, retail.says = ["reply dropped"], (200, {"gift": "60 "})
    request = carried_out(ann, chosen(ann, "60"))
    assert (request.state, len(retail.commands)) == (State.SUCCEEDED, 1)


def own_parcels(retail: LoopbackShop, *ids: str, others: tuple[str, ...] = ()) -> None:
    """Give the shop these orders of Ann's, and list them as hers together with `others`, which are Bob's."""
    orders = retail.records.records["orders"]
    for one in (*ids, *others):
        orders[one] = {**orders[FIRST], "order_id": one, "user_id": "ann_lee_1" if one in ids else "bob_ray_2"}
    retail.records.records["users"]["ann_lee_1"]["orders"] = [*ids, *others]


@SPELLINGS
def test_a_record_is_looked_up_by_the_spelling_that_the_call_sends(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, listed: str
) -> None:
    made = how_far()
    made["lookups"].reverse()  # the record comes before the list that it is chosen from
    put_in_force(made)
    own_parcels(retail, listed)
    retail.records.records["orders"][entered(listed)] = {**retail.records.records["orders"][FIRST], "user_id": "bob"}
    assert run_read(ann, NAME, {"parcel": entered(listed)})["text"].startswith("Your parcel ")
    assert retail.asked == ["GET /users/ann_lee_1", f"GET /orders/{listed}"]


def test_ownership_is_proven_for_the_record_that_the_call_names(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    made = call_off()
    order = {"method": "GET", "path": "/orders/{arguments.order_id}"}
    made["lookups"].append({
        "name": "order", "owner": "order.user_id", "call": order,
        "otherwise": {"code": "not_theirs", "words": {"en": "It is not yours."}},
    })  # fmt: skip
    made["guards"], made["values"] = [], {"number": "arguments.order_id"}
    made["subject"], made["call"]["path"] = {"kind": "order", "id": "order.order_id"}, "/orders/{arguments.order_id}"
    made["call"]["path"] += "/cancel"
    put_in_force(made)
    own_parcels(retail, others=("60 ",))
    retail.records.records["orders"]["60"] = dict(retail.records.records["orders"][FIRST])
    refused = propose(ann, ACTION, {"order_id": "60", "reason": "no longer needed"}, proposal_key="turn:1:1")
    assert (refused.state, refused.reason_code) == (State.REFUSED, "not_theirs")


def test_a_list_that_depends_on_another_choice_reads_its_listed_spelling(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    made = cancel_with_gift()
    made["guards"].pop()
    made["lookups"].insert(0, call_off()["lookups"][0])
    made["arguments"]["purchase"] |= {"choose_from": ORDERS}
    del made["arguments"]["purchase"]["pattern"]
    put_in_force(made)
    own_parcels(retail, "60 ")
    offer = offer_of(ann, ACTION, {"purchase": "60", "reason": "no longer needed"})
    assert offer is not None and offer.choices["gift"][0].value == "1000000001"
    given = {"purchase": "60", "gift": "1000000001", "reason": "no longer needed"}
    card = propose(ann, ACTION, given, proposal_key="turn:1:1")
    assert (card.state, card.reason_facts, card.subject_id) == (State.AWAITING_CONFIRMATION, {}, "60 ")


@pytest.mark.parametrize("ids", [["60 ", "60"], ["60", " 60", "60 "]])
def test_an_entry_with_exactly_this_spelling_is_chosen(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, ids: list[str]
) -> None:
    put_in_force(with_gift())
    goods_of(retail, *ids)
    variants = retail.records.records["products"]["5000000001"]["variants"]
    variants[str(ids.index("60"))]["options"] = {"colour": "blue"}
    offer = offer_of(ann, ACTION, {"purchase": FIRST, "reason": "no longer needed"})
    assert offer is not None and [(one.value, one.label) for one in offer.choices["gift"]] == [("60", "blue")]
    card = chosen(ann, "60")
    assert card_of(card).rows[-1].value == "60: blue"
    carried_out(ann, card)
    assert [json.loads(body)["gift"] for _, body in retail.commands] == ["60"]


@pytest.mark.parametrize("names_no_record", [False, True])
def test_entries_that_differ_only_in_spelling_are_neither_offered_nor_guessed(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, names_no_record: bool
) -> None:
    made = with_gift()
    made["arguments"]["gift"]["names_no_record"] = names_no_record
    put_in_force(made)
    goods_of(retail, "60 ", "60  ", "1")
    offer = offer_of(ann, ACTION, {"purchase": FIRST, "reason": "no longer needed"})
    assert offer is not None and [one.value for one in offer.choices["gift"]] == ["1"]
    refused = chosen(ann, "60")
    assert (refused.state, refused.reason_code) == (State.REFUSED, "choice_not_offered")
    assert retail.commands == []


def test_a_card_stays_with_the_entry_that_it_showed(ann: Principal, put_in_force: Put, retail: LoopbackShop) -> None:
    put_in_force(with_gift())
    goods_of(retail, "60 ")
    card = chosen(ann, "60")
    goods_of(retail, "60", "60 ")
    carried_out(ann, card)
    assert [json.loads(body)["gift"] for _, body in retail.commands] == ["60 "]


def test_a_card_ends_if_its_entry_is_spelled_differently_later(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(with_gift())
    goods_of(retail, "60 ")
    card = chosen(ann, "60")
    goods_of(retail, "60")
    ended = confirm(card.pk, principal=ann, digest=card.digest)
    assert (ended.state, ended.reason_code) == (State.CANCELLED, "record_changed")


@pytest.mark.long
@pytest.mark.parametrize("has_list", [True, False])
def test_an_undo_names_what_was_done_in_the_same_spelling(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, has_list: bool
) -> None:
    made = with_gift()
    back = {**document(), "name": "back"}
    if has_list:
        back = {**with_gift(), "name": "back"}
    else:
        gift = {"type": "string", "description": "A gift.", "names_no_record": True}
        back["arguments"] = {"gift": gift, "purchase": back["arguments"].pop("order_id"), **back["arguments"]}
        back = json.loads(json.dumps(back).replace("arguments.order_id", "arguments.purchase"))
        back["call"]["body"] |= {"gift": "{arguments.gift}"}
    given = {name: f"arguments.{name}" for name in ("purchase", "gift", "reason")}
    made["undo"] = {"action": "back", "arguments": given, "within_hours": 2}
    put_in_force(back)
    put_in_force(made)
    goods_of(retail, "60 ")
    done = carried_out(ann, chosen(ann, "60"))
    goods_of(retail, "60", "60 ")
    retail.records.records["orders"][FIRST]["status"] = "pending"
    carried_out(ann, propose_undo(ann, done.pk))
    assert [json.loads(body)["gift"] for _, body in retail.commands] == ["60 ", "60 "]


@pytest.mark.long
def test_each_list_is_read_once_although_lists_depend_on_each_others_choices(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    made, names = call_off(), [f"kept_{number}" for number in range(20)]
    for before, name in enumerate(names):
        others = " and ".join(["o != 'x'", *(f"o != arguments.{other}" for other in names[:before])])
        choosing = ORDERS | {"list": f"filter(customer.orders, o, {others})"}
        made["arguments"][name] = {"type": "string", "description": name, "choose_from": choosing}
    put_in_force(made)
    ids = [f"{number:03} " for number in range(21)]  # with 2 to the power of 20 readings, this would take a minute
    own_parcels(retail, *ids)
    given = {"order_id": "020", "reason": "no longer needed"} | {
        name: f"{number:03}" for number, name in enumerate(names)
    }
    with bounded(20):
        card = propose(ann, ACTION, given, proposal_key="turn:1:1")
    assert card.state == State.AWAITING_CONFIRMATION, (card.reason_code, card.reason_facts)
    assert [card.arguments[name] for name in names] == ids[:20]


def test_lists_with_circular_dependencies_read_the_choice_as_it_was_given(ann: Principal, retail: LoopbackShop) -> None:
    made = call_off()
    for name, other in (("one", "two"), ("two", "one")):
        choosing = ORDERS | {"list": f"filter(customer.orders, o, o != arguments.{other})"}
        made["arguments"][name] = {"type": "string", "description": name, "choose_from": choosing}
    store_as_published(made)
    given = {"order_id": FIRST, "one": FIRST, "two": SECOND, "reason": "no longer needed"}
    card = propose(ann, ACTION, given, proposal_key="turn:1:1")
    assert (card.state, card.arguments["one"], card.arguments["two"]) == (State.AWAITING_CONFIRMATION, FIRST, SECOND)
