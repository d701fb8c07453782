"""Rules are tried on past requests before they are saved: the trial shows what would change, and does nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from actions.audit import head
from actions.backtest import back_test
from actions.ledger import workspace_day
from actions.models import ActionPolicyVersion, ActionRequest, LedgerEntry
from actions.policy_store import change_rules, policy_of, rules_of
from actions.principals import Principal
from actions.services import confirm, propose
from actions.testing import FakeShop, run_queued
from supportbot import connection_test_limit
from supportbot.accounts.models import Workspace
from supportbot.ids import uuid7
from tests.console.conftest import logged_in, person
from tests.console.definition_pages import fields_of, page_of
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def refunded(shop: FakeShop, principal: Principal) -> Callable[..., ActionRequest]:
    """Return a function that refunds an amount of an order."""
    count = iter(range(1, 100))

    def refund(amount: str, order: str = "A-1001") -> ActionRequest:
        wish = {"order_id": order, "reason": "Torn", "amount": amount}
        card = propose(principal, "refund_order", wish, proposal_key=f"turn:9:{next(count)}")
        if card.state == "awaiting_confirmation":
            confirm(card.pk, principal=principal, digest=card.digest)
            run_queued()
        return card

    return refund


@pytest.mark.long
def test_amounts_add_up_as_they_did(refunded: Callable[..., ActionRequest], workspace: Workspace) -> None:
    first, second, third = refunded("10.00"), refunded("15.00"), refunded("5.00")
    refused = refunded("5.00", order="A-1003")  # not delivered: refused by the action, not by a rule
    fifth = refunded("1.00")
    policy = policy_of("refund_order")
    assert policy is not None and refused.state == "refused"
    rules, before = rules_of(policy), head().seq

    def changed(**changes: Any) -> list[tuple[Any, str, int]]:
        found = back_test("refund_order", current=rules, proposed=replace(rules, **changes), days=30)
        assert (found.judged, found.other, found.is_cut) == (4, 1, False)
        return [
            (one.request.pk, one.after.reason.code if one.after.reason else "", one.after.approvals)
            for one in found.changes
        ]

    assert changed() == []
    assert changed(max_per_customer_day=Decimal(26)) == [
        (fifth.pk, "limit_customer_day", 0),
        (third.pk, "limit_customer_day", 0),
    ]
    assert changed(approval_above=Decimal(12)) == [(one.pk, "", 1) for one in (fifth, third, second)]
    assert changed(approval_above=Decimal(12), second_approval_above=Decimal(26))[0] == (fifth.pk, "", 2)
    assert changed(max_requests_per_customer_day=1) == [
        (one.pk, "limit_count_day", 0) for one in (fifth, third, second)
    ]
    assert {code for _, code, _ in changed(is_shadow=True)} == {"shadow_mode"}
    assert first.pk in {key for key, _, _ in changed(is_enabled=False)}
    assert head().seq == before  # nothing is recorded, since nothing is done
    long_ago = back_test("refund_order", current=rules, proposed=replace(rules, is_enabled=False), days=0)
    assert long_ago.judged == 0 and now() - fifth.created_at < timedelta(minutes=5)


@pytest.fixture
def paid_back(refunded: Callable[..., ActionRequest]) -> Callable[..., None]:
    """Return a function that adds a refund from some days ago to the ledger."""
    like, count = refunded("1.00"), iter(range(1, 100))

    def put(amount: str, *, days_ago: int, order: str = "A-1001", customer: UUID | None = None, **entry: Any) -> None:
        at = now() - timedelta(days=days_ago)
        who = customer or like.customer_id
        request = ActionRequest.objects.create(
            customer_id=who, proposal_key=f"old:{next(count)}", action=like.action, spec_version=like.spec_version,
            policy_version=like.policy_version, asked_digest="0" * 64, arguments={}, digest="0" * 64,
            subject_kind="order", subject_id=order, order_id=order, amount=amount, currency="EUR", created_at=at,
        )  # fmt: skip
        facts = {"status": "spent", "currency": "EUR", **entry}
        LedgerEntry.objects.create(
            request=request, action=like.action, customer_id=who, subject_kind="order", subject_id=order,
            order_id=order, amount=amount, day=workspace_day(at), created_at=at, **facts,
        )  # fmt: skip

    return put


@pytest.mark.long
def test_amounts_before_the_period_count_as_far_back_as_limits_look(
    refunded: Callable[..., ActionRequest], paid_back: Callable[..., None]
) -> None:
    paid_back("100.00", days_ago=500)  # counts for the order, not for the year
    paid_back("20.00", days_ago=300, order="A-9")  # counts for the year, not for the order
    paid_back("7.00", days_ago=300, order="A-9", status="released")
    paid_back("3.00", days_ago=300, order="A-9", currency="USD")
    paid_back("50.00", days_ago=40, order="A-9", customer=uuid7())
    policy = policy_of("refund_order")
    assert policy is not None
    change_rules(policy, actor="test", max_per_order=None, max_per_customer_year=None)
    last, rules = refunded("2.00"), rules_of(policy)

    def refusal(**limits: Any) -> str:
        found = back_test("refund_order", current=rules, proposed=replace(rules, **limits), days=30)
        assert found.judged == 2  # including the one of `refunded`
        return next((one.after.reason.code for one in found.changes if one.request == last and one.after.reason), "")

    assert refusal(max_per_order=Decimal("103.00")) == ""
    assert refusal(max_per_order=Decimal("102.99")) == "limit_order"
    assert refusal(max_per_customer_year=Decimal("23.00")) == ""
    assert refusal(max_per_customer_year=Decimal("22.99")) == "limit_customer_year"
    assert refusal(max_per_workspace_day=Decimal("3.00"), max_requests_per_customer_day=2) == ""
    assert refusal(max_per_workspace_day=Decimal("2.99")) == "limit_workspace_day"


@pytest.mark.long
def test_only_the_period_is_read_from_the_ledger(
    refunded: Callable[..., ActionRequest], paid_back: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database sums up everything before the period, however much there is."""
    for days_ago in range(31, 61):
        paid_back("1.00", days_ago=days_ago)
    refunded("2.00")
    policy, read = policy_of("refund_order"), []
    assert policy is not None
    monkeypatch.setattr(LedgerEntry, "from_db", classmethod(_noting(read)))
    with CaptureQueriesContext(connection) as queries:
        back_test("refund_order", current=rules_of(policy), proposed=rules_of(policy), days=30)
    assert len(read) == 1 and len(queries) <= 6


def _noting(read: list[object]) -> Callable[..., LedgerEntry]:
    def from_db(model: type[LedgerEntry], *row: Any) -> LedgerEntry:
        read.append(row)
        return Model.from_db.__func__(model, *row)  # type: ignore[attr-defined, no-any-return]  # of a class method

    return from_db


@pytest.mark.long
def test_the_page_tries_typed_rules_and_saves_nothing(
    refunded: Callable[..., ActionRequest], workspace: Workspace
) -> None:
    refunded("10.00"), refunded("15.00")
    policy = policy_of("refund_order")
    assert policy is not None
    change_rules(policy, actor="test", approval_above=Decimal(100))
    browser = logged_in(person(workspace, "admin", "ada"))
    address = f"/admin/actions/actionpolicy/{policy.pk}/change/"
    sent = {**fields_of(browser.get(address)), "approval_above": "12.00", "days": "7", "_try": "1"}
    page = page_of(browser.post(address, sent))
    text = visible_text(page, " ")
    assert "1 decision would change out of 2 in the last 7 days." in text
    beside = page.css_first(".notice:has(+ .submit button[name=_save])")
    assert beside is not None and "Not saved yet. The rules were only tried" in visible_text(beside, " ")
    assert "the customer confirms → the customer confirms, then a person approves" in text
    assert page.css_first("input[name=approval_above]").attributes["value"] == "12.00"
    assert ActionPolicyVersion.objects.filter(policy=policy).count() == 2 and policy.current is not None
    browser.post(address, {name: value for name, value in sent.items() if name != "_try"})
    policy.refresh_from_db()
    assert policy.current is not None and policy.current.approval_above == Decimal(12)


@pytest.mark.long
def test_looser_rules_show_the_requests_they_would_allow_before_they_are_saved(
    refunded: Callable[..., ActionRequest], workspace: Workspace
) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    change_rules(policy, actor="test", max_per_customer_year=None, max_per_order=Decimal(20), approval_above=Decimal(5))
    small, waiting, refused = refunded("1.00"), refunded("10.00"), refunded("30.00")
    assert (waiting.needs_approval, refused.reason_code) == (True, "limit_order")
    browser = logged_in(person(workspace, "admin", "ada"))
    address = f"/admin/actions/actionpolicy/{policy.pk}/change/"
    looser = {**fields_of(browser.get(address)), "max_per_order": "50.00", "approval_above": "15.00"}
    answer = browser.post(address, looser)
    page = page_of(answer)
    text = visible_text(page, " ")
    assert "2 decisions would change out of 3" in text and "save again to put the rules in force" in text
    assert "1 was refused or needed a person, but would now need only the customer's confirmation." in text
    assert "0 needed only the customer's confirmation, but would now be refused or need a person." in text
    links = [str(one.attributes["href"]) for one in page.css("#h-tried ~ ul a")]
    assert [str(waiting.pk) in links[0], str(refused.pk) in links[1], str(small.pk) in str(links)] == [
        True,
        True,
        False,
    ]
    policy.refresh_from_db()
    assert policy.current is not None and policy.current.max_per_order == Decimal(20)
    shown = fields_of(answer)
    changed = browser.post(address, {**shown, "approval_above": "20.00"})  # differs from the rules that were shown
    assert "save again" in visible_text(page_of(changed), " ")
    browser.post(address, shown)
    policy.refresh_from_db()
    assert policy.current is not None and policy.current.approval_above == Decimal(15)


@pytest.mark.long
def test_a_note_next_to_the_button_says_that_the_end_of_a_dry_run_is_not_saved_yet(
    refunded: Callable[..., ActionRequest], workspace: Workspace
) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    change_rules(policy, actor="test", is_shadow=True)
    refunded("1.00")
    browser = logged_in(person(workspace, "admin", "ada"))
    address = f"/admin/actions/actionpolicy/{policy.pk}/change/"
    opened = browser.get(address)
    assert "Not saved yet" not in visible_text(page_of(opened), " ")
    answer = browser.post(address, {name: value for name, value in fields_of(opened).items() if name != "is_shadow"})
    beside = page_of(answer).css_first(".notice:has(+ .submit button[name=_save])")
    assert beside is not None and "Not saved yet. These rules allow more" in visible_text(beside, " ")
    policy.refresh_from_db()
    assert policy.current is not None and policy.current.is_shadow
    saved = browser.post(address, fields_of(answer), follow=True)
    assert "Not saved yet" not in visible_text(page_of(saved), " ")
    policy.refresh_from_db()
    assert policy.current is not None and not policy.current.is_shadow


@pytest.mark.long
def test_rules_that_let_nothing_through_are_saved_at_once(
    refunded: Callable[..., ActionRequest], workspace: Workspace
) -> None:
    refunded("10.00")
    policy = policy_of("refund_order")
    assert policy is not None
    browser = logged_in(person(workspace, "admin", "ada"))
    address = f"/admin/actions/actionpolicy/{policy.pk}/change/"
    # Looser, but without effect on any request.
    browser.post(address, {**fields_of(browser.get(address)), "approval_above": "500.00"})
    policy.refresh_from_db()
    assert policy.current is not None and policy.current.approval_above == Decimal(500)


@pytest.mark.long
def test_an_empty_period_is_reported_and_tries_are_limited(
    refunded: Callable[..., ActionRequest], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    browser = logged_in(person(workspace, "admin", "ada"))
    address = f"/admin/actions/actionpolicy/{policy.pk}/change/"
    sent = {**fields_of(browser.get(address)), "approval_above": "12.00", "days": "7", "_try": "1"}

    def tried() -> str:
        return visible_text(page_of(browser.post(address, sent)), " ")

    assert "Nothing to try. There were no requests in the last 7 days." in tried()
    refunded("5.00", order="A-1003")  # not delivered
    assert (
        "Nothing to try. The only request in the last 7 days was refused for a reason that does not depend on the"
        " rules." in tried()
    )
    monkeypatch.setattr(connection_test_limit, "TESTS_PER_MINUTE", 0)
    page = page_of(browser.post(address, sent))
    text = visible_text(page, " ")
    assert "A workspace can run 20 tests a minute." in text and "Nothing to try" not in text
    assert page.css_first("input[name=approval_above]").attributes["value"] == "12.00"  # the typed values stay
