"""The side navigation: the pages that a person's role may open."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.urls import reverse

from supportbot.accounts.principals import Staff
from supportbot.console.rights import may
from supportbot.handoff.desk.rows import count_pending_approvals, count_waiting_tickets


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    icon: str
    page: str
    right: str
    is_exact: bool = False  # current only at its own address, not below it
    waiting: Callable[[], int] | None = None  # how many items need attention
    wanting: str = ""


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


GROUPS: Final[tuple[tuple[str, tuple[Entry, ...]], ...]] = (
    (
        "",
        (
            Entry("Overview", "home", "admin:index", "console:open", is_exact=True),
            Entry("Desk", "inbox", "desk", "tickets:read", waiting=count_waiting_tickets, wanting="waiting"),
            Entry(
                "Approvals",
                "shield",
                "desk-approvals",
                "actions:approve",
                waiting=count_pending_approvals,
                wanting="to decide",
            ),
        ),
    ),
    (
        "Knowledge",
        (
            Entry("Articles", "book", "admin:kb_article_changelist", "kb:read"),
            Entry("Collections", "box", "admin:kb_collection_changelist", "kb:read"),
            Entry("Import", "upload", "admin:import", "kb:write"),
            Entry("Ask as customer", "chat", "admin:ask", "kb:read"),
            Entry("Unanswered", "search", "admin:unanswered", "kb:read"),
        ),
    ),
    (
        "Assistant",
        (
            Entry("Conversations", "history", "admin:chat_conversation_changelist", "conversations:read"),
            Entry("Action rules", "list", "admin:actions_actionpolicy_changelist", "actions:read"),
            Entry("Requests", "card", "admin:actions_actionrequest_changelist", "actions:read"),
            Entry("Model calls", "coin", "admin:llm_llmcall_changelist", "costs:read"),
        ),
    ),
    (
        "Settings",
        (
            Entry("Channels", "link", "admin:accounts_channel_changelist", "channels:write"),
            Entry("API keys", "key", "admin:accounts_apikey_changelist", "team:write"),
            Entry("Team", "people", "admin:accounts_membership_changelist", "team:write"),
            Entry("Workspace", "gear", "admin:accounts_workspace_changelist", "team:write"),
        ),
    ),
)


def navigation(request: HttpRequest, person: Staff) -> list[Group]:
    """Return the groups with links for this person, with the current page marked."""
    groups = (Group(title, _links(request, person, entries)) for title, entries in GROUPS)
    return [group for group in groups if group.links]


def _links(request: HttpRequest, person: Staff, entries: tuple[Entry, ...]) -> tuple[Link, ...]:
    return tuple(_link(request, entry) for entry in entries if may(person, entry.right))


def _link(request: HttpRequest, entry: Entry) -> Link:
    href = reverse(entry.page)
    is_here = request.path == href if entry.is_exact else request.path.startswith(href)
    waiting = entry.waiting() if entry.waiting is not None else 0
    return Link(entry.title, entry.icon, href, is_here, waiting, entry.wanting)
