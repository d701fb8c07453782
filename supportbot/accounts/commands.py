"""Base classes for management commands: `--json`, `--workspace`, and errors in one sentence."""

import getpass
import json
import os
from abc import abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.commands import TranslatedCommand
from supportbot.errors import SupportBotError
from supportbot.observing.logs import events_suppressed
from supportbot.team_formats import labelled

DAYS_MOST: Final = 3660
# Messages for the names of facts that commands print.
LABELS: Final = {
    "actions": gettext_noop("Actions"),
    "algorithm": gettext_noop("Algorithm"),
    "api_key": gettext_noop("API key"),
    "approvals": gettext_noop("Approvals"),
    "approved_by": gettext_noop("Approved by"),
    "articles": gettext_noop("Articles"),
    "auth": gettext_noop("Authentication"),
    "bytes": gettext_noop("Size in bytes"),
    "channel": gettext_noop("Channel"),
    "connection": gettext_noop("Connection"),
    "conversations": gettext_noop("Conversations"),
    "customer": gettext_noop("Customer"),
    "embedded": gettext_noop("Vectors computed"),
    "environment": gettext_noop("Environment"),
    "file": gettext_noop("File"),
    "folder": gettext_noop("Folder"),
    "has_secrets": gettext_noop("Secrets included"),
    "id": gettext_noop("ID"),
    "identity_secret": gettext_noop("Signing secret"),
    "kid": gettext_noop("Key (kid)"),
    "made_at": gettext_noop("Created at"),
    "merchant": gettext_noop("Address"),
    "name": gettext_noop("Name"),
    "old_secret_until": gettext_noop("Old secret valid until"),
    "password": gettext_noop("Password"),
    "prefix": gettext_noop("Prefix"),
    "recipe": gettext_noop("Recipe"),
    "request": gettext_noop("Request"),
    "restored_to": gettext_noop("Restored to"),
    "reused": gettext_noop("Vectors reused"),
    "revoked": gettext_noop("Revoked"),
    "revoked_at": gettext_noop("Revoked at"),
    "role": gettext_noop("Role"),
    "scopes": gettext_noop("Scopes"),
    "snippet": gettext_noop("Embed code"),
    "state": gettext_noop("State"),
    "summary": gettext_noop("Summary"),
    "switched_off": gettext_noop("Switched off"),
    "took_ms": gettext_noop("Duration (ms)"),
    "url": gettext_noop("Address"),
    "username": gettext_noop("User name"),
    "version": gettext_noop("Version"),
    "workspace": gettext_noop("Workspace"),
}


class ProductCommand(TranslatedCommand):
    """A command that prints its result as text or, with `--json`, as JSON. An error is one sentence."""

    requires_system_checks: list[str] = []
    # A fact without a label keeps its name from the JSON, such as the name of a rule.
    labels: ClassVar[Mapping[str, str]] = LABELS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help=gettext("print one JSON object instead of text"))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with events_suppressed():
                facts = self.facts(options)
            self.show(facts, as_json=options["json"])
        except SupportBotError as refusal:
            raise CommandError(one_sentence(refusal)) from refusal

    def show(self, facts: dict[str, Any], *, as_json: bool) -> None:
        self.stdout.write(json.dumps(facts, ensure_ascii=False) if as_json else self.words(facts))

    @abstractmethod
    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        """Do the work and return the result."""

    def words(self, facts: dict[str, Any]) -> str:
        """Return the result as text for people."""
        named = [
            (gettext(self.labels[name]) if name in self.labels else name, _shown(value))
            for name, value in facts.items()
        ]
        width = max(len(name) for name, _ in named)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in named)


def _shown(value: object) -> object:
    """Return a fact as text for people: yes, no, a dash for nothing, and the items of a list."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else value


class WorkspaceCommand(ProductCommand):
    """A command that runs in the workspace named by `--workspace`, which may be left out if there is only one."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--workspace", metavar="SLUG", default="", help=gettext("required if there is more than one")
        )

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        workspace = workspace_named(options["workspace"])
        with workspace_scope(workspace.pk):
            return self.facts_in(workspace, options)

    @abstractmethod
    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        """Do the work inside the workspace's scope and return the result."""


def operator() -> str:
    """Return the name that records use for the person at the terminal: their account on this machine."""
    return f"operator:{account_name()}"


def account_name() -> str:
    """Return the name of the account that runs this process.

    In a container, the account may have only a number, which is then returned.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        return str(os.getuid())


SHOWN_SLUGS: Final = 10


def workspace_named(slug: str, *, option: str = "--workspace") -> Workspace:
    """Return the workspace with this slug or, if the slug is empty, the only workspace. Otherwise, raises CommandError,
    which lists the workspaces.

    `option` is the command-line option that names the workspace.
    """
    known = {workspace.slug: workspace for workspace in Workspace.objects.order_by("slug")[: SHOWN_SLUGS + 1]}
    if not slug and len(known) == 1:
        return next(iter(known.values()))
    found = Workspace.objects.filter(slug=slug).first() if slug else None
    if found is not None:
        return found
    if not known:
        raise CommandError(gettext("There is no workspace yet. Create one with `manage.py workspace_create NAME`."))
    names = ", ".join(list(known)[:SHOWN_SLUGS])
    problem = (
        gettext("There is no workspace “{slug}”.").format(slug=slug)
        if slug
        else gettext("There are several workspaces.")
    )
    raise CommandError(
        gettext("{problem} Choose one with {option}: {names}.").format(problem=problem, option=option, names=names)
    )


def one_sentence(refusal: SupportBotError) -> str:
    """Return an error's message, followed by the messages for its fields."""
    fields = {name: [text for text in texts if text not in refusal.message] for name, texts in refusal.fields.items()}
    details = [labelled(name, " ".join(texts)) for name, texts in fields.items() if texts]
    return f"{refusal.message} {' '.join(details)}".strip()


def days(text: str) -> int:
    """Return the number of days in an argument. Raises ArgumentTypeError with a sentence if it is not valid."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= DAYS_MOST):
        raise ArgumentTypeError(
            gettext("“{text}” is not a number of days from 1 to {days_most}").format(text=text, days_most=DAYS_MOST)
        )
    return int(text)
