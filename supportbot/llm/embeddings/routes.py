"""Routes for embeddings: the primary server and the fallbacks that make an index's vectors, all with the same model.

Choosing a different model starts building a second index next to the current one (`kb.indexing.model_switch`). Changed
fallbacks, or another server with the same model, take effect at once. Every process caches the servers for two seconds.
"""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from actions import audit
from kb.errors import EmbeddingUnavailable
from kb.indexing.model_switch import cancel_switch, start_switch
from kb.indexing.models import IndexSwitch, Recipe
from kb.indexing.recipes import ROUTED
from kb.ports import RecipeSpec, embedder, packaged_embedder
from supportbot.errors import InvalidInput, NotFound
from supportbot.ids import uuid7
from supportbot.llm.connections import Server
from supportbot.llm.embeddings.connections import ALIKE, is_as_named, likeness, server_of
from supportbot.llm.embeddings.gateway_embedder import RoutedEmbedder
from supportbot.llm.models import EmbeddingConnection, EmbeddingRoute

FRESH_SECONDS: Final = 2.0
CONFIGURED: Final = "configured"  # the embedder that KB_EMBEDDER specifies
PACKAGED: Final = "packaged"
_MODEL_CHARACTERS: Final = 120  # the maximum length of a model's name in a recipe's name

_cache: dict[str, tuple[float, Sequence[Server]]] = {}


def embedder_of_route(recipe: RecipeSpec) -> RoutedEmbedder:
    """Return the embedder of a route, with its current servers. Raises EmbeddingUnavailable if no server is left.

    The setting `KB_ROUTED_EMBEDDER` refers to this function.
    """
    found = servers_of(recipe.name)
    if not found:
        raise EmbeddingUnavailable(gettext("No connection serves this embedding model."))
    return RoutedEmbedder(recipe, found)


def servers_of(recipe: str) -> Sequence[Server]:
    """Return the servers of a route, first choice first. They are cached for two seconds."""
    held = _cache.get(recipe)
    if held is not None and held[0] > monotonic():
        return held[1]
    route = EmbeddingRoute.objects.filter(recipe=recipe).first()
    rows = _rows([] if route is None else route.connections)
    named = [rows[one] for one in (route.connections if route else []) if one in rows]
    found = [server_of(row) for row in named if is_as_named(row)]
    _cache[recipe] = (monotonic() + FRESH_SECONDS, found)
    return found


def forget() -> None:
    """Forget all servers, so that they are read again, as after a restart."""
    _cache.clear()


@transaction.atomic
def choose(connection_ids: Sequence[UUID], *, actor: str) -> IndexSwitch | None:
    """Use these servers for search, first choice first. Return the switch to their index, or None if it is already in
    use.

    Raises InvalidInput if a server was not tested or has a different model from the first, and SwitchUnderWay,
    IndexBeingBuilt or NotFound.
    """
    rows = _tested(connection_ids)
    route = _route_like(rows[0])
    _check_alike(rows, rows[0].sample if route is None else route.sample)
    named = [str(row.pk) for row in rows]
    if route is None:
        route = _new_route(rows[0], named)
    else:
        EmbeddingRoute.objects.filter(pk=route.pk).update(connections=named)
    switch = start_switch(_spec_of(route), is_chosen=True)
    audit.record("embedding_route.chosen", actor=actor, model=route.model, names=", ".join(row.name for row in rows))
    transaction.on_commit(forget)
    return switch


def choose_shipped(which: str, *, actor: str) -> IndexSwitch | None:
    """Use the packaged model, or the one that KB_EMBEDDER specifies, for search. Return the switch to its index, or
    None if no switch is needed.

    Raises SwitchUnderWay, IndexBeingBuilt, or EmbeddingUnavailable if the configured server does not respond.
    """
    if which not in (CONFIGURED, PACKAGED):
        raise NotFound()
    chosen = packaged_embedder() if which == PACKAGED else embedder()
    is_chosen = chosen is not embedder()
    spec = chosen.recipe  # read it outside the transaction, because this may ask a server for the size of its vectors
    with transaction.atomic():
        switch = start_switch(spec, is_chosen=is_chosen)
        audit.record("embedding_route.chosen", actor=actor, model=spec.model, names=which)
    return switch


@transaction.atomic
def cancel(*, actor: str) -> bool:
    """Keep the current index; return whether another one was being built."""
    is_cancelled = cancel_switch()
    if is_cancelled:
        audit.record("embedding_route.cancelled", actor=actor)
    return is_cancelled


def route_of(recipe: Recipe) -> EmbeddingRoute | None:
    """Return the route that makes a recipe's vectors; None if no server makes them."""
    found: EmbeddingRoute | None = EmbeddingRoute.objects.filter(recipe=recipe.name).first()
    return found


def _tested(connection_ids: Sequence[UUID]) -> list[EmbeddingConnection]:
    wanted = list(dict.fromkeys(str(one) for one in connection_ids))
    # Until the choice is stored, nobody may change these connections (`connections.save`).
    locked = EmbeddingConnection.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    found = {str(row.pk): row for row in locked}
    if not wanted or found.keys() != set(wanted):
        raise NotFound()
    rows = [found[one] for one in wanted]
    for row in rows:
        if row.dimensions is None or not is_as_named(row):
            raise InvalidInput(gettext("Test {name} first: its vectors are not known yet.").format(name=row))
    return rows


def _check_alike(rows: Sequence[EmbeddingConnection], sample: Sequence[Sequence[float]]) -> None:
    """Raise InvalidInput unless all servers return these vectors for the fixed texts."""
    for row in rows:
        facts = {"name": str(row), "first": str(rows[0]), "size": row.dimensions, "other": len(sample[0])}
        if row.dimensions != len(sample[0]):
            raise InvalidInput(
                gettext(
                    "{name} cannot stand in for {first}: its vectors have {size} dimensions, not {other}. A fallback "
                    "must serve the same model."
                ).format(**facts)
            )
        alike = likeness(sample, row.sample)
        if alike < ALIKE:
            raise InvalidInput(
                gettext(
                    "{name} cannot stand in for {first}: for the same texts, its vectors are different (similarity "
                    "{alike}, at least {least} is needed). A fallback must serve the same model."
                ).format(**facts, alike=f"{alike:.2f}", least=ALIKE)
            )


def _route_like(row: EmbeddingConnection) -> EmbeddingRoute | None:
    """Return a route with the same model: that of the current index or, if the index has a different model, the newest
    one; None if there is none.
    """
    alike = [
        route for route in EmbeddingRoute.objects.order_by("-created_at") if likeness(route.sample, row.sample) >= ALIKE
    ]
    active = Recipe.objects.filter(is_active=True).values_list("name", flat=True).first()
    return next((route for route in alike if route.recipe == active), alike[0] if alike else None)


def _new_route(row: EmbeddingConnection, named: list[str]) -> EmbeddingRoute:
    made = uuid7()
    size = len(row.sample[0])
    recipe = f"{ROUTED}{row.model[:_MODEL_CHARACTERS]}:{size}:{made.hex[-8:]}"
    return EmbeddingRoute.objects.create(
        pk=made, recipe=recipe, model=row.model, dimensions=size, sample=row.sample, connections=named
    )


def _spec_of(route: EmbeddingRoute) -> RecipeSpec:
    return RecipeSpec(route.recipe, route.model, route.dimensions)


def _rows(ids: Sequence[str]) -> Mapping[str, EmbeddingConnection]:
    return {str(row.pk): row for row in EmbeddingConnection.objects.filter(pk__in=ids)}
