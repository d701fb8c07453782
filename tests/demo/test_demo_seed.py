"""Seeding the demo workspace: it is created once, its addresses are updated, and people's changes are kept."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from actions.approvers import may_approve
from actions.models import ActionPolicy, MerchantConnection
from actions.registry import all_actions
from kb.indexing.vector_cache import forget, passage_vectors, recent
from kb.indexing.vector_file import VectorFile
from kb.models import Article, Category
from kb.ports import embedder
from kb.services import Change, publish, save_draft
from kb.testing import HashEmbedder
from supportbot.accounts.api_keys import staff_by_api_key
from supportbot.accounts.customers import customer_by_bearer_token
from supportbot.accounts.logos import logo_path
from supportbot.accounts.models import ApiKey, Channel, Customer, IdentityKey, Membership, User, Workspace
from supportbot.accounts.principals import CustomerCaller, Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Citation, Conversation, ConversationEvent, Turn
from supportbot.console.conversations.overview_figures import quality
from supportbot.demo import workspace as demo_workspace
from supportbot.demo.history import LABEL, MODEL
from supportbot.evals.models import ArticleCheck
from supportbot.evals.selectors import missing_suites
from supportbot.handoff.models import Ticket
from supportbot.insights.improve.findings import Kind, findings
from supportbot.insights.outcomes import outcomes
from supportbot.installation.instance_secrets import ensure_secrets
from supportbot.installation.start_plan import plan_from_environment
from supportbot.llm.models import LLMCall
from supportbot.outbox.delivery import deliver_due
from supportbot.releases.selectors import gates
from supportbot.releases.services import name_gates
from supportbot.translation import text_in
from tests.events import check_event
from tests.rest import identity_token
from tests.stored_rows import StoredRows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_knowledge_base(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use two help pages instead of all of them, and a separate data directory."""
    settings.DATA_DIR = tmp_path / "data"
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    pages = tmp_path / "pages"
    for number in (1, 2):
        page = pages / "orders" / f"page-{number}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(
            f"---\nid: page-{number}\ntitle: Page {number}\ncategory: Orders & delivery\n---\nWords {number}.\n"
        )
    monkeypatch.setattr(demo_workspace, "KNOWLEDGE", pages)
    return pages


def seeded() -> dict[str, Any]:
    out = StringIO()
    call_command("demo_seed", "--json", stdout=out)
    facts: dict[str, Any] = json.loads(out.getvalue())
    return facts


_kept: list[tuple[dict[str, Any], StoredRows, Path]] = []


@pytest.fixture
def facts(small_knowledge_base: Path, settings: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The facts of a demo that was seeded before. It is seeded once; later tests get a copy of its rows and files."""
    if not _kept:
        files = tmp_path_factory.mktemp("demo") / "data"
        _kept.append((seeded(), StoredRows.read(), files))
        copytree(settings.DATA_DIR, files)
    else:
        _kept[0][1].write()
        copytree(_kept[0][2], settings.DATA_DIR)
    return _kept[0][0]


def test_seeding_creates_everything_that_a_start_needs() -> None:
    facts = seeded()
    workspace = Workspace.objects.get(slug="wrenfell")
    assert (workspace.name, workspace.currency, workspace.timezone) == ("Wrenfell Outdoor", "EUR", "Europe/Berlin")
    assert logo_path(workspace).endswith(".png")
    roles = {member.user.username: member.role for member in Membership.objects.select_related("user")}
    assert roles == {user["username"]: user["role"] for user in facts["users"]}
    admin = User.objects.get(username="admin")
    assert admin.is_superuser
    assert admin.is_staff
    assert all(User.objects.get(username=user["username"]).check_password(user["password"]) for user in facts["users"])
    with workspace_scope(workspace.pk):
        article = Article.objects.get(external_id="page-1")
        assert (article.state, article.collection.name, article.indexed_revision) == ("live", "Orders & delivery", 1)


@pytest.mark.long
def test_vectors_that_gate_cases_need_come_with_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    cache.clear()
    passage_vectors(["A new zip costs 25 euros."])
    VectorFile(tmp_path / "compared.e5", HashEmbedder.recipe).add(list(recent().items()))
    forget()
    cache.clear()
    monkeypatch.setattr("supportbot.demo.workspace.COMPARED", tmp_path / "compared.e5")
    seeded()
    used = embedder()
    assert isinstance(used, HashEmbedder)
    used.embedded.clear()
    assert passage_vectors(["A new zip costs 25 euros."]) and used.embedded == []


@pytest.mark.long
def test_the_key_acts_as_the_lead_and_the_shop_can_sign(facts: dict[str, Any]) -> None:
    staff, user = staff_by_api_key(facts["api_key"])
    assert (staff.role, user) == ("supervisor", User.objects.get(username="daniel"))
    token = identity_token(facts["channel"], facts["identity_secret"], "cus_1")
    assert isinstance(customer_by_bearer_token(token, facts["channel"]), CustomerCaller)


def test_seeding_again_creates_nothing_with_few_queries(
    facts: dict[str, Any], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(60):
        assert seeded() == facts
    assert (Workspace.objects.count(), User.objects.count()) == (1, 6)
    with workspace_scope(Workspace.objects.get().pk):
        assert (Channel.objects.count(), ApiKey.objects.count(), Article.objects.count()) == (1, 1, 2)


@pytest.mark.long
def test_a_workspace_that_is_older_than_the_actions_gets_them() -> None:
    demo_workspace._workspace()
    facts = seeded()
    assert facts["workspace"] == "wrenfell"
    lead = User.objects.get(username="daniel")
    with workspace_scope(Workspace.objects.get().pk):
        policies = {policy.action: policy for policy in ActionPolicy.objects.all()}
        assert policies.keys() == all_actions().keys()
        assert may_approve(lead, policies["refund_order"])
        assert MerchantConnection.objects.get().base_url == "http://127.0.0.1:8100/merchant/v1"


@pytest.mark.long
def test_other_ports_change_the_origins_and_keep_the_key(settings: Any) -> None:
    first = seeded()
    with workspace_scope(Workspace.objects.get().pk):
        channel = Channel.objects.get()
        assert set(channel.allowed_origins) == {
            f"http://{host}:{port}" for host in ("127.0.0.1", "localhost") for port in (8000, 8100)
        }
        channel.allowed_origins = [*channel.allowed_origins, "https://wrenfell.example"]
        channel.save()
        settings.PORT, settings.SHOP_PORT = 9000, 9100
        assert seeded()["channel"] == first["channel"]
        channel.refresh_from_db()
    near = {f"http://{host}:{port}" for host in ("127.0.0.1", "localhost") for port in (9000, 9100)}
    assert set(channel.allowed_origins) == near | {"https://wrenfell.example"}


@pytest.mark.usefixtures("facts")
def test_seeding_keeps_peoples_changes() -> None:
    ines = User.objects.get(username="ines")
    ines.set_password("her own, longer one")
    ines.save()
    with workspace_scope(Workspace.objects.get().pk):
        Article.objects.filter(external_id="page-1").update(state="archived")
        seeded()
        assert Article.objects.get(external_id="page-1").state == "archived"
    ines.refresh_from_db()
    assert ines.check_password("her own, longer one")


@pytest.mark.long
@pytest.mark.usefixtures("facts")
def test_a_changed_page_is_imported(small_knowledge_base: Path) -> None:
    (small_knowledge_base / "orders" / "page-2.md").write_text("---\nid: page-2\ntitle: Page 2\n---\nOther words.\n")
    seeded()
    with workspace_scope(Workspace.objects.get().pk):
        assert Article.objects.get(external_id="page-2").indexed_revision == 2


def test_a_revoked_key_is_replaced_and_the_file_is_private(facts: dict[str, Any], settings: Any) -> None:
    with workspace_scope(Workspace.objects.get().pk):
        ApiKey.objects.update(revoked_at="2026-01-01T00:00Z")
    assert seeded()["api_key"] != facts["api_key"]
    assert (settings.DATA_DIR / "demo-api-key.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.long
def test_another_data_directory_signs_with_its_own_secret(settings: Any, tmp_path: Path) -> None:
    first = seeded()
    settings.DATA_DIR = tmp_path / "other"
    second = seeded()
    assert (second["channel"], second["identity_secret"] != first["identity_secret"]) == (first["channel"], True)
    with workspace_scope(Workspace.objects.get().pk):
        assert {key.secret for key in IdentityKey.objects.all()} == {
            first["identity_secret"],
            second["identity_secret"],
        }


def test_an_existing_users_account_is_left_alone() -> None:
    existing = User.objects.create_user("ines", password="correct horse battery")
    with pytest.raises(CommandError, match="--no-demo"):
        seeded()
    assert (Workspace.objects.count(), Membership.objects.count()) == (0, 0)
    existing.refresh_from_db()
    assert existing.check_password("correct horse battery")


@pytest.mark.usefixtures("facts")
def test_a_public_address_is_allowed_too() -> None:
    plan = replace(plan_from_environment(), public_url="https://help.wrenfell.example")
    demo_workspace.seed(plan, ensure_secrets(plan.data_dir))
    with workspace_scope(Workspace.objects.get().pk):
        assert "https://help.wrenfell.example" in Channel.objects.get().allowed_origins


@pytest.mark.long
def test_the_demo_has_four_weeks_of_history_marked_as_generated(small_knowledge_base: Path) -> None:
    body = "You have 60 days to send something back, but only unused items get a full refund."
    page = small_knowledge_base / "orders" / "returns.md"
    page.write_text(f"---\nid: returns-and-refunds\ntitle: Returns\n---\n{body}\n")
    facts = seeded()
    with workspace_scope(Workspace.objects.get().pk):
        customers = Customer.objects.all()
        assert all(one.external_id.startswith("made-up-") and "(made up)" in one.name for one in customers)
        talks = list(Conversation.objects.order_by("pk"))
        began = [talk.created_at for talk in talks]
        assert began == sorted(began) and timedelta(days=25) < began[-1] - began[0] < timedelta(days=28)
        assert began[-1] < now()
        first = {event.payload["text"] for event in ConversationEvent.objects.filter(seq=1)}
        assert first == {text_in(language, LABEL) for language in ("en", "de")}
        assert {talk.mode for talk in talks} == {"assistant"}
        assert not Ticket.objects.filter(ended_at=None).exists() and Ticket.objects.exists()
        assert not Turn.objects.exclude(state="done").exists()
        assert Citation.objects.filter(quote=body).exists()
        for event in ConversationEvent.objects.all():
            check_event(event.event, event.payload)
        endings = {row.outcome.ending for row in outcomes(Conversation.objects.order_by("pk"), now())}
        assert {"confirmed", "person", "abandoned"} <= endings and "waiting" not in endings
        assert all(findings(kind) for kind in (Kind.RATED_BAD, Kind.UNANSWERED, Kind.WITHHELD))
        calls = LLMCall.objects.exclude(provider="builtin")
        assert {call.model for call in calls} == {MODEL} and {call.currency for call in calls} == {"EUR"}
        assert set(calls.values_list("conversation_id", flat=True)) == {talk.pk for talk in talks}
        [shown] = [one for one in quality(28, sees_cost=True)["figures"] if one.label == "Cost of a conversation"]
        assert re.fullmatch(r"€0\.00\d+", shown.value)
        assert re.fullmatch(r"€0\.0\d+ per solved conversation", shown.note)
        count = len(talks)
        assert seeded() == facts
        assert Conversation.objects.count() == count


def test_categories_are_arranged_once_and_then_left_to_the_team() -> None:
    file = demo_workspace.KNOWLEDGE / "categories.json"
    file.write_text('[{"name": "Orders & delivery", "icon": "truck", "description": "Tracking"}]')
    seeded()
    with workspace_scope(Workspace.objects.get(slug="wrenfell").pk):
        row = Category.objects.get(name="Orders & delivery")
        assert (row.icon, row.description, row.position) == ("truck", "Tracking", 1)
        Category.objects.filter(pk=row.pk).update(icon="gift")
    seeded()
    with workspace_scope(Workspace.objects.get(slug="wrenfell").pk):
        assert Category.objects.get(pk=row.pk).icon == "gift"


@pytest.mark.usefixtures("facts")
def test_the_shipped_suites_are_gates_and_nothing_that_was_seeded_is_checked() -> None:
    with workspace_scope(Workspace.objects.get().pk):
        assert gates() == ["demo", "shop", "security", "languages"] and missing_suites(gates()) == []
        deliver_due()
        assert not ArticleCheck.objects.get().asks_gates  # the import came before the gates
        article = Article.objects.order_by("pk")[0]
        save_draft(article.pk, Change(body="Other words."))
        publish(article.pk)
        deliver_due()
        assert ArticleCheck.objects.get().asks_gates
        name_gates([], person=Staff(article.workspace_pk, None, "Ada", "admin", frozenset()))
    seeded()
    with workspace_scope(Workspace.objects.get().pk):
        assert gates() == []  # people's choices are kept
