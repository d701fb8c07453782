"""The approvals page: the exact call, the rules with their numbers, and people who may not decide."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.utils.timezone import now, timedelta
from pytest_django.plugin import DjangoDbBlocker
from selectolax.lexbor import LexborHTMLParser

from actions import audit
from actions.approvers import allow_approval
from actions.cards import card_of
from actions.catalogue.refund_order import RefundOrder
from actions.facts import Order
from actions.models import ActionRequest, Attempt, AuditEntry
from actions.outcomes import OutcomeKind
from actions.policy_store import change_rules, policy_of
from actions.principals import Principal
from actions.registry import all_actions
from actions.requests.sweeps import judge_waiting
from actions.services import approve, confirm, propose, settle_by_hand
from actions.spec import Row
from actions.testing import FakeShop, connected, run_queued
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.workspaces import create_workspace
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.handoff.approvals import selectors
from supportbot.handoff.approvals.selectors import rules_checked
from tests.handoff.browsing import browser
from tests.module_rows import rows_of_module
from tests.pages import visible_text
from tests.policies import store_policies

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class WaitingRequest:
    """A request and the orders of the shop it was checked against."""

    request_id: UUID
    orders: dict[str, Order]


@pytest.fixture(scope="module")
def asked(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[WaitingRequest]:
    """Alice's confirmed refund of 189.00, which needs approval."""
    with rows_of_module(django_db_blocker), connected(FakeShop()) as shop:
        workspace = create_workspace("Wrenfell Outdoor", slug="wrenfell")
        with workspace_scope(workspace.pk):
            shop.add_order("A-1", "cus_alice", total="189.00")
            alice = Customer.objects.create(external_id="cus_alice", name="Alice", locale="en")
            conversation = start_conversation(alice.pk)
            store_policies(workspace)
            add_customer_message(conversation.pk, text="They are <b>too tight</b>.", client_id="1")
            principal = principal_of(alice)
            wish = {"order_id": "A-1", "reason": "Too tight"}
            request = propose(principal, "refund_order", wish, proposal_key="turn:1:1", conversation_id=conversation.pk)
            confirm(request.pk, principal=principal, digest=request.digest)
        yield WaitingRequest(request.pk, shop.orders)


@pytest.fixture
def workspace(asked: WaitingRequest, db: None) -> Iterator[Workspace]:
    row = Workspace.objects.get(slug="wrenfell")
    with workspace_scope(row.pk):
        yield row


@pytest.fixture
def alice(workspace: Workspace) -> Customer:
    found: Customer = Customer.objects.get(external_id="cus_alice")
    return found


@pytest.fixture
def shop(asked: WaitingRequest, workspace: Workspace) -> Iterator[FakeShop]:
    with connected(FakeShop(orders=dict(asked.orders))) as fake:
        yield fake


@pytest.fixture
def waiting(asked: WaitingRequest, shop: FakeShop) -> ActionRequest:
    found: ActionRequest = ActionRequest.objects.get(pk=asked.request_id)
    return found


def principal_of(alice: Customer) -> Principal:
    expires = now() + timedelta(minutes=10)
    return Principal(alice.workspace_pk, alice.pk, "cus_alice", is_verified=True, expires_at=expires)


@pytest.fixture
def approver(waiting: ActionRequest, lead: User) -> User:
    allow_approval(policy(), lead, actor="test")
    return lead


def policy() -> Any:
    found = policy_of("refund_order")
    assert found is not None
    return found


def page(client: Client, request: ActionRequest, status: int = 200) -> LexborHTMLParser:
    return read(client.get(f"/desk/approvals/{request.pk}/"), status)


def read(answer: Any, status: int) -> LexborHTMLParser:
    assert answer.status_code == status
    return LexborHTMLParser(answer.content.decode())


def words(tree: LexborHTMLParser) -> str:
    return re.sub(r"\s+", " ", tree.body.text() if tree.body else "")


def decide(client: Client, request: ActionRequest, verdict: str, digest: str = "") -> Any:
    return client.post(f"/desk/approvals/{request.pk}/{verdict}/", {"digest": digest})


def state_of(request: ActionRequest) -> str:
    return str(ActionRequest.objects.get(pk=request.pk).state)


def test_the_page_shows_arguments_rules_and_messages(waiting: ActionRequest, approver: User) -> None:
    tree = page(browser(approver), waiting)
    shown = words(tree)
    for part in ("Refund €189.00", "A-1", "Too tight", "from the signed identity", "They are <b>too tight</b>."):
        assert part in shown
    facts = {row.css_first("th").text(): row.css_first("td").text() for row in tree.css(".args tr")}
    assert facts["Amount"] == "€189.00"
    assert tree.css_first(".dg").text().replace(" ", "") == f"sha256{waiting.digest[:16]}"
    assert tree.css_first("input[name=digest]").attributes["value"] == waiting.digest
    assert [button.text().strip() for button in tree.css(".decide button.primary")] == ["Approve €189.00"]


def test_an_amount_that_the_card_shows_is_shown_once(
    shop: FakeShop, waiting: ActionRequest, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = card_of(waiting, "en")
    rows = (*shown.rows, Row("Refund", "€189.00"))
    monkeypatch.setattr(selectors, "card_of", lambda *_: replace(shown, rows=rows))
    tree = page(browser(approver), waiting)
    facts = {row.css_first("th").text(): row.css_first("td").text() for row in tree.css(".args tr")}
    assert facts["Refund"] == "€189.00" and "Amount" not in facts
    assert [button.text().strip() for button in tree.css(".decide button.primary")] == ["Approve €189.00"]


def test_the_record_is_named_if_the_card_does_not_show_it(
    shop: FakeShop, waiting: ActionRequest, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def about() -> list[str]:
        rows = page(browser(approver), waiting).css(".args tr")
        return [row.css_first("td").text() for row in rows if row.css_first("th").text() == "About"]

    assert about() == []
    shown = card_of(waiting, "en")
    monkeypatch.setattr(selectors, "card_of", lambda *_: replace(shown, rows=(Row("Other", "A-12"),)))
    assert about() == ["order A-1"]


def test_a_removed_action_is_still_listed_by_name(
    waiting: ActionRequest, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = {name: action for name, action in all_actions().items() if name != "refund_order"}
    monkeypatch.setattr("actions.registry.code_actions", lambda: left)
    client = browser(approver)
    assert "Refund order" in words(read(client.get("/desk/approvals/"), 200))
    assert "Refund order" in words(page(client, waiting))


def test_rules_show_their_numbers_and_which_one_needs_a_person(waiting: ActionRequest) -> None:
    shown = {rule.text: (rule.numbers, rule.needs_person) for rule in rules_checked(waiting)}
    assert shown["For this customer in the last 12 months"] == ("€189.00 of €400.00", False)
    assert shown["In this workspace today"] == ("€189.00 of €2,000.00", False)
    assert shown["Above €150.00: needs approval"] == ("€189.00", True)


def test_a_sum_of_several_requests_is_shown_as_one(waiting: ActionRequest, shop: FakeShop, alice: Customer) -> None:
    shop.add_order("A-2", "cus_alice", total="54.00")
    wish = {"order_id": "A-2", "reason": "Too tight"}
    principal = principal_of(alice)
    request = propose(principal, "refund_order", wish, proposal_key="turn:2:1", conversation_id=waiting.conversation_id)
    confirm(request.pk, principal=principal, digest=request.digest)
    shown = {rule.text: rule.numbers for rule in rules_checked(waiting)}
    assert shown["Above €150.00: needs approval"] == "€243.00 with the customer's other requests"


def test_another_currency_needs_approval_even_without_a_threshold(
    waiting: ActionRequest, shop: FakeShop, alice: Customer
) -> None:
    change_rules(policy(), actor="test", approval_above=None)
    shop.add_order("A-2", "cus_alice", total="20.00", currency="USD")
    principal = principal_of(alice)
    wish = {"order_id": "A-2", "reason": "Too tight"}
    request = propose(principal, "refund_order", wish, proposal_key="turn:2:1", conversation_id=waiting.conversation_id)
    confirmed = confirm(request.pk, principal=principal, digest=request.digest)
    assert confirmed.state == "awaiting_approval"
    assert [rule.text for rule in rules_checked(confirmed) if rule.needs_person] == ["Not in EUR: needs approval"]


def test_a_request_in_its_last_minute_is_about_to_expire(waiting: ActionRequest, approver: User) -> None:
    ActionRequest.objects.filter(pk=waiting.pk).update(expires_at=now() + timedelta(seconds=30))
    tree = read(browser(approver).get("/desk/approvals/"), 200)
    assert tree.css_first(".api time").text() == "about to expire"


def test_approving_runs_exactly_this_and_is_logged(waiting: ActionRequest, approver: User) -> None:
    client = browser(approver)
    assert decide(client, waiting, "approve", waiting.digest).status_code == 302
    assert state_of(waiting) == "queued"
    assert AuditEntry.objects.filter(request_id=waiting.pk, actor=f"user:{approver.pk}").exists()
    tree = page(client, waiting)
    assert tree.css(".decide") == [] and "Daniel Brandt" in words(tree)


def test_the_page_follows_a_request_only_while_it_is_being_carried_out(waiting: ActionRequest, approver: User) -> None:
    client, seen = browser(approver), []
    for state in ("awaiting_approval", "queued", "executing", "succeeded"):
        ActionRequest.objects.filter(pk=waiting.pk).update(state=state, lease_until=now())
        seen.append(page(client, waiting).css_first("#case").attributes.get("data-carried-out"))
    assert seen == [None, "queued", "executing", None]


def test_the_page_does_not_follow_a_held_request_before_its_time(waiting: ActionRequest, approver: User) -> None:
    client, seen = browser(approver), []
    for minutes in (10, -1):
        due_at = now() + timedelta(minutes=minutes)
        ActionRequest.objects.filter(pk=waiting.pk).update(state="queued", due_at=due_at)
        seen.append(page(client, waiting).css_first("#case").attributes.get("data-carried-out"))
    assert seen == [None, "queued"]


def test_programs_have_names_for_people_in_the_history(waiting: ActionRequest, approver: User) -> None:
    with transaction.atomic():
        audit.record("request.executing", actor="worker", request_id=waiting.pk)
        audit.record("request.succeeded", actor="merchant", request_id=waiting.pk)
    actors = [step.css("small")[0].text() for step in page(browser(approver), waiting).css(".tl li")]
    assert actors[-2:] == ["the system", "the connected system"]


def test_rejecting_informs_the_customer_and_runs_nothing(
    waiting: ActionRequest, approver: User, shop: FakeShop
) -> None:
    client = browser(approver)
    assert "reviewed the request and declined it. Nothing was done." in words(page(client, waiting))
    assert decide(client, waiting, "reject").status_code == 302
    assert (state_of(waiting), shop.refunds) == ("rejected", [])


def test_a_reason_is_shown_to_its_audience_only(waiting: ActionRequest, approver: User) -> None:
    client = browser(approver)
    address = f"/desk/approvals/{waiting.pk}/reject/"
    refused = read(client.post(address, {"reason": "<b>" * 200, "reads": "team"}), 400)
    assert refused.css_first("#reason").text().strip() == "<b>" * 200  # the typed text is kept
    assert refused.css_first("[name=reads][checked]").attributes["value"] == "team"
    assert "At most 500 characters." in refused.css_first("#reason-error").text()
    assert client.post(address, {"reason": "<b>Worn</b> soles", "reads": "customer"}).status_code == 302
    tree = page(client, waiting)
    assert "declined it: <b>Worn</b> soles. Nothing was done." in words(tree)
    assert "shown to the customer: <b>Worn</b> soles." in words(tree)


def test_a_digest_mismatch_needs_a_new_decision(waiting: ActionRequest, approver: User) -> None:
    tree = read(decide(browser(approver), waiting, "approve", "0" * 64), 409)
    assert "Please decide again" in tree.css_first("[role=alert]").text()
    assert tree.css_first("input[name=digest]").attributes["value"] == waiting.digest
    assert state_of(waiting) == "awaiting_approval"


def test_a_colleagues_decision_is_shown_with_the_current_state(
    waiting: ActionRequest, approver: User, bob: User
) -> None:
    allow_approval(policy(), bob, actor="test")
    approve(waiting.pk, approver=bob, digest=waiting.digest)
    tree = read(decide(browser(approver), waiting, "approve", waiting.digest), 409)
    assert "This is the current state" in visible_text(tree.css_first("[role=alert]"))
    assert (tree.css(".decide"), state_of(waiting)) == ([], "queued")
    followed = tree.css_first("[data-carried-out]").attributes["data-address"]  # this page's address is the form's
    assert read(browser(approver).get(followed), 200).css_first("#case").attributes["data-carried-out"] == "queued"


def test_changed_rules_end_a_request_instead_of_running_it(waiting: ActionRequest, approver: User) -> None:
    change_rules(policy(), actor="test", max_per_order=Decimal(100))
    tree = read(decide(browser(approver), waiting, "approve", waiting.digest), 409)
    assert state_of(waiting) == "expired"
    assert "This would exceed the refund limit for this order." in words(tree)


def test_two_people_approve_and_see_each_other(waiting: ActionRequest, approver: User, bob: User) -> None:
    change_rules(policy(), actor="test", second_approval_above=Decimal(160))
    judge_waiting()
    Membership.objects.filter(user=bob).update(role=Membership.Role.SUPERVISOR)
    allow_approval(policy(), bob, actor="test")
    client = browser(approver)
    assert "Two people have to approve this." in words(page(client, waiting))
    decide(client, waiting, "approve", waiting.digest)
    assert state_of(waiting) == "awaiting_approval"
    tree = page(client, waiting)
    assert "You approved this." in words(tree) and bob.display_name in words(tree)
    assert "Approved by Daniel Brandt" in words(page(browser(bob), waiting))
    decide(browser(bob), waiting, "approve", waiting.digest)
    assert state_of(waiting) == "queued" and "First approval by Daniel Brandt" in words(page(client, waiting))


def test_a_waiting_request_shows_the_rules_in_force(waiting: ActionRequest, approver: User) -> None:
    change_rules(policy(), actor="test", approval_above=Decimal(100), max_per_customer_year=None)
    shown = {rule.text for rule in rules_checked(waiting)}
    assert "Above €100.00: needs approval" in shown and "For this customer in the last 12 months" not in shown
    decide(browser(approver), waiting, "approve", waiting.digest)
    assert state_of(waiting) == "queued"


def test_only_roles_that_can_approve_are_named_as_approvers(waiting: ActionRequest, approver: User, bob: User) -> None:
    assert approver.display_name in words(page(browser(bob), waiting))
    Membership.objects.filter(user=approver).update(role=Membership.Role.AGENT)
    tree = page(browser(bob), waiting)
    assert "No approver is set up. Ask an administrator." in words(tree)
    assert tree.css("a[href*=actionpolicy]") == []


def test_an_admin_is_sent_to_the_rules_if_nobody_may_approve(waiting: ActionRequest, bob: User) -> None:
    Membership.objects.filter(user=bob).update(role=Membership.Role.ADMIN)
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    client = browser(bob)
    tree = page(client, waiting)
    assert "No approver is set up. Select approvers" in words(tree)
    rules = client.get(tree.css_first(".notice a").attributes["href"])
    assert rules.status_code == 200 and 'id="id_approvers"' in rules.content.decode()


def test_approving_your_own_request_is_refused_with_a_reason(
    waiting: ActionRequest, approver: User, alice: Customer
) -> None:
    for row in (User.objects.filter(pk=approver.pk), Customer.objects.filter(pk=alice.pk)):
        row.update(email="alice@example.com")
    client = browser(approver)
    tree = page(client, waiting)
    assert "This is your own request." in words(tree) and tree.css(".decide form") == []
    for verdict in ("approve", "reject"):
        assert read(decide(client, waiting, verdict, waiting.digest), 403).css_first("[role=alert]") is not None
    assert state_of(waiting) == "awaiting_approval"


def test_someone_without_the_right_sees_who_has_it(waiting: ActionRequest, approver: User, bob: User) -> None:
    client = browser(bob)
    tree = page(client, waiting)
    assert "You cannot decide on this action. Ask a colleague who can: Daniel Brandt." in words(tree)
    assert tree.css(".decide form") == []
    assert decide(client, waiting, "approve", waiting.digest).status_code == 403
    assert state_of(waiting) == "awaiting_approval"


def test_a_stranger_and_an_unknown_verdict_get_not_found(waiting: ActionRequest, approver: User, mallory: User) -> None:
    client = browser(mallory)
    assert "A-1" not in client.get("/desk/approvals/").content.decode()
    foreign = [client.get(f"/desk/approvals/{waiting.pk}/"), decide(client, waiting, "approve", waiting.digest)]
    missing = client.get(f"/desk/approvals/{uuid4()}/")
    unknown = decide(browser(approver), waiting, "explode", waiting.digest)
    assert {answer.status_code for answer in (*foreign, missing, unknown)} == {404}
    assert state_of(waiting) == "awaiting_approval"


def test_tabs_list_waiting_running_and_decided_requests(waiting: ActionRequest, approver: User) -> None:
    client = browser(approver)

    def listed(shown: str) -> list[str]:
        tree = read(client.get(f"/desk/approvals/?show={shown}"), 200)
        return [" ".join(item.text(separator=" ").split()) for item in tree.css(".api")]

    assert listed("decide") == ["Refund an order, Alice €189.00 Too tight 23 h left"]
    assert (listed("running"), listed("decided")) == ([], [])
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert (listed("decide"), len(listed("running"))) == ([], 1)


@pytest.fixture
def unknown(waiting: ActionRequest, approver: User, shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> ActionRequest:
    """A request whose call got no answer, in a shop without a look-up by key."""
    monkeypatch.setattr(RefundOrder, "outcome", OutcomeKind.AT_MOST_ONCE)
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    shop.faults = ["silence"]
    run_queued()
    return waiting


def test_a_person_with_the_right_settles_an_unknown_outcome(
    unknown: ActionRequest, approver: User, shop: FakeShop
) -> None:
    client = browser(approver)
    tree = page(client, unknown)
    assert "nothing will be sent again" in words(tree)
    assert [button.text().strip() for button in tree.css(".decide button")] == [
        "It went through", "It did not go through",
    ]  # fmt: skip
    refused = client.post(f"/desk/approvals/{unknown.pk}/happened/", {"reason": "x" * 501})
    assert "At most 500 characters." in words(read(refused, 400))
    assert state_of(unknown) == "unknown"
    settled = client.post(f"/desk/approvals/{unknown.pk}/did-not/", {"reason": "Not in their ledger"})
    assert (settled.status_code, state_of(unknown), shop.refunds) == (302, "failed", [])
    assert "the request did not go through" in words(page(client, unknown))


def test_the_newest_look_up_is_shown_and_decides_who_may_settle(
    unknown: ActionRequest, approver: User, shop: FakeShop
) -> None:
    client = browser(approver)
    assert "The connected system did not respond." in words(page(client, unknown))
    Attempt.objects.filter(request_id=unknown.pk).update(is_in_progress=True, in_progress_at=now())
    assert "The connected system is still working on it." in words(page(client, unknown))
    tree = page(client, unknown)
    assert [button.text().strip() for button in tree.css(".decide button")] == ["It went through"]
    assert "still working on it, so it may still go through" in words(tree)
    refused = client.post(f"/desk/approvals/{unknown.pk}/did-not/", {})
    assert (refused.status_code, state_of(unknown)) == (409, "unknown")
    assert "still working on it, so it may still go through" in words(read(refused, 409))


@pytest.mark.long
def test_the_history_says_in_words_why_each_step_was_taken(unknown: ActionRequest, approver: User) -> None:
    assert history(unknown, approver)[-1].endswith("It will not be sent again.")
    settle_by_hand(unknown.pk, outcome="did_not", person=approver, note="Not in their ledger")
    assert history(unknown, approver)[-2].endswith("It will not be sent again.")
    assert history(unknown, approver)[-1] == (
        "A colleague has checked: the request did not go through. Nothing was done. "
        "(for the team only: Not in their ledger)"
    )


def history(request: ActionRequest, person: User) -> list[str]:
    """Return why each step was taken, as the page shows it; "" for a step without a reason."""
    steps = page(browser(person), request).css(".tl li")
    return [" ".join(told.text() for told in step.css("small")[1:]) for step in steps]


def test_an_earlier_step_has_no_facts_of_a_later_one(unknown: ActionRequest, approver: User) -> None:
    with transaction.atomic():
        for code in ("settled_did_not", "merchant_refused", "of_a_plugin"):
            audit.record("request.unknown", actor="system", request_id=unknown.pk, reason=code)
    settle_by_hand(unknown.pk, outcome="did_not", person=approver, note="Not in their ledger")
    settled = "A colleague has checked: the request did not go through. Nothing was done."
    assert history(unknown, approver)[-4:] == [
        settled, "merchant_refused", "of_a_plugin", f"{settled} (for the team only: Not in their ledger)",
    ]  # fmt: skip


def test_a_rejection_without_words_says_so_in_the_history(waiting: ActionRequest, approver: User) -> None:
    assert decide(browser(approver), waiting, "reject").status_code == 302
    last = history(waiting, approver)[-1]
    assert last == "A member of our team reviewed the request and declined it. Nothing was done."


def test_a_call_that_is_being_sent_again_is_not_offered_as_undone(
    unknown: ActionRequest, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RefundOrder, "outcome", OutcomeKind.REPLAY_SAFE)
    ActionRequest.objects.filter(pk=unknown.pk).update(due_at=now() + timedelta(minutes=5))
    tree = page(browser(approver), unknown)
    assert [button.text().strip() for button in tree.css(".decide button")] == ["It went through"]


def test_a_held_request_is_cancelled_by_a_person_with_the_right(
    waiting: ActionRequest, approver: User, bob: User, shop: FakeShop
) -> None:
    change_rules(policy(), actor="test", hold_minutes=10)
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert not page(browser(bob), waiting).css(".decide button")
    assert decide(browser(bob), waiting, "cancel").status_code == 403
    client = browser(approver)
    tree = page(client, waiting)
    assert [visible_text(button) for button in tree.css(".decide button")] == ["Cancel the request"]
    assert "It will be sent at" in words(tree)
    assert (decide(client, waiting, "cancel").status_code, state_of(waiting)) == (302, "cancelled")
    assert decide(client, waiting, "cancel").status_code == 409
    run_queued()
    assert shop.refunds == []


def test_nobody_without_the_right_can_settle_an_unknown_outcome(
    unknown: ActionRequest, bob: User, workspace: Workspace
) -> None:
    client = browser(bob)
    assert not page(client, unknown).css(".decide button")
    assert client.post(f"/desk/approvals/{unknown.pk}/happened/", {}).status_code == 403
    assert state_of(unknown) == "unknown"
