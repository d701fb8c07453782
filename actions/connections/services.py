"""Creating, changing, rotating and testing connections. Secrets can be set here but never read. The audit trail records
every change, but no values other than names and hosts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from actions import audit
from actions.connections.auth import Auth
from actions.connections.auth_kinds import KINDS, clean_settings, secret_problem
from actions.connections.connection_check import Report, probe
from actions.connections.models import Connection, Environment
from supportbot.accounts.scope import across_workspaces
from supportbot.connection_test_limit import count_test
from supportbot.errors import FieldErrors, InvalidInput, NotFound
from supportbot.outbound.targets import address_problem

MAX_ADDRESS: Final = 300
MAX_KEPT_HOURS: Final = 24 * 30
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_CHANGEABLE: Final = ("settings", "base_url", "test_path", "secret")
_PATH: Final = re.compile(r"/[!-~]*")


@dataclass(frozen=True, slots=True)
class Draft:
    """A connection as entered in a form; in a change, an empty secret keeps the current one."""

    name: str
    base_url: str
    environment: str = Environment.LIVE
    auth: str = Auth.NONE
    settings: Mapping[str, Any] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    test_path: str = "/"


@transaction.atomic
def create(draft: Draft, *, actor: str) -> Connection:
    """Add a connection to the current workspace; raises InvalidInput with the errors of all fields."""
    if wrong := problems_of_new(draft):
        raise InvalidInput(fields=wrong)
    made = Connection(name=draft.name, environment=draft.environment, auth=draft.auth)
    _fill(made, draft)
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:  # created concurrently
        raise InvalidInput(fields={"name": [_taken()]}) from error
    _record("connection.created", made, actor, auth=made.auth)
    return made


def problems_of_new(draft: Draft) -> FieldErrors:
    """Return the errors in a new connection by field; errors in settings are under the settings' names."""
    wrong: FieldErrors = {}
    if not _NAME.fullmatch(draft.name):
        wrong["name"] = [_("Use up to 60 lowercase letters, digits, _ and -, beginning with a letter.")]
    elif Connection.objects.filter(name=draft.name, environment=draft.environment).exists():
        wrong["name"] = [_taken()]
    if draft.environment not in Environment.values:
        wrong["environment"] = [_("Choose live or sandbox.")]
    if draft.auth not in Auth.values:
        return {**wrong, "auth": [_("Choose one of: %(choices)s.") % {"choices": ", ".join(Auth.values)}]}
    return wrong | _problems(draft)


@transaction.atomic
def update(
    connection_id: UUID,
    *,
    actor: str,
    base_url: str | None = None,
    settings: Mapping[str, Any] | None = None,
    test_path: str | None = None,
    secret: str = "",
) -> Connection:
    """Change a connection. None keeps the current value, and an empty secret keeps the current secret. Raises
    InvalidInput and NotFound.
    """
    found = _locked(connection_id)
    draft = draft_of_change(found, base_url=base_url, settings=settings, test_path=test_path, secret=secret)
    if wrong := problems_of_change(found, draft):
        raise InvalidInput(fields=wrong)
    before = {name: getattr(found, name) for name in _CHANGEABLE}
    _fill(found, draft)
    changed = [name for name in _CHANGEABLE if getattr(found, name) != before[name]]
    if not changed:
        return found
    if "secret" in changed:
        _forget_previous(found)
    found.save()
    _record("connection.changed", found, actor, fields=" ".join(changed))
    return found


def draft_of_change(
    connection: Connection,
    *,
    base_url: str | None = None,
    settings: Mapping[str, Any] | None = None,
    test_path: str | None = None,
    secret: str = "",
) -> Draft:
    """Return a connection as it would be after a change."""
    return Draft(
        name=connection.name,
        environment=connection.environment,
        auth=connection.auth,
        base_url=connection.base_url if base_url is None else base_url,
        settings={**connection.settings, **(settings or {})},
        test_path=connection.test_path if test_path is None else test_path,
        secret=secret,
    )


def problems_of_change(connection: Connection, draft: Draft) -> FieldErrors:
    """Return the errors in a change, by field. If a new host would learn the secret, the secret must be entered again:
    otherwise, anyone who can edit the address could obtain it there.
    """
    kept = draft.secret or connection.secret
    wrong = _problems(replace(draft, secret=kept))
    is_revealed = KINDS[Auth(draft.auth)].reveals_secret and not draft.secret
    if not wrong and is_revealed and not _receivers(draft) <= _receivers(connection):
        wrong["secret"] = [_("Enter the secret again, because it would be sent to a different host.")]
    return wrong


@transaction.atomic
def rotate(connection_id: UUID, secret: str, *, actor: str, keep_hours: int = 0) -> Connection:
    """Replace the secret.

    Standard Webhooks are also signed with the old secret for `keep_hours`, since their receiver accepts either; all
    other kinds use the new one immediately. Raises InvalidInput and NotFound.
    """
    found = _locked(connection_id)
    kind = KINDS[Auth(found.auth)]
    problem = str(secret_problem(kind, secret, found.settings))
    if not problem and secret == found.secret:
        problem = _("This is the current secret.")
    if problem:
        raise InvalidInput(fields={"secret": [problem]})
    if not 0 <= keep_hours <= MAX_KEPT_HOURS:
        raise InvalidInput(fields={"keep_hours": [_("Choose 0 to %s hours.") % MAX_KEPT_HOURS]})
    _forget_previous(found)
    if kind.keeps_previous and keep_hours:
        found.previous_secret, found.previous_until = found.secret, now() + timedelta(hours=keep_hours)
    found.secret = secret
    found.save()
    _record("connection.rotated", found, actor, keep_hours=keep_hours if kind.keeps_previous else 0)
    return found


@transaction.atomic
def remove(connection_id: UUID, *, actor: str) -> None:
    """Delete a connection and its secrets; actions that use it are refused from then on. Raises NotFound."""
    found = _locked(connection_id)
    _record("connection.removed", found, actor)
    found.delete()


def forget_old_secrets() -> int:
    """Delete old secrets that no longer sign, in all workspaces; return how many."""
    with across_workspaces("old secrets of connections"):
        ended = Connection.objects.filter(previous_until__lte=now())
        return ended.update(previous_secret="", previous_until=None)


def test(connection: Connection, *, actor: str) -> Report:
    """Call the connection's test path and return a report of each step. Raises TooManyTests."""
    count_test(connection.workspace_pk)
    report = probe(connection)
    with transaction.atomic():
        _record("connection.tested", connection, actor, outcome=report.outcome)
    return report


def _locked(connection_id: UUID) -> Connection:
    found = Connection.objects.select_for_update(no_key=True).filter(pk=connection_id).first()
    if found is None:
        raise NotFound()
    return found


def _problems(draft: Draft) -> FieldErrors:
    kind = KINDS[Auth(draft.auth)]
    clean, wrong = clean_settings(kind, draft.settings)
    if problem := _address_problem(draft.base_url):
        wrong["base_url"] = [problem]
    if not _PATH.fullmatch(draft.test_path) or len(draft.test_path) > 200 or "#" in draft.test_path:
        wrong["test_path"] = [_("Enter a path that begins with a slash, such as /health.")]
    if unfit := secret_problem(kind, draft.secret, {**draft.settings, **clean}):
        wrong["secret"] = [str(unfit)]
    return wrong


def _fill(connection: Connection, draft: Draft) -> None:
    """Copy a valid draft into a connection."""
    connection.settings, _wrong = clean_settings(KINDS[Auth(draft.auth)], draft.settings)
    connection.base_url, connection.test_path = draft.base_url.rstrip("/"), draft.test_path
    connection.secret = draft.secret or connection.secret


def _address_problem(base_url: str) -> str:
    if len(base_url) > MAX_ADDRESS:
        return _("The address has more than %s characters.") % MAX_ADDRESS
    if problem := address_problem(base_url):
        return f"{problem[:1].upper()}{problem[1:]}."
    return _("The address must end with its path, without ? or #.") if "?" in base_url or "#" in base_url else ""


def _receivers(connection: Draft | Connection) -> set[str]:
    """Return every origin that receives the secret, or the token obtained with it."""
    places = {_origin(connection.base_url)}
    return places | {_origin(connection.settings["token_url"])} if connection.auth == Auth.OAUTH else places


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _forget_previous(connection: Connection) -> None:
    connection.secret_changed_at = now()
    connection.previous_secret, connection.previous_until = "", None


def _record(event: str, connection: Connection, actor: str, **facts: Any) -> None:
    audit.record(
        event,
        actor=actor,
        connection=connection.name,
        environment=connection.environment,
        host=urlsplit(connection.base_url).netloc,
        **facts,
    )


def _taken() -> str:
    return _("A connection with this name already exists.")
