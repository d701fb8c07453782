"""A workspace with a loopback shop, and one defined action of each outcome kind."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.db import transaction
from django.utils.timezone import now

from actions.audit import actor_of
from actions.connections.models import Connection
from actions.definitions import publishing, services
from actions.definitions.cases import verdict_of
from actions.definitions.key_order import entered_order
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.parsing.document import parse_document
from actions.definitions.published import action_from, action_of_version
from actions.models import ActionPolicy, ActionPolicyVersion, ActionRequest
from actions.policy_store import RULE_FIELDS, ensure_policy
from actions.principals import Principal, principal_in_conversation
from actions.services import confirm, propose
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.evals.retail.preparation import DEFINITIONS
from supportbot.outbound.ip_addresses import LOOPBACK
from tests.actions.conftest import signed_in_as
from tests.actions.defined.loopback_shop import LoopbackShop, loopback_shop
from tests.actions.definitions.test_retail import SHOP

CANCEL: Final = {"order_id": "#W0000001", "reason": "no longer needed"}
KINDS: Final = ("status_lookup", "replay_safe", "at_most_once")


def document(name: str = "cancel_pending_order", *, kind: str = "status_lookup", **changes: Any) -> dict[str, Any]:
    """Return one of the retail documents with this outcome kind."""
    made: dict[str, Any] = json.loads((DEFINITIONS / f"{name}.json").read_text())
    if kind != "status_lookup":
        made["outcome"] = {"kind": kind}
    return {**made, **changes}


def bilingual(value: Any) -> Any:
    """Return a document that is also in German, with the English texts."""
    if isinstance(value, list):
        return [bilingual(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {**value, "de": value["en"]} if value.keys() == {"en"} else {name: bilingual(value[name]) for name in value}


def with_voucher() -> dict[str, Any]:
    """Return a document whose call sends an unproven id from the chat, which earlier releases could publish."""
    made = document()
    made["arguments"]["voucher_id"] = {"type": "string", "from": "customer", "description": "The voucher."}
    made["call"]["body"] |= {"voucher_id": "{arguments.voucher_id}", "customer": "{identity.sub}"}
    return made


def store_as_published(made: dict[str, Any]) -> ActionDefinition:
    """Store a document as an earlier release published it, even if it could not be published today."""
    version = services.save_draft(made, actor="operator:test")
    definition = version.definition
    definition.state, definition.current = ActionDefinition.State.PUBLISHED, version
    definition.save()
    action = action_of_version(definition.name, version.number)
    assert action is not None
    ensure_policy(action, actor="operator:test")
    return definition


def record_a_case(version: ActionDefinitionVersion) -> None:
    """Record a case of a request without arguments, since a write cannot be published without a case."""
    definition = version.definition
    DefinitionCase.objects.filter(definition=definition, name="nothing said").delete()
    case = DefinitionCase(definition=definition, name="nothing said", sub="ann_lee_1")
    case.expected = verdict_of(case, action_from(parse_document(version.document), version.number))
    case.save()


def visitor() -> Principal:
    """Return the principal of a new visitor, who is not signed in."""
    return principal_in_conversation(Customer.objects.create(), locale="en")


@pytest.fixture
def retail(workspace: Workspace, settings: Any) -> Iterator[LoopbackShop]:
    """The shop to which the workspace is connected; the signed-in customer is Ann."""
    settings.PRIVATE_NETWORKS = LOOPBACK
    with loopback_shop(copy.deepcopy(SHOP)) as shop:
        Connection.objects.create(name="retail", base_url=shop.base_url)
        yield shop


@pytest.fixture
def ann(workspace: Workspace) -> Principal:
    return signed_in_as(Customer.objects.create(external_id="ann_lee_1", name="Ann"))


@pytest.fixture
def admin(workspace: Workspace) -> User:
    person = User.objects.create_user("dora", "dora@example.com", "x")
    Membership.objects.create(workspace=workspace, user=person, role=Membership.Role.ADMIN)
    return person


# By document: the expected outcome of its case, and the rules that it began with. The shop's records decide neither:
# the case brings its own.
published: Final[dict[str, tuple[str, dict[str, Any]]]] = {}


def publish(made: dict[str, Any], admin: User) -> ActionDefinitionVersion:
    """Save a document as another person, and publish it."""
    version = services.save_draft(made, actor="operator:test")
    record_a_case(version)
    publishing.publish(made["name"], number=version.number, person=admin)
    return version


@pytest.fixture
def put_in_force(retail: LoopbackShop, admin: User) -> Callable[[dict[str, Any]], None]:
    """Return a function that saves a document as another person, and publishes it.

    Services do so once per document; later tests that begin with it get its rows, without their audit trail.
    """

    def put(made: dict[str, Any]) -> None:
        text, is_first = json.dumps(made), not ActionDefinition.objects.filter(name=made["name"]).exists()
        if is_first and text in published:
            _store_published(made, admin)
            return
        version = publish(made, admin)
        rules = ActionPolicyVersion.objects.get(policy__action=made["name"], number=1) if is_first else None
        if rules is not None:
            expected = DefinitionCase.objects.get(definition_id=version.definition_id).expected
            published[text] = (expected, {name: getattr(rules, name) for name in RULE_FIELDS})

    return put


def _store_published(made: dict[str, Any], admin: User) -> None:
    expected, begun = published[json.dumps(made)]
    definition = ActionDefinition(name=made["name"], state=ActionDefinition.State.PUBLISHED)
    version = ActionDefinitionVersion(
        definition=definition, number=1, document=made, argument_order=entered_order(made.get("arguments")),
        created_by="operator:test", published_by=actor_of(admin), published_at=now(),
    )  # fmt: skip
    case = DefinitionCase(definition=definition, name="nothing said", sub="ann_lee_1", expected=expected)
    policy = ActionPolicy(action=made["name"])
    rules = ActionPolicyVersion(policy=policy, number=1, created_by=actor_of(admin), **begun)
    definition.current, policy.current = version, rules
    with transaction.atomic():
        for row in (definition, version, case, policy, rules):
            row.save(force_insert=True)


@pytest.fixture
def ask_for(ann: Principal) -> Callable[..., ActionRequest]:
    """Return a function that proposes a request for Ann, with a new key for each call."""
    count = iter(range(1, 1000))

    def ask(name: str = "cancel_pending_order", arguments: dict[str, Any] = CANCEL) -> ActionRequest:
        return propose(ann, name, arguments, proposal_key=f"turn:7:{next(count)}")

    return ask


@pytest.fixture
def agreed(ask_for: Callable[..., ActionRequest], ann: Principal) -> Callable[..., ActionRequest]:
    """Return a function that proposes and confirms for Ann."""

    def agree(name: str = "cancel_pending_order", arguments: dict[str, Any] = CANCEL) -> ActionRequest:
        card = ask_for(name, arguments)
        assert card.state == "awaiting_confirmation", (card.reason_code, card.reason_facts)
        return confirm(card.pk, principal=ann, digest=card.digest)

    return agree
