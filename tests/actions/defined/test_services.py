"""Saving, publishing and switching off definitions: versions never change, and a write needs a second person."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.translation import override

from actions.audit import actor_of, verify
from actions.definitions import publishing, services
from actions.definitions.errors import (
    CasesFailed,
    InvalidDefinition,
    NeedsReason,
    NeedsSecondPerson,
    NoSuchDefinition,
    NotPublisher,
)
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.parsing.document import missing
from actions.errors import UnknownAction
from actions.models import ActionPolicy, ActionRequest, AuditEntry
from actions.principals import Principal
from actions.registry import action_as_made, action_in_force, action_named, all_actions
from actions.services import confirm, propose, run_read
from actions.states import State
from actions.testing import run_queued
from supportbot.accounts.models import Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from tests.actions.defined.conftest import CANCEL, document, record_a_case, store_as_published, with_voucher
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
NAME = "cancel_pending_order"


@pytest.fixture
def other_admin(workspace: Workspace) -> User:
    person = User.objects.create_user("eve", "eve@example.com", "x")
    add_member(workspace, person, Membership.Role.ADMIN)
    return person


def test_a_draft_is_offered_to_nobody(retail: LoopbackShop, admin: User) -> None:
    version = services.save_draft(document(), actor=actor_of(admin))
    assert (version.number, version.definition.state) == (1, "draft")
    assert NAME not in all_actions() and not ActionPolicy.objects.exists()


def test_an_incomplete_draft_is_kept_and_its_missing_fields_are_listed(retail: LoopbackShop, admin: User) -> None:
    made = document()
    del made["card"], made["guards"][0]["code"]
    version = services.save_draft(made, actor="operator:test")
    assert services.missing_in(version.document) == ["guards[0].code", "card"]
    with pytest.raises(InvalidDefinition) as refused:
        publishing.publish(NAME, number=1, person=admin)
    assert set(refused.value.fields) == {"guards[0].code", "card"}


def test_each_change_creates_a_version_that_never_changes(retail: LoopbackShop) -> None:
    first = services.save_draft(document(), actor="operator:test")
    assert services.save_draft(document(), actor="operator:test") == first
    second = services.save_draft(document(undo="other"), actor="operator:test")
    assert (second.number, ActionDefinitionVersion.objects.count()) == (2, 2)
    with pytest.raises(IntegrityError), transaction.atomic():
        ActionDefinitionVersion.objects.filter(pk=first.pk).update(document={})
    with pytest.raises(IntegrityError), transaction.atomic():
        ActionDefinitionVersion.objects.filter(pk=first.pk).delete()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("name", ["refund_order", "request_human", "withdraw_cards"])
def test_names_of_built_in_actions_and_tools_are_taken(retail: LoopbackShop, name: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        services.save_draft({**document(), "name": name}, actor="operator:test")
    assert list(refused.value.fields) == ["name"]


def test_whoever_saved_a_definition_cannot_publish_it(retail: LoopbackShop, admin: User, other_admin: User) -> None:
    services.save_draft(document(), actor=actor_of(admin))
    with pytest.raises(NeedsSecondPerson):
        publishing.publish(NAME, number=1, person=admin, reason="I am sure")
    record_a_case(ActionDefinitionVersion.objects.get())
    publishing.publish(NAME, number=1, person=other_admin)
    version = ActionDefinitionVersion.objects.get()
    assert (version.published_by, version.definition.current_id) == (actor_of(other_admin), version.pk)
    assert NAME in all_actions() and ActionPolicy.objects.get(action=NAME).is_enabled


def test_the_only_admin_gives_a_reason_that_the_audit_keeps(retail: LoopbackShop, admin: User) -> None:
    services.save_draft(document(), actor=actor_of(admin))
    with pytest.raises(NeedsReason):
        publishing.publish(NAME, number=1, person=admin)
    record_a_case(ActionDefinitionVersion.objects.get())
    publishing.publish(NAME, number=1, person=admin, reason="Nobody else works here")
    entry = AuditEntry.objects.get(event="definition.published")
    assert entry.payload == {"action": NAME, "version": 1, "reason": "Nobody else works here"}
    assert verify().is_whole


def test_a_look_up_can_be_published_without_a_second_person(
    retail: LoopbackShop, admin: User, other_admin: User
) -> None:
    services.save_draft(document("get_order_details"), actor=actor_of(admin))
    publishing.publish("get_order_details", number=1, person=admin)
    assert "get_order_details" in all_actions()


def test_only_admins_publish(retail: LoopbackShop, bob: User, mallory: User, admin: User) -> None:
    services.save_draft(document(), actor="operator:test")
    for person in (bob, mallory):
        with pytest.raises(NotPublisher):
            publishing.publish(NAME, number=1, person=person)
    with pytest.raises(NoSuchDefinition):
        publishing.publish(NAME, number=2, person=admin)


def test_refusals_are_in_the_language_of_the_page(retail: LoopbackShop, admin: User) -> None:
    services.save_draft(document(connection="nowhere"), actor="operator:test")
    with override("de"), pytest.raises(InvalidDefinition) as refused:
        publishing.publish(NAME, number=1, person=admin)
    assert refused.value.fields == {"connection": ["Es gibt keine Live-Verbindung namens nowhere."]}
    assert refused.value.message.startswith("Die Definition enthält Fehler.")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"connection": "nowhere"}, "connection"),
        ({"approval": {"role": "king"}}, "approval.role"),
        ({"outcome": {"happened": "order.status == 'cancelled'"}}, "outcome.happened"),
    ],
)
def test_a_definition_that_the_engine_cannot_run_is_not_published(
    retail: LoopbackShop, admin: User, changes: dict[str, Any], path: str
) -> None:
    made = document()
    for part, change in changes.items():
        made[part] = {**made.get(part, {}), **change} if isinstance(change, dict) else change
    services.save_draft(made, actor="operator:test")
    with pytest.raises(InvalidDefinition) as refused:
        publishing.publish(NAME, number=1, person=admin)
    assert list(refused.value.fields) == [path]


def test_recorded_cases_must_pass(retail: LoopbackShop, admin: User) -> None:
    definition = services.save_draft(document(), actor="operator:test").definition
    order = {**retail.records.records["orders"]["#W0000001"]}
    line = "GET /orders/%23W0000001"
    for name, record, expected in (
        ("own pending order", order, "allowed"),
        ("delivered", {**order, "status": "delivered"}, "not_pending"),
        ("somebody else's", {**order, "user_id": "bob_ray_2"}, "order_not_found"),
        ("missing", None, "order_not_found"),
        ("without a status", {key: order[key] for key in order if key != "status"}, "definition_failed"),
    ):
        DefinitionCase.objects.create(
            definition=definition, name=name, sub="ann_lee_1", arguments=CANCEL, records={line: record},
            expected=expected,
        )  # fmt: skip
    wrong = DefinitionCase.objects.create(
        definition=definition, name="wrong", sub="ann_lee_1", arguments=CANCEL, records={line: order},
        expected="not_pending",
    )  # fmt: skip
    with pytest.raises(CasesFailed) as refused:
        publishing.publish(NAME, number=1, person=admin)
    assert refused.value.fields == {"wrong": ["The case expects not_pending, but the result is allowed."]}
    wrong.delete()
    publishing.publish(NAME, number=1, person=admin)
    assert not any(line.startswith("GET") for line in retail.asked)  # playing a case calls nobody


def test_nothing_is_proposed_or_sent_for_an_action_that_is_switched_off(
    put_in_force: Put, admin: User, ann: Principal, retail: LoopbackShop
) -> None:
    put_in_force(document())
    card = propose(ann, NAME, CANCEL, proposal_key="turn:1:1")
    confirm(card.pk, principal=ann, digest=card.digest)
    publishing.switch_off(NAME, person=admin)
    run_queued()
    card.refresh_from_db()
    assert (card.state, card.reason_code, retail.performed) == (State.FAILED, "policy_changed", [])
    with pytest.raises(UnknownAction):
        propose(ann, NAME, CANCEL, proposal_key="turn:1:2")
    publishing.publish(NAME, number=1, person=admin)
    assert NAME in all_actions()


def test_another_workspace_has_its_own_definitions(put_in_force: Put, other_workspace: Workspace) -> None:
    put_in_force(document())
    with workspace_scope(other_workspace.pk):
        assert NAME not in all_actions()
        with pytest.raises(UnknownAction):
            action_named(NAME)
        services.save_draft(document(undo="theirs"), actor="operator:them")
        assert ActionDefinition.objects.get().state == "draft"


def test_a_defined_look_up_answers_with_the_customers_own_records(
    put_in_force: Put, ann: Principal, retail: LoopbackShop
) -> None:
    put_in_force(document("get_order_details"))
    found = run_read(ann, "get_order_details", {"order_id": "#W0000001"})
    assert "pending" in str(found) and action_named("get_order_details").is_read
    assert AuditEntry.objects.filter(event="read.answered").count() == 1
    with pytest.raises(Exception, match="There is no order"):
        run_read(ann, "get_order_details", {"order_id": "#W0000009"})


def test_requests_of_an_old_version_expire_when_a_new_one_is_published(put_in_force: Put, ann: Principal) -> None:
    put_in_force(document(approval={}))
    card = propose(ann, NAME, CANCEL, proposal_key="turn:1:1")
    assert confirm(card.pk, principal=ann, digest=card.digest).state == State.AWAITING_APPROVAL
    put_in_force(document())
    request = ActionRequest.objects.get()
    assert (request.state, request.reason_code) == (State.EXPIRED, "policy_changed")


def test_a_version_that_later_rules_forbid_is_not_offered_but_its_requests_can_be_read(retail: LoopbackShop) -> None:
    made = document()
    made["arguments"]["who"] = {"type": "string", "from": "customer", "description": "Whose order it is."}
    made["call"]["path"] = "/people/{arguments.who}/cancelled"
    store_as_published(made)
    assert "arguments.who.from" in missing(made)
    assert action_in_force(NAME) is None
    assert action_as_made(NAME, 1) is not None


def test_actions_published_before_ids_had_to_be_proven_still_run(ann: Principal, retail: LoopbackShop) -> None:
    store_as_published(with_voucher())
    assert NAME in all_actions()
    card = propose(ann, NAME, {**CANCEL, "voucher_id": "V-1"}, proposal_key="turn:1:1")
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    assert card.state == State.SUCCEEDED
    assert [json.loads(body)["voucher_id"] for _, body in retail.commands] == ["V-1"]


def test_a_definition_with_an_unproven_id_is_not_published_again(admin: User, retail: LoopbackShop) -> None:
    definition = store_as_published(with_voucher())
    version = services.save_draft(with_voucher() | {"undo": "other"}, actor="operator:test")
    assert services.missing_in(version.document) == ["arguments.voucher_id.from"]
    for number in (1, 2):
        with pytest.raises(InvalidDefinition) as refused:
            publishing.publish(NAME, number=number, person=admin, reason="As before")
        assert list(refused.value.fields) == ["arguments.voucher_id.from"]
    definition.refresh_from_db()
    assert definition.current is not None and definition.current.number == 1
    assert action_named(NAME).version == 1
