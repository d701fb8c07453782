"""The demo workspace: Wrenfell Outdoor, its team, the storefront's channel, an API key, the help pages and the gates.

Existing parts are kept, so seeding again restores what is missing without undoing people's changes.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from actions.approvers import allow_approval
from actions.merchant_connection import connect_merchant
from actions.models import MerchantConnection
from actions.policy_store import ensure_policies
from kb.errors import RecipeMismatch
from kb.importing.importer import import_documents
from kb.importing.loaders import load
from kb.importing.parsed_document import Document, Failure
from kb.indexing.embedding import KnownVectors, NoVectors, ReadOnlyVectors
from kb.indexing.recipes import active_recipe, spec_of
from kb.indexing.sync import sync_articles
from kb.indexing.vector_cache import share
from kb.indexing.vector_file import VectorFile
from kb.models import Category
from kb.ports import embedder
from supportbot.accounts.api_keys import issue_api_key, staff_by_api_key
from supportbot.accounts.errors import InvalidKey, NameTaken
from supportbot.accounts.logos import set_logo
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.principals import ROLE_SCOPES, Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.stored_pictures import StoredPicture
from supportbot.accounts.team_members import create_person
from supportbot.accounts.workspaces import create_workspace
from supportbot.demo.channel import ACCENT, storefront_channel
from supportbot.demo.history import write_history
from supportbot.evals.models import Suite
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import SHIPPED, read_suite_file
from supportbot.handoff.desk.canned_replies import save_reply
from supportbot.handoff.models import CannedReply
from supportbot.installation.demo_facts import DemoFacts, DemoUser
from supportbot.installation.instance_secrets import Secrets
from supportbot.installation.private_files import read_json, write_private
from supportbot.installation.start_plan import Plan, is_loopback
from supportbot.releases.models import ReleaseGates
from supportbot.releases.services import name_gates

SLUG: Final = "wrenfell"
KNOWLEDGE: Final = settings.BASE_DIR / "examples" / "knowledge"
COMPARED: Final = KNOWLEDGE / "compared.e5"  # vectors for the suites' cases; written by scripts/demo_vectors.py
SUITES: Final = ("demo", "shop", "security", "languages")


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    name: str
    role: str


TEAM: Final = (
    Person("ines", "Ines Kowalski", "agent"),
    Person("noor", "Noor Aziz", "agent"),
    Person("daniel", "Daniel Brandt", "supervisor"),
    Person("hanna", "Hanna Vogt", "editor"),
    Person("tariq", "Tariq Amin", "editor"),
    Person("admin", "Admin", "admin"),
)
LEAD: Final = "daniel"
LOGO: Final = Path(__file__).parent / "data/logo.png"
LOGO_PIXELS: Final = 128
REPLIES: Final = Path(__file__).parent / "data/replies.json"


def seed(plan: Plan, secrets: Secrets) -> DemoFacts:
    """Create or update the demo workspace for this run, and return its facts.

    Raises NameTaken if a user name is in use.
    """
    with transaction.atomic():
        workspace = _workspace()
        users = [_person(workspace, person, secrets) for person in TEAM]
        with workspace_scope(workspace.pk):
            channel = storefront_channel(workspace, plan, secrets)
            _connect_shop(plan, secrets)
            _write_replies()
    with workspace_scope(workspace.pk):
        _import_knowledge(workspace, plan.data_dir)
        _arrange_categories()
        set_gates(workspace)
        share_vectors()
        with timezone.override(workspace.zone):
            write_history(channel)
    return {
        "workspace": workspace.slug,
        "channel": channel.key,
        "api_key": _lead_key(workspace, plan.data_dir),
        "users": users,
        "identity_secret": secrets.identity_secret,
        "webhook_secret": secrets.webhook_secret,
    }


def _workspace() -> Workspace:
    found = Workspace.objects.filter(slug=SLUG).first()
    if found is not None:
        return found
    made = create_workspace("Wrenfell Outdoor", slug=SLUG, locale="en", currency="EUR")
    made.timezone = "Europe/Berlin"
    made.first_steps = ["hidden"]  # nothing is left to set up in the demo
    made.accent = ACCENT
    made.save(update_fields=["timezone", "first_steps", "accent"])
    set_logo(made, StoredPicture(LOGO.read_bytes(), "image/png", LOGO_PIXELS, LOGO_PIXELS))
    return made


def _person(workspace: Workspace, person: Person, secrets: Secrets) -> DemoUser:
    password = secrets.demo_password(person.username)
    if not User.objects.filter(username=person.username, memberships__workspace=workspace).exists():
        _create_user(workspace, person, password)
    return {"role": person.role, "username": person.username, "password": password}


def _create_user(workspace: Workspace, person: Person, password: str) -> None:
    address = f"{person.username}@wrenfell.example"
    try:
        user = create_person(
            workspace, person.username, role=person.role, password=password, name=person.name, email=address
        )
    except NameTaken as error:
        # An account that does not belong to the demo must not join it or get a new password.
        problem = gettext("{problem} The demo needs that name. Start without the demo: `manage.py up --no-demo`.")
        raise NameTaken(problem.format(problem=error.message)) from error
    if person.role == "admin":
        user.is_superuser = True
        user.save(update_fields=["is_superuser"])


def _connect_shop(plan: Plan, secrets: Secrets) -> None:
    """Connect the workspace to the demo shop, and let the team lead approve actions.

    A connection to another shop is kept, and so are permissions that someone has changed.
    """
    lead = User.objects.get(username=LEAD)
    for policy in ensure_policies():
        allow_approval(policy, lead, actor="system")
    found = MerchantConnection.objects.first()
    if found is None or is_loopback(urlsplit(found.base_url).hostname or ""):
        connect_merchant(f"{plan.shop_url}/merchant/v1", secrets.webhook_secret, actor="system")


def _write_replies() -> None:
    """Add the demo's canned replies if the workspace has none."""
    if not CannedReply.objects.exists():
        for reply in json.loads(REPLIES.read_text(encoding="utf-8")):
            save_reply(**reply)


def _lead_key(workspace: Workspace, data_dir: Path) -> str:
    """Return an API key of the team lead: the last start's key if it is still valid, otherwise a new one."""
    path = data_dir / "demo-api-key.json"
    known: str = (read_json(path) or {}).get("api_key", "")
    if _is_valid(known, workspace):
        return known
    lead = User.objects.get(username=LEAD)
    new = issue_api_key(workspace, "Demo team lead", scopes=sorted(ROLE_SCOPES["supervisor"]), user=lead)
    write_private(path, json.dumps({"api_key": new.plain}, indent=2))
    return new.plain


def _is_valid(plain: str, workspace: Workspace) -> bool:
    try:
        staff, _ = staff_by_api_key(plain)
    except InvalidKey:
        return False
    return staff.workspace_id == workspace.pk


def _import_knowledge(workspace: Workspace, data_dir: Path) -> None:
    """Import the help pages, unless this database already has these versions.

    Importing them again would undo editors' changes.
    """
    state_file, fingerprint = data_dir / "demo-knowledge.json", _fingerprint(workspace.pk)
    if (read_json(state_file) or {}).get("fingerprint") == fingerprint:
        return
    article_ids: list[UUID] = []
    for folder in sorted(path for path in KNOWLEDGE.iterdir() if path.is_dir()):
        items = list(load([str(folder)]))
        article_ids += import_documents(items, collection=_collection_name(items) or folder.name).article_ids
    sync_articles(article_ids, known=_shipped_vectors())
    write_private(state_file, json.dumps({"fingerprint": fingerprint}))


def _arrange_categories() -> None:
    """Set the order, icons and descriptions of the demo's categories, unless someone has arranged them."""
    file = KNOWLEDGE / "categories.json"
    if not file.exists() or Category.objects.exclude(position=None).exists():
        return
    for place, facts in enumerate(json.loads(file.read_text()), start=1):
        Category.objects.update_or_create(name=facts["name"], defaults={**facts, "position": place})


def _collection_name(items: Sequence[Document | Failure]) -> str:
    """Return the name of the collection for a folder.

    German pages are in the same collection as their English originals.
    """
    documents = [item for item in items if isinstance(item, Document) and item.category]
    documents.sort(key=lambda document: document.locale != "en")
    return documents[0].category or "" if documents else ""


def _shipped_vectors() -> KnownVectors:
    for path in sorted(KNOWLEDGE.glob("vectors.*")):
        try:
            return ReadOnlyVectors(VectorFile(path, spec_of(active_recipe())))
        except RecipeMismatch:  # these belong to a different embedding model
            continue
    return NoVectors()


def _fingerprint(workspace_id: UUID) -> str:
    digest = hashlib.sha256(workspace_id.bytes)
    for file in sorted(KNOWLEDGE.rglob("*.md")):
        digest.update(f"{file.relative_to(KNOWLEDGE)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


@transaction.atomic  # after a crash, suites without gates would look as if a person had made them
def set_gates(workspace: Workspace) -> None:
    """Store the shipped suites and choose them as gates, so that changes in the demo are tested before they are
    published.

    Does nothing if someone has already evaluated anything here.
    """
    if Suite.objects.exists() or ReleaseGates.objects.exists():
        return
    for name in SUITES:
        save_suite(read_suite_file(SHIPPED / f"{name}.yaml"))
    name_gates(SUITES, person=Staff(workspace.pk, None, "setup", "admin", frozenset({"releases:write"})))


def share_vectors() -> None:
    """Put the shipped vectors of the cases into the cache, so that the first publication does not have to compute
    them.
    """
    try:
        share(VectorFile(COMPARED, embedder().recipe))
    except RecipeMismatch:  # these belong to a different embedding model
        return
