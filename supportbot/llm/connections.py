"""A workspace's connections to models. The console changes them, and every process sees the changes within two seconds.

A connection may have any address that the checks on outgoing requests allow. Its key is sent only to the host for which
it was entered.
"""

import hashlib
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
from supportbot.llm.conf import is_remote_configured
from supportbot.llm.errors import ConnectionInUse
from supportbot.llm.models import EmbeddingConnection, ModelConnection
from supportbot.llm.pricing import Price, parse_prices
from supportbot.outbound.targets import address_problem
from supportbot.releases.document import Document
from supportbot.releases.models import Release
from supportbot.releases.selectors import current

ENVIRONMENT: Final = EmbeddingConnection.ENVIRONMENT  # the connection described by the environment variables
BUILTIN: Final = "builtin"
# The purposes that the built-in answerer serves without a model. Judging needs a model.
BUILTIN_PURPOSES: Final = frozenset({"answer", "summarise", "rewrite", "draft"})
RESERVED: Final = frozenset({ENVIRONMENT, BUILTIN, "openai"})
FRESH_SECONDS: Final = 2.0
FIELDS: Final = (
    "name",
    "base_url",
    "model",
    "temperature",
    "max_output_tokens",
    "input_price",
    "output_price",
    "cached_price",
)


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


def names() -> dict[str, str]:
    """Return the connections that a release's routes can use, each with its display name."""
    own = {str(pk): name for pk, name in listed().values_list("pk", "name")}
    return {ENVIRONMENT: gettext("Environment variables"), BUILTIN: gettext("Built-in answerer"), **own}


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
    users = [one.number for one in _in_use() if row_is_in(row, one.contents)]
    if users:
        named = ", ".join(map(str, users))
        raise ConnectionInUse(
            gettext("These releases use this connection: {numbers}. Choose other models there first.").format(
                numbers=named
            )
        )
    audit.record("model_connection.removed", actor=actor, name=row.name)
    row.delete()
    _forget()


def row_is_in(row: ModelConnection, document: Document) -> bool:
    return any(str(row.pk) in route for route in document.routes.values())


def route_problems(document: Document, was_live: bool = False) -> dict[str, list[str]]:
    """Return the errors in a release's routes, which may name only existing connections that can serve the purpose.

    If the release has been live, unusable connections are skipped, because it must always be possible to go back to it.
    """
    wrong = [] if was_live else _unable(document)
    if named := {name for route in document.routes.values() for name in route} - {ENVIRONMENT, BUILTIN}:
        rows = ModelConnection.objects.select_for_update(no_key=True).values_list("pk", flat=True)
        if named - {str(pk) for pk in rows}:
            wrong.append(gettext("The connection of a model no longer exists. Choose another."))
    return {"routes": wrong} if wrong else {}


def serves(name: str, purpose: str) -> bool:
    """Return whether a connection could serve a purpose.

    For connections that people have added, only a test can tell.
    """
    if name == ENVIRONMENT:
        return is_remote_configured()
    return name != BUILTIN or purpose in BUILTIN_PURPOSES


def _unable(document: Document) -> list[str]:
    routes = document.routes.items()
    unable = {name for purpose, route in routes for name in route if not serves(name, purpose)}
    wrong = []
    if ENVIRONMENT in unable:
        wrong.append(gettext("No model is set in the environment variables. Choose a connection or the default."))
    if BUILTIN in unable:
        wrong.append(
            gettext(
                "The built-in answerer cannot judge, translate or take second looks. Choose a model or the default."
            )
        )
    return wrong


def route_marks() -> dict[str, str]:
    """Return a fingerprint of each connection in the current release's routes. It changes with anything that could
    change the connection's answers or their price. The setting `RELEASES_REFERENCES` names this function.
    """
    named = {name for route in current().document.routes.values() for name in route}
    rows = ModelConnection.objects.filter(pk__in=named - {ENVIRONMENT, BUILTIN})
    marked = {str(row.pk): [str(getattr(row, field)) for field in FIELDS if field != "name"] for row in rows}
    if is_remote_configured():  # a release without routes uses the environment's connection
        marked[ENVIRONMENT] = [settings.OPENAI_BASE_URL, settings.OPENAI_MODEL, settings.OPENAI_VERIFY_MODEL]
    return {name: hashlib.sha256(repr(facts).encode()).hexdigest()[:16] for name, facts in marked.items()}


def _in_use() -> QuerySet[Release]:
    rows: QuerySet[Release] = Release.objects.exclude(state=Release.State.REPLACED).order_by("number")
    return rows


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
