"""A call that names no customer: any signed-in customer may request it, as often as the definition allows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actions.definitions import services
from actions.definitions.errors import InvalidDefinition
from actions.definitions.evaluation_context import Answer
from actions.errors import NotSignedIn
from actions.models import ActionPolicyVersion, ActionRequest, AuditEntry
from actions.policy_store import change_rules, policy_of, rules_of, trying
from actions.principals import Principal
from actions.services import propose
from actions.testing import run_queued
from supportbot.accounts.models import Customer
from supportbot.errors import InvalidInput
from tests.actions.conftest import signed_in_as
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
CALL_ME = {"name": "Ann Lee", "phone": "+49 30 1234"}


def callback(**changes: Any) -> dict[str, Any]:
    """Return an action whose call contains only a name and a phone number."""
    without = ("money", "lookups", "guards", "values", "labels", "undo", "receipt", "approval", "done_words")
    made = {name: one for name, one in document().items() if name not in without}
    own_words = {"type": "string", "names_no_record": True}
    texts = {"title": {"en": "Call back"}, "summary": {"en": "Call {arguments.name}."}, "button": {"en": "Call me"}}
    rows = [{"label": {"en": "Phone"}, "value": "arguments.phone"}]
    return made | {
        "name": "call_back", "risk": "change", "outcome": {"kind": "at_most_once"}, "card": texts | {"rows": rows},
        "arguments": {name: own_words | {"description": f"The {name}."} for name in CALL_ME},
        "subject": {"kind": "callback", "id": "identity.sub"}, "limits": {"max_requests_per_customer_day": 1},
        "call": {
            "method": "POST", "path": "/callbacks", "names_no_customer": True, "key": {"header": "Idempotency-Key"},
            "body": {"name": "{arguments.name}", "phone": "{arguments.phone}"},
        },
        "answer": {"happened": "status == 201", "did_not": "status == 422"},
    } | changes  # fmt: skip


@pytest.fixture(autouse=True)
def shop_that_accepts_anything(retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the shop accept whatever it is sent, since by itself it only knows orders."""
    monkeypatch.setattr(retail.records, "ask", lambda asked: Answer(201, {}))


def test_the_call_leaves_out_the_customer_and_the_audit_names_them(
    put_in_force: Put, agreed: Callable[..., ActionRequest], retail: LoopbackShop, ann: Principal
) -> None:
    put_in_force(callback())
    request = agreed("call_back", CALL_ME)
    run_queued()
    request.refresh_from_db()
    [(_, body)] = retail.commands
    assert request.state == "succeeded" and '"Ann Lee"' in body and ann.external_id not in body
    assert (request.customer_id, request.subject_id) == (ann.customer_id, ann.external_id)
    assert ann.actor in AuditEntry.objects.filter(request_id=request.pk).values_list("actor", flat=True)


def test_each_customer_has_their_own_count_of_requests(
    put_in_force: Put, agreed: Callable[..., ActionRequest], ask_for: Callable[..., ActionRequest], retail: LoopbackShop
) -> None:
    put_in_force(callback())
    agreed("call_back", CALL_ME)
    run_queued()
    again = ask_for("call_back", CALL_ME | {"phone": "+49 30 5678"})
    run_queued()
    assert (again.state, again.reason_code, len(retail.commands)) == ("refused", "limit_count_day", 1)
    ben = signed_in_as(Customer.objects.create(external_id="ben_1", name="Ben"))
    assert propose(ben, "call_back", CALL_ME, proposal_key="turn:8:1").state == "awaiting_confirmation"


def test_a_visitor_cannot_request_the_action(put_in_force: Put, retail: LoopbackShop, ann: Principal) -> None:
    put_in_force(callback())
    visitor = Customer.objects.create(external_id=None, visitor_hash="x")
    unknown = Principal(visitor.workspace_pk, visitor.pk, external_id=None, is_verified=False)
    with pytest.raises(NotSignedIn):
        propose(unknown, "call_back", CALL_ME, proposal_key="turn:9:1")
    assert not ActionRequest.objects.exists() and not retail.commands


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({"limits": None}, ["limits.max_requests_per_customer_day"]),
        ({"limits": {"hold_minutes": 5}}, ["limits.max_requests_per_customer_day"]),
    ],
)
def test_an_action_without_a_limit_is_not_published(changes: dict[str, Any], lacks: list[str]) -> None:
    assert services.missing_in(callback(**changes)) == lacks


def in_rules() -> list[int | None]:
    """Return the limit in each version of the rules."""
    versions = ActionPolicyVersion.objects.order_by("number")
    return list(versions.values_list("max_requests_per_customer_day", flat=True))


def test_the_limit_applies_even_if_the_action_had_rules_without_one(
    put_in_force: Put, agreed: Callable[..., ActionRequest], ask_for: Callable[..., ActionRequest], retail: LoopbackShop
) -> None:
    call = callback()["call"] | {"names_no_customer": None, "headers": {"X-Customer": "{identity.sub}"}}
    put_in_force(callback(call=call, limits=None))
    put_in_force(callback())
    assert in_rules() == [None, 1]
    agreed("call_back", CALL_ME)
    run_queued()
    again = ask_for("call_back", CALL_ME | {"phone": "+49 30 5678"})
    run_queued()
    assert (again.state, again.reason_code, len(retail.commands)) == ("refused", "limit_count_day", 1)


@pytest.mark.long
def test_rules_in_a_trial_do_not_raise_the_limit(
    put_in_force: Put, agreed: Callable[..., ActionRequest], ask_for: Callable[..., ActionRequest]
) -> None:
    put_in_force(callback())
    agreed("call_back", CALL_ME)
    without = replace(rules_of(policy_of("call_back")), max_requests_per_customer_day=None)
    with trying("call_back", without):
        again = ask_for("call_back", CALL_ME | {"phone": "+49 30 5678"})
    assert (again.state, again.reason_code) == ("refused", "limit_count_day")


@pytest.mark.parametrize("most", [None, 2])
def test_the_rules_cannot_allow_more_than_the_definition(put_in_force: Put, most: int | None) -> None:
    put_in_force(callback())
    policy = policy_of("call_back")
    assert policy is not None
    with pytest.raises(InvalidInput, match="from 0 to 1") as refused:
        change_rules(policy, actor="test", max_requests_per_customer_day=most)
    assert list(refused.value.fields) == ["max_requests_per_customer_day"] and in_rules() == [1]
    change_rules(policy, actor="test", max_requests_per_customer_day=0)
    put_in_force(callback(limits={"max_requests_per_customer_day": 2}))
    assert in_rules() == [1, 0]  # the workspace's own limit stays
    change_rules(policy, actor="test", max_requests_per_customer_day=2)
    assert in_rules() == [1, 0, 2]


@pytest.mark.parametrize("risk", ["money", "change"])
def test_an_action_that_names_no_customer_cannot_move_money(put_in_force: Put, risk: str) -> None:
    made = callback(risk=risk, money={"amount": "5", "currency": "'USD'"})
    with pytest.raises(InvalidDefinition) as refused:
        put_in_force(made)
    assert list(refused.value.fields) == ["call.names_no_customer"]
    assert "moves money must identify the customer" in str(refused.value.fields)
    assert policy_of("call_back") is None
