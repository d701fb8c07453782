"""Users of the console, one per role, and one row of everything it shows."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils.timezone import now

from actions import audit
from actions.connections.models import Connection
from actions.definitions.models import ActionDefinition, DefinitionCase
from actions.definitions.services import save_draft
from actions.models import ActionPolicy, ActionRequest, AuditEntry
from kb.models import Article, Category, Collection, Source, SourceItem, SourceRun, Synonyms
from kb.services import Change, create_article, publish
from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import ApiKey, Channel, Customer, Membership, User, Workspace
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.evals.models import Replay, ReplayedQuestion, Run, Suite
from supportbot.evals.replays.replay_worker import begin
from supportbot.evals.services import save_suite, start_run
from supportbot.evals.suite_formats.files import read_suite
from supportbot.ids import uuid7
from supportbot.llm.models import LLMCall, ModelConnection
from supportbot.releases.document import Document, stored
from supportbot.releases.models import Release
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from supportbot.webhooks.signing import new_secret
from tests.policies import store_policies

Enter = Callable[[str], Client]
ROLES = ("editor", "agent", "supervisor", "admin")
# This word is in every row below, so that a page with it discloses a row to a stranger.
SECRET = "Xylograph"


@pytest.fixture(autouse=True)
def fast_embedder(settings: Any) -> None:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"


def person(workspace: Workspace, role: str, name: str = "") -> User:
    user = User.objects.create_user(name or f"{role}.of.{workspace.slug}", password="correct horse", is_staff=True)
    Membership.objects.create(workspace=workspace, user=user, role=role)
    return user


def logged_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


@pytest.fixture
def enter(workspace: Workspace) -> Enter:
    """Return a function that returns a browser in which somebody with a role is logged in."""
    return lambda role: logged_in(person(workspace, role))


@pytest.fixture
def stranger(mallory: User) -> Client:
    """An admin of another workspace."""
    mallory.is_staff = True
    mallory.save()
    return logged_in(mallory)


@dataclass
class Sample:
    """One row of everything, each with the secret word."""

    article: Article
    category: Category
    collection: Collection
    synonyms: Synonyms
    channel: Channel
    connection: Connection
    definition: ActionDefinition
    case: DefinitionCase
    api_key: ApiKey
    customer: Customer
    conversation: Conversation
    policy: ActionPolicy
    request: ActionRequest
    entry: AuditEntry
    call: LLMCall
    webhook: WebhookEndpoint
    delivery: WebhookDelivery
    source: Source
    workspace: Workspace
    membership: Membership
    release: Release
    model: ModelConnection
    suite: Suite
    run: Run
    replay: Replay

    def rows(self) -> list[Any]:
        return list(vars(self).values())


@pytest.fixture
def sample(workspace: Workspace) -> Sample:
    Workspace.objects.filter(pk=workspace.pk).update(name=f"{SECRET} Ltd")
    collection = Collection.objects.create(slug="shelf", name=f"{SECRET} shelf")
    change = Change(title=f"{SECRET} care", body=f"Wash the {SECRET} by hand.\n", collection=collection)
    article = create_article(change, external_id=f"{SECRET}-1")
    publish(article.pk)
    customer = Customer.objects.create(external_id=f"{SECRET}-9", name=f"{SECRET} Smith")
    conversation = start_conversation(customer.pk)
    add_customer_message(conversation.pk, text=f"How do I wash a {SECRET}?", client_id="c1")
    [policy] = [one for one in store_policies(workspace) if one.action == "refund_order"]
    member = person(workspace, "admin", f"{SECRET}.admin")
    webhook = _webhook()
    definition = _definition()
    case = DefinitionCase.objects.create(definition=definition, name=f"{SECRET} case", sub="9", expected="allowed")
    suite = _suite()
    release = Release.objects.create(number=7, document=stored(Document(tone=SECRET)), reason=SECRET)
    return Sample(
        article=article,
        category=Category.objects.create(name=f"{SECRET} washing"),
        collection=collection,
        synonyms=Synonyms.objects.create(words=[SECRET, "jumper"]),
        channel=create_channel(workspace, f"{SECRET} shop").channel,
        connection=_connection(),
        definition=definition,
        case=case,
        api_key=issue_api_key(workspace, f"{SECRET} key", scopes=["kb:read"]).row,
        customer=customer,
        conversation=conversation,
        policy=policy,
        request=_request(policy, customer),
        entry=AuditEntry.objects.get(event="request.proposed"),
        call=LLMCall.objects.create(purpose="answer", provider="p", model=SECRET, duration_ms=9, outcome="done"),
        webhook=webhook,
        delivery=_delivery(webhook),
        source=_source(collection),
        workspace=workspace,
        membership=Membership.objects.get(user=member),
        release=release,
        model=ModelConnection.objects.create(name=SECRET, base_url=f"https://10.0.0.8/{SECRET}", model=SECRET),
        suite=suite,
        run=start_run(suite),
        replay=_replay(release, conversation),
    )


def _replay(release: Release, conversation: Conversation) -> Replay:
    replay = begin(release, days=7, most=10)
    asked = {"customer_id": conversation.customer_id, "conversation_id": conversation.pk}
    ReplayedQuestion.objects.create(replay=replay, position=1, question=f"A {SECRET}?", kinds=["words"], **asked)
    return replay


def _delivery(webhook: WebhookEndpoint) -> WebhookDelivery:
    return WebhookDelivery.objects.create(
        endpoint=webhook, event_id=uuid7(), kind="ticket.opened", payload={"id": SECRET}, answer=SECRET
    )


def _suite() -> Suite:
    cases = f"suite: washing\ntitle: {SECRET} suite\ncases: [{{ask: {SECRET}?, expect: {{abstains: true}}}}]"
    return save_suite(read_suite(cases.encode(), file=""))


def _definition() -> ActionDefinition:
    title = {"en": f"Wash a {SECRET}"}
    return save_draft({"format": 1, "name": f"wash_{SECRET.lower()}", "title": title}, actor="test").definition


def _connection() -> Connection:
    return Connection.objects.create(name=SECRET, base_url=f"https://10.0.0.8/{SECRET}", auth="bearer", secret=SECRET)


def _webhook() -> WebhookEndpoint:
    kinds = {"ticket.opened": now().isoformat()}
    return WebhookEndpoint.objects.create(
        name=SECRET, url=f"https://10.0.0.8/{SECRET}", secret=new_secret(), kinds=kinds
    )


def _source(collection: Collection) -> Source:
    source: Source = Source.objects.create(
        kind="site", name=f"{SECRET} help", address=f"https://{SECRET}.example/", collection=collection
    )
    run = SourceRun.objects.create(source=source, state="failed", reason=SECRET)
    SourceItem.objects.create(source=source, run=run, key=f"https://{SECRET}.example/a", title=SECRET, reason=SECRET)
    return source


def _request(policy: ActionPolicy, customer: Customer) -> ActionRequest:
    assert policy.current is not None
    made = ActionRequest.objects.create(
        customer_id=customer.pk,
        proposal_key="k1",
        action="refund_order",
        spec_version=1,
        policy_version=policy.current,
        asked_digest="0" * 64,
        arguments={"order_id": f"{SECRET}-1", "amount": "5.00", "reason": "damaged"},
        digest="0" * 64,
        amount=Decimal("5.00"),
        currency="EUR",
        order_id=f"{SECRET}-1",
        proposed_by="assistant",
    )
    with transaction.atomic():
        audit.record("request.proposed", actor="assistant", request_id=made.pk, order=f"{SECRET}-1")
    return made
