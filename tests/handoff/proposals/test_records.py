"""The desk's forms offer the customer's own records, and still take what is typed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser, LexborNode

from actions.models import ActionRequest, AuditEntry
from actions.principals import Principal
from supportbot.accounts.models import User
from supportbot.chat.services import start_conversation
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.actions.defined.conftest import admin as admin
from tests.actions.defined.conftest import ann as ann
from tests.actions.defined.conftest import put_in_force as put_in_force
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.record_choices import FIRST, NAME, SECOND, call_off, cancel_with_gift, how_far
from tests.handoff.browsing import browser
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
WHY = "no longer needed"


@pytest.fixture
def taken(ann: Principal, bob: User) -> Ticket:
    """A ticket of Ann's, who has two orders, taken by Bob."""
    ticket = services.request(start_conversation(ann.customer_id).pk, reason="customer_asked", by="customer")
    return services.claim(ticket.pk, agent=bob)


@pytest.fixture
def bobs(bob: User) -> Client:
    return browser(bob)


def proposing(ticket: Ticket) -> str:
    return f"/desk/tickets/{ticket.pk}/ask/cancel_pending_order/"


def page(answer: Any) -> LexborHTMLParser:
    return LexborHTMLParser(answer.content.decode())


def field_of(answer: Any, name: str) -> LexborNode:
    field = page(answer).css_first(f"form.ask [name={name}]")
    assert field is not None
    return field


def offered(answer: Any, name: str) -> list[tuple[str, str]]:
    """Return the value and the words of each record that a field offers."""
    options = field_of(answer, name).css("option")
    return [(str(one.attributes["value"]), visible_text(one)) for one in options if one.attributes["value"]]


def typed(answer: Any, name: str) -> str:
    """Return the value in the field for a record that is not among the offered ones."""
    return str(page(answer).css_first(f"details input[name={name}]").attributes["value"] or "")


def hint_of(answer: Any, name: str) -> str:
    told = (field_of(answer, name).attributes.get("aria-describedby") or "").split()
    return " ".join(page(answer).css_first(f"[id={one}]").text(strip=True) for one in told)


@pytest.mark.long
def test_an_action_offers_the_customers_records_and_takes_another_number(
    taken: Ticket, bobs: Client, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(call_off())
    form = bobs.get(proposing(taken))
    assert offered(form, "order_id") == [(one, f"{one}: Order {one}") for one in (FIRST, SECOND)]
    assert hint_of(form, "order_id") == typed(form, "order_id") == ""
    entry = AuditEntry.objects.get(event="read.answered")
    assert (entry.actor, entry.payload["records"]) == (f"user:{taken.assignee_id}", 2)
    for step, status in (("check", 200), ("send", 302)):
        told = bobs.post(proposing(taken), {"order_id": [FIRST, ""], "reason": WHY, "step": step})
        assert told.status_code == status
    assert AuditEntry.objects.filter(event="read.answered").count() == 1  # a preview shows no list
    assert ActionRequest.objects.get().subject_id == FIRST
    stranger = bobs.post(proposing(taken), {"order_id": [FIRST, "#W0000003"], "reason": WHY, "step": "check"})
    assert typed(stranger, "order_id") == "#W0000003"
    assert "There is no order #W0000003 in your account." in visible_text(page(stranger).css_first(".notice.warn"))


def test_the_records_stay_when_another_field_is_wrong(taken: Ticket, bobs: Client, put_in_force: Put) -> None:
    put_in_force(call_off())
    again = bobs.post(proposing(taken), {"order_id": "\u202e", "reason": "because", "step": "check"})
    assert again.status_code == 400
    assert [value for value, _ in offered(again, "order_id")] == [FIRST, SECOND]
    assert hint_of(again, "order_id").startswith("Remove control characters")


@pytest.mark.parametrize("days", ["-1", "9" * 17, "9" * 5_000, "-" + "9" * 5_000, "two"])
def test_a_number_out_of_range_is_refused_next_to_its_field(
    taken: Ticket, bobs: Client, put_in_force: Put, days: str
) -> None:
    """The page failed above 4,300 digits."""
    made = call_off()
    made["arguments"]["days"] = {"type": "integer", "description": "For how many days."}
    put_in_force(made)
    for step, status in (("", 200), ("check", 400), ("send", 400)):
        told = bobs.post(proposing(taken), {"order_id": FIRST, "reason": WHY, "days": days, "step": step})
        assert told.status_code == status
        assert field_of(told, "days").attributes["value"] == days
    assert hint_of(told, "days") == "Enter a whole number from 0 to 1000000."
    assert not ActionRequest.objects.exists()


def test_a_list_that_depends_on_another_field_appears_once_that_is_filled_in(
    taken: Ticket, bobs: Client, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(cancel_with_gift())
    retail.asked.clear()
    form = bobs.get(proposing(taken))
    assert hint_of(form, "gift") == "Fill in the other fields first: the list depends on them."
    assert "required" not in field_of(form, "gift").attributes  # so that the form can be sent
    assert retail.asked == [] and not AuditEntry.objects.filter(event="read.answered").exists()
    asked = bobs.post(proposing(taken), {"purchase": FIRST, "reason": WHY, "gift": "", "step": "check"})
    assert asked.status_code == 400 and offered(asked, "gift")[0] == ("1000000001", "1000000001: blue")
    shown = bobs.post(proposing(taken), {"purchase": FIRST, "reason": WHY, "gift": "1000000001", "step": "check"})
    assert "1000000001: blue" in page(shown).css_first(".kv").text()


def with_two_lists() -> dict[str, Any]:
    """Return an action whose arguments are chosen from two look-ups."""
    made = cancel_with_gift()
    made["arguments"]["purchase"]["choose_from"] = call_off()["arguments"]["order_id"]["choose_from"]
    made["lookups"] += call_off()["lookups"]
    return made


def test_a_form_does_not_wait_for_a_silent_system_twice(
    taken: Ticket, bobs: Client, put_in_force: Put, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_force(with_two_lists())
    monkeypatch.setattr(retail, "_read", lambda path, query: ("close", 0, None))
    retail.asked.clear()
    form = bobs.get(proposing(taken), {"purchase": FIRST, "reason": WHY})
    assert field_of(form, "gift").tag == field_of(form, "purchase").tag == "input"
    assert len(set(retail.asked)) == 1 and not AuditEntry.objects.filter(event="read.answered").exists()


def test_a_list_that_cannot_be_read_leaves_the_others(
    taken: Ticket, bobs: Client, put_in_force: Put, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_force(with_two_lists())
    read = retail._read
    monkeypatch.setattr(
        retail, "_read", lambda path, query: ("503", 503, {}) if "/products" in path else read(path, query)
    )
    asked = bobs.post(proposing(taken), {"purchase": FIRST, "reason": WHY, "gift": "", "step": "check"})
    assert [value for value, _ in offered(asked, "purchase")] == [FIRST, SECOND]
    assert field_of(asked, "gift").tag == "input"


@pytest.mark.parametrize(
    ("orders", "user", "hint"),
    [([], "ann_lee_1", "There is nothing to choose from."), ([FIRST], "bob_ray_2", "We do not know you.")],
)
def test_without_records_the_form_says_why_and_takes_what_is_typed(
    taken: Ticket, bobs: Client, put_in_force: Put, retail: LoopbackShop, orders: list[str], user: str, hint: str
) -> None:
    put_in_force(call_off())
    retail.records.records["users"]["ann_lee_1"] |= {"orders": orders, "user_id": user}
    form = bobs.get(proposing(taken))
    assert hint_of(form, "order_id") == hint and offered(form, "order_id") == []
    assert bobs.post(proposing(taken), {"order_id": FIRST, "reason": WHY, "step": "check"}).status_code == 200


def test_a_look_up_offers_the_customers_records(
    taken: Ticket, bobs: Client, put_in_force: Put, retail: LoopbackShop
) -> None:
    made = how_far()
    made["result"]["card"] = {"title": {"en": "Parcel {order.order_id}"}, "hosts": ["shop.example"]}
    put_in_force(made)
    address = f"/desk/tickets/{taken.pk}/records/"
    assert [value for value, _ in offered(bobs.get(address), "parcel")] == [FIRST, SECOND]
    retail.asked.clear()
    found = bobs.get(address, {"look_up": NAME, "parcel": FIRST})
    assert offered(found, "parcel") and sorted(set(retail.asked)) == sorted(retail.asked)  # each only once
    assert f"Parcel {FIRST}" in page(found).css_first(".sheet h2").text()
    hidden = {one.attributes["name"]: one.attributes["value"] for one in page(found).css(".sheet input[type=hidden]")}
    assert hidden["parcel"] == FIRST


def test_a_colleague_who_does_not_have_the_ticket_sees_no_records(
    taken: Ticket, noor: User, mallory: User, put_in_force: Put, retail: LoopbackShop
) -> None:
    made = how_far()
    made["result"]["card"] = {"title": {"en": "Parcel {order.order_id}"}, "hosts": ["shop.example"]}
    for one in (call_off(), made):
        put_in_force(one)
    retail.asked.clear()
    for person in (noor, mallory):
        for address in (proposing(taken), f"/desk/tickets/{taken.pk}/records/"):
            assert FIRST not in browser(person).get(address).content.decode()
    assert retail.asked == []
