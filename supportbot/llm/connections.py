"""A workspace's connections to models. The console changes them, and every process sees the changes within two seconds.

A connection may have any address that the checks on outgoing requests allow. Its key is sent only to the host that it
was entered for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from actions import audit
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import InvalidInput, NotFound
from supportbot.llm.errors import ConnectionInUse
from supportbot.llm.models import ModelConnection
from supportbot.llm.pricing import Price, parse_prices
from supportbot.llm.release_routes import ANSWER_FIELDS, BUILTIN, ENVIRONMENT, numbers_of_releases_with
from supportbot.llm.release_routes import route_marks as route_marks  # its former path, for settings until 0.3
from supportbot.llm.release_routes import route_problems as route_problems  # its former path, for settings until 0.3
from supportbot.outbound.targets import address_problem

RESERVED: Final = frozenset({ENVIRONMENT, BUILTIN, "openai"})
FRESH_SECONDS: Final = 2.0
FIELDS: Final = ("name", *ANSWER_FIELDS)


@dataclass(frozen=True, slots=True)
class Server:
    """The data of a connection that a provider needs."""

    id: str
    version: int
    name: str
    base_url: str
    key: str
    model: str
    temperature: float | None
    max_output_tokens: int | None
    price: Price | None


_cache: dict[UUID, tuple[float, Mapping[str, Server]]] = {}


def listed() -> QuerySet[ModelConnection]:
    rows: QuerySet[ModelConnection] = ModelConnection.objects.order_by("name")
    return rows


def connection_with_id(connection_id: UUID) -> ModelConnection:
    """Return a connection of the workspace; raises NotFound."""
    found: ModelConnection | None = ModelConnection.objects.filter(pk=connection_id).first()
    if found is None:
        raise NotFound()
    return found


def servers() -> Mapping[str, Server]:
    """Return the workspace's connections by id. They are cached for two seconds."""
    workspace_id = current_workspace_id()
    held = _cache.get(workspace_id)
    if held is not None and held[0] > monotonic():
        return held[1]
    currency = Workspace.objects.values_list("currency", flat=True).get(pk=workspace_id)
    found = {str(row.pk): server_of(row, currency) for row in ModelConnection.objects.all()}
    _cache[workspace_id] = (monotonic() + FRESH_SECONDS, found)
    return found


def server_of(row: ModelConnection, currency: str) -> Server:
    return Server(
        str(row.pk),
        row.version,
        row.name,
        row.base_url,
        row.key,
        row.model,
        row.temperature,
        row.max_output_tokens,
        _price(row, currency),
    )


def problems(values: Mapping[str, Any], *, row: ModelConnection | None, key: str) -> dict[str, list[str]]:
    """Check a connection before it is stored. Return the errors by field."""
    wrong: dict[str, list[str]] = {}
    name, url = str(values.get("name", "")), str(values.get("base_url", ""))
    others = ModelConnection.objects.filter(name__iexact=name)
    others = others.exclude(pk=row.pk) if row else others
    if name.lower() in RESERVED or others.exists():
        wrong["name"] = [gettext("Another connection already has this name. Choose a different one.")]
    if url and (why := address_problem(url)):
        wrong["base_url"] = [gettext("This address cannot be called: {why}.").format(why=why)]
    elif row is not None and row.key and not key and key_target(row.base_url) != key_target(url):
        wrong["key"] = [gettext("Enter the key again: the address has a different host.")]
    if (values.get("input_price") is None) != (values.get("output_price") is None):
        wrong["output_price"] = [gettext("Enter both prices or neither.")]
    return wrong


@transaction.atomic
def save(values: Mapping[str, Any], *, key: str, actor: str, connection_id: UUID | None = None) -> ModelConnection:
    """Create or change a connection. An empty key keeps the current one. Raises InvalidInput or NotFound."""
    row = ModelConnection() if connection_id is None else _locked(connection_id)
    wrong = problems(values, row=row if connection_id else None, key=key)
    if wrong:
        raise InvalidInput(fields=wrong)
    for name in FIELDS:
        setattr(row, name, values.get(name))
    if key:
        row.key, row.key_changed_at = key, timezone.now()
    row.version += 0 if connection_id is None else 1
    row.save()
    event = "model_connection.created" if connection_id is None else "model_connection.changed"
    audit.record(event, actor=actor, name=row.name, host=host_of(row.base_url), model=row.model, key_changed=bool(key))
    _forget()
    return row


@transaction.atomic
def remove(connection_id: UUID, *, actor: str) -> None:
    """Delete a connection. Raises ConnectionInUse if the live release or a draft uses it."""
    # Publishing also takes this lock, so no release can start using the connection in the meantime.
    Workspace.objects.select_for_update(no_key=True).get(pk=current_workspace_id())
    row = _locked(connection_id)
    if users := numbers_of_releases_with(row):
        named = ", ".join(map(str, users))
        raise ConnectionInUse(
            gettext("These releases use this connection: {numbers}. Choose other models there first.").format(
                numbers=named
            )
        )
    audit.record("model_connection.removed", actor=actor, name=row.name)
    row.delete()
    _forget()


def _price(row: ModelConnection, currency: str) -> Price | None:
    if row.input_price is None or row.output_price is None:
        return None
    cached = row.input_price if row.cached_price is None else row.cached_price
    table = parse_prices(settings.LLM_PRICES)
    # A budget has one currency, which is the installation's if there are prices.
    known = next((price.currency for price in table.values()), currency)
    return Price(known, row.input_price, row.output_price, cached)


def key_target(url: str) -> tuple[bool, str]:
    """Return the host and port that a key is sent to, and whether the connection is encrypted."""
    return url.lower().startswith("https:"), host_of(url)


def host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _locked(connection_id: UUID) -> ModelConnection:
    found: ModelConnection | None = (
        ModelConnection.objects.select_for_update(no_key=True).filter(pk=connection_id).first()
    )
    if found is None:
        raise NotFound()
    return found


def _forget() -> None:
    workspace_id = current_workspace_id()
    _cache.pop(workspace_id, None)
    transaction.on_commit(lambda: _cache.pop(workspace_id, None))
