"""Servers of embedding models. Operators add them in the console for all workspaces, which share one index.

A key is sent only to the host that it was entered for. A connection can be used as soon as its test has returned the
vectors of a few fixed texts. These show the size of its vectors and whether two servers have the same model.

The server named in the environment variables is one of the connections, in a row that nobody can edit. If the variables
change while search uses it, it is left out until a test has shown that it returns the same vectors.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

from actions import audit
from kb.indexing.models import Recipe
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import InvalidInput, NotFound
from supportbot.llm.connections import RESERVED, Server, host_of, key_target
from supportbot.llm.errors import ConnectionInUse
from supportbot.llm.models import EmbeddingConnection, EmbeddingRoute
from supportbot.llm.pricing import Price, currency_of_prices
from supportbot.outbound.targets import address_problem

FIELDS: Final = ("name", "base_url", "model", "input_price")
# The fields that determine a server's vectors.
MEANING: Final = ("base_url", "model")
SAMPLE_TEXTS: Final = (
    "Where is my parcel?",
    "Unused items can be returned within 60 days of delivery, with the receipt.",
    "Wie lange ist ein Gutschein gültig?",
    "Le remboursement arrive sous cinq jours ouvrés.",
)
# Vectors from servers with the same model differ only by rounding and quantisation.
ALIKE: Final = 0.99

Vectors = Sequence[Sequence[float]]


def listed() -> list[EmbeddingConnection]:
    """Return the connections. The one from the environment variables, if they specify a model, comes first."""
    others = EmbeddingConnection.objects.exclude(name=EmbeddingConnection.ENVIRONMENT).order_by("name")
    first = of_environment()
    return [*([first] if first else []), *others]


def of_environment() -> EmbeddingConnection | None:
    """Return the row for the environment's server, creating it if needed; None if the variables specify no embedding
    model.
    """
    if not settings.OPENAI_EMBEDDING_MODEL:
        return None
    named = {"base_url": settings.OPENAI_BASE_URL, "model": settings.OPENAI_EMBEDDING_MODEL}
    row, _ = EmbeddingConnection.objects.get_or_create(name=EmbeddingConnection.ENVIRONMENT, defaults=named)
    if not is_as_named(row) and not is_in_use(row):
        untested = {**named, "dimensions": None, "sample": [], "tested_at": None}
        EmbeddingConnection.objects.filter(pk=row.pk).update(**untested, version=F("version") + 1)
        row.refresh_from_db()
    return row


def is_as_named(row: EmbeddingConnection) -> bool:
    """Return whether a row has the address and the model that the environment variables currently specify.

    Always true for connections that operators have added.
    """
    named = (settings.OPENAI_BASE_URL, settings.OPENAI_EMBEDDING_MODEL)
    return not row.is_environment or (row.base_url, row.model) == named


def connection_with_id(connection_id: UUID) -> EmbeddingConnection:
    """Return a connection; raises NotFound."""
    found: EmbeddingConnection | None = EmbeddingConnection.objects.filter(pk=connection_id).first()
    if found is None:
        raise NotFound()
    return found


def server_of(row: EmbeddingConnection) -> Server:
    if row.is_environment:  # use the current variables, which may have changed since the last test
        model = settings.OPENAI_EMBEDDING_MODEL
        return Server(
            EmbeddingConnection.ENVIRONMENT,
            row.version,
            str(row),
            settings.OPENAI_BASE_URL,
            settings.OPENAI_API_KEY,
            model,
            None,
            None,
            None,
        )
    paid = row.input_price
    price = None if paid is None else Price(row.currency, input=paid, output=Decimal(0), cached=paid)
    return Server(str(row.pk), row.version, row.name, row.base_url, row.key, row.model, None, None, price)


def problems(values: Mapping[str, Any], *, row: EmbeddingConnection | None, key: str) -> dict[str, list[str]]:
    """Check a connection before it is stored. Return the errors by field."""
    wrong: dict[str, list[str]] = {}
    name, url = str(values.get("name", "")), str(values.get("base_url", ""))
    others = EmbeddingConnection.objects.filter(name__iexact=name)
    if name.lower() in RESERVED or (others.exclude(pk=row.pk) if row else others).exists():
        wrong["name"] = [gettext("Another connection already has this name. Choose a different one.")]
    if url and (why := address_problem(url)):
        wrong["base_url"] = [gettext("This address cannot be called: {why}.").format(why=why)]
    elif row is not None and row.key and not key and key_target(row.base_url) != key_target(url):
        wrong["key"] = [gettext("Enter the key again: the address has a different host.")]
    if row is not None and is_in_use(row):
        for field in MEANING:
            if str(values.get(field)) != getattr(row, field):
                wrong[field] = [
                    gettext(
                        "This connection is in use for search, and a different server may return different vectors. "
                        "Add it as a new connection, test it, then choose it."
                    )
                ]
    return wrong


@transaction.atomic
def save(values: Mapping[str, Any], *, key: str, actor: str, connection_id: UUID | None = None) -> EmbeddingConnection:
    """Create or change a connection. An empty key keeps the current one. Raises InvalidInput or NotFound.

    The environment's connection counts as not found, because only the variables can change it.
    """
    row = EmbeddingConnection() if connection_id is None else _locked(connection_id)
    wrong = problems(values, row=row if connection_id else None, key=key)
    if wrong:
        raise InvalidInput(fields=wrong)
    if any(str(values.get(field)) != getattr(row, field) for field in MEANING):
        row.dimensions, row.sample, row.tested_at = None, [], None
    for name in FIELDS:
        setattr(row, name, values.get(name))
    if key:
        row.key, row.key_changed_at = key, timezone.now()
    row.currency = _currency()
    row.version += 0 if connection_id is None else 1
    row.save()
    event = "embedding_connection.created" if connection_id is None else "embedding_connection.changed"
    audit.record(event, actor=actor, name=row.name, host=host_of(row.base_url), model=row.model, key_changed=bool(key))
    return row


@transaction.atomic
def remove(connection_id: UUID, *, actor: str) -> None:
    """Delete a connection. Raises ConnectionInUse if search uses it or an index for it is being built."""
    row = _locked(connection_id)
    if is_in_use(row):
        raise ConnectionInUse(gettext("Search uses this connection. Choose another model for search first."))
    audit.record("embedding_connection.removed", actor=actor, name=row.name)
    row.delete()


def is_in_use(row: EmbeddingConnection) -> bool:
    """Return whether the current index, or the one being built, gets its vectors from this connection."""
    return str(row.pk) in ids_in_use()


def ids_in_use() -> set[str]:
    """Return the ids of the connections used by the current index and by the one being built."""
    return {one for route in routes_in_use() for one in route.connections}


def routes_in_use() -> list[EmbeddingRoute]:
    """Return the routes of the current index and of the one being built."""
    chosen = Recipe.objects.filter(is_chosen=True).values("name")
    return list(EmbeddingRoute.objects.filter(recipe__in=list(chosen.values_list("name", flat=True))))


def likeness(one: Vectors, other: Vectors) -> float:
    """Return the lowest cosine similarity between two servers' vectors for the same texts; 0 if their sizes differ."""
    if [len(vector) for vector in one] != [len(vector) for vector in other] or not one:
        return 0.0
    return min(_cosine(a, b) for a, b in zip(one, other, strict=True))


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0


def _currency() -> str:
    """Return the installation's currency or, if it has none, that of the workspace where the price was entered."""
    known = currency_of_prices(settings.LLM_PRICES)
    return known or str(Workspace.objects.values_list("currency", flat=True).get(pk=current_workspace_id()))


def _locked(connection_id: UUID) -> EmbeddingConnection:
    rows = EmbeddingConnection.objects.select_for_update(no_key=True).exclude(name=EmbeddingConnection.ENVIRONMENT)
    found: EmbeddingConnection | None = rows.filter(pk=connection_id).first()
    if found is None:
        raise NotFound()
    return found
