"""The side navigation: links to the pages that a person's role allows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kb.reviews import count_to_review
from kb.sources.selectors import count_unconfirmed
from supportbot.accounts.principals import Staff
from supportbot.console.permissions import may
from supportbot.handoff.desk.queue_rows import count_pending_approvals, count_waiting_tickets
from supportbot.webhooks.selectors import count_switched_off

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Text


@dataclass(frozen=True, slots=True)
class Entry:
    title: "Text"
    icon: str
    page: str
    right: str
    is_exact: bool = False  # marked as current only at its own address, not below it
    waiting: Callable[[], int] | None = None  # returns the number of items that need attention
    mine: Callable[[UUID], int] | None = None  # like `waiting`, for one person
    wanting: "Text" = ""


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    icon: str
    href: str
    is_here: bool
    waiting: int = 0
    wanting: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    links: tuple[Link, ...]


GROUPS: Final[tuple[tuple["Text", tuple[Entry, ...]], ...]] = (
    (
        "",
        (
            Entry(_("Overview"), "home", "admin:index", "console:open", is_exact=True),
            Entry(_("Desk"), "inbox", "desk", "tickets:read", waiting=count_waiting_tickets, wanting=_("waiting")),
            Entry(
                _("Approvals"),
                "shield",
                "desk-approvals",
                "actions:approve",
                waiting=count_pending_approvals,
                wanting=_("to decide"),
            ),
        ),
    ),
    (
        _("Knowledge"),
        (
            Entry(
                _("Articles"),
                "book",
                "admin:kb_article_changelist",
                "kb:read",
                mine=count_to_review,
                wanting=_("to review"),
            ),
            Entry(_("Collections"), "box", "admin:kb_collection_changelist", "kb:read"),
            Entry(_("Categories"), "tag", "admin:kb_category_changelist", "kb:read"),
            Entry(_("Synonyms"), "swap", "admin:kb_synonyms_changelist", "kb:read"),
            Entry(
                _("Sources"),
                "globe",
                "admin:kb_source_changelist",
                "kb:read",
                waiting=count_unconfirmed,
                wanting=_("to confirm"),
            ),
            Entry(_("Import"), "upload", "admin:import", "kb:write"),
            Entry(_("Ask as customer"), "chat", "admin:ask", "kb:read"),
            Entry(_("Improve"), "search", "admin:improve", "kb:read"),
        ),
    ),
    (
        _("Assistant"),
        (
            Entry(_("Conversations"), "history", "admin:chat_conversation_changelist", "conversations:read"),
            Entry(_("Releases"), "flag", "admin:releases_release_changelist", "releases:read"),
            Entry(_("Evaluations"), "ok", "admin:evals_suite_changelist", "evals:read"),
            Entry(_("Actions"), "repair", "admin:actions_actiondefinition_changelist", "definitions:read"),
            Entry(_("Action rules"), "list", "admin:actions_actionpolicy_changelist", "actions:read"),
            Entry(_("Requests"), "card", "admin:actions_actionrequest_changelist", "actions:read"),
            Entry(_("Model calls"), "coin", "admin:llm_llmcall_changelist", "costs:read"),
        ),
    ),
    (
        _("Settings"),
        (
            Entry(_("Channels"), "link", "admin:accounts_channel_changelist", "channels:write"),
            Entry(_("Connections"), "code", "admin:actions_connection_changelist", "connections:write"),
            Entry(_("Models"), "assist", "admin:llm_modelconnection_changelist", "connections:write"),
            Entry(
                _("Webhooks"),
                "send",
                "admin:webhooks_webhookendpoint_changelist",
                "webhooks:read",
                waiting=count_switched_off,
                wanting=_("switched off"),
            ),
            Entry(_("API keys"), "key", "admin:accounts_apikey_changelist", "team:write"),
            Entry(_("Team"), "people", "admin:accounts_membership_changelist", "team:write"),
            Entry(_("Workspace"), "gear", "admin:accounts_workspace_changelist", "team:write"),
            Entry(_("Audit trail"), "lock", "admin:actions_auditentry_changelist", "team:write"),
        ),
    ),
)


def navigation(request: HttpRequest, person: Staff) -> list[Group]:
    """Return this person's links in groups, with the current page marked."""
    groups = (Group(str(title), _links(request, person, entries)) for title, entries in GROUPS)
    return [group for group in groups if group.links]


def _links(request: HttpRequest, person: Staff, entries: tuple[Entry, ...]) -> tuple[Link, ...]:
    return tuple(_link(request, person, entry) for entry in entries if may(person, entry.right))


def _link(request: HttpRequest, person: Staff, entry: Entry) -> Link:
    href = reverse(entry.page)
    is_here = request.path == href if entry.is_exact else request.path.startswith(href)
    waiting = entry.waiting() if entry.waiting is not None else 0
    if entry.mine is not None and person.user_id is not None:
        waiting = entry.mine(person.user_id)
    return Link(str(entry.title), entry.icon, href, is_here, waiting, str(entry.wanting))
