"""The recipe that the index is built with. At most one is active, and search reads only its chunks.

Writing chunk rows holds a shared recipe lock until commit, and switching recipes holds it exclusively, so rows are
never written for a recipe that has just been retired.
"""

from contextlib import suppress
from typing import Final

from django.db import IntegrityError, connection, transaction
from django.db.models import DateTimeField
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext

from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.models import IndexSwitch, Recipe
from kb.ports import Embedder, RecipeSpec, embedder, packaged_embedder, routed_embedder

# The prefix of recipes whose vectors come from servers configured in the console.
ROUTED: Final = "route:"
# An arbitrary constant; nothing else in this database may use the same pair.
_LOCK = (0x6B62, 1)


def active_recipe() -> Recipe:
    """Return the active recipe; a new installation starts with its embedder's recipe."""
    recipe = Recipe.objects.filter(is_active=True).first()
    if recipe is not None:
        return recipe
    first = recipe_for(embedder().recipe)
    try:
        with transaction.atomic():
            Recipe.objects.filter(pk=first.pk).update(is_active=True)
    except IntegrityError:  # another process was first; its choice wins
        pass
    return Recipe.objects.get(is_active=True)


def recipe_for(spec: RecipeSpec) -> Recipe:
    """Return the row of `spec`, created if needed. Raises RecipeMismatch if its name is used by another recipe."""
    recipe, _ = Recipe.objects.get_or_create(
        name=spec.name,
        defaults={
            "model": spec.model,
            "dimensions": spec.dimensions,
            "normalised": spec.is_normalised,
            "query_prefix": spec.query_prefix,
            "passage_prefix": spec.passage_prefix,
        },
    )
    if spec_of(recipe) != spec:
        raise RecipeMismatch(
            gettext("The name {name} is already used by another embedding recipe. Choose another name.").format(
                name=spec.name
            )
        )
    return recipe


def spec_of(recipe: Recipe) -> RecipeSpec:
    return RecipeSpec(
        name=recipe.name,
        model=recipe.model,
        dimensions=recipe.dimensions,
        is_normalised=recipe.normalised,
        query_prefix=recipe.query_prefix,
        passage_prefix=recipe.passage_prefix,
    )


def embedder_of(recipe: Recipe) -> Embedder:
    """Return the embedder whose vectors belong to `recipe`: the one chosen in the console, or the configured one.

    Raises RecipeMismatch if neither makes such vectors, EmbeddingUnavailable if the chosen one has no server.
    """
    found = _chosen(recipe) if recipe.is_chosen else None
    if recipe.is_active:
        _in_use.chosen = found
    if found is not None:
        return found
    current = embedder()
    if current.recipe.name != recipe.name:
        text = gettext(
            "The index contains vectors from {indexed}, but KB_EMBEDDER produces vectors from {current}. Run "
            "`manage.py kb_reindex`, or change KB_EMBEDDER back."
        )
        raise RecipeMismatch(text.format(indexed=recipe.name, current=current.recipe.name))
    return current


def has_embedder(recipe: Recipe) -> bool:
    """Return whether this installation can compute vectors for `recipe`, even if its server is not responding."""
    if recipe.is_chosen and (recipe.name.startswith(ROUTED) or packaged_embedder().recipe.name == recipe.name):
        return True
    return embedder().recipe.name == recipe.name


class _EmbedderInUse:
    """The embedder of the active recipe, as this process last found it."""

    chosen: Embedder | None = None  # None: the configured one


_in_use: Final = _EmbedderInUse()


def embedder_in_use() -> Embedder:
    """Return, without a query, the embedder of the index that this process searched last. Use it to compare texts with
    each other, never with the index, which may have been switched in the meantime (`embedder_of`).
    """
    return _in_use.chosen or embedder()


def name_in_use() -> str:
    """Return the active recipe's name; `embedder_in_use` then returns its embedder if this installation has it."""
    recipe = active_recipe()
    with suppress(RecipeMismatch, EmbeddingUnavailable):
        embedder_of(recipe)
    return recipe.name


def forget_embedder_in_use() -> None:
    """Return to the configured embedder until the next search, as a restart would."""
    _in_use.chosen = None


def _chosen(recipe: Recipe) -> Embedder | None:
    """Return the embedder that was chosen in the console; None if it is the configured one."""
    if recipe.name.startswith(ROUTED):
        return routed_embedder(spec_of(recipe))
    packaged = packaged_embedder()
    return packaged if packaged.recipe.name == recipe.name else None


def lock_active_recipe() -> Recipe:
    """Return the active recipe, and keep it active until this transaction ends."""
    recipe = active_recipe()
    hold_active_recipe()
    # Read again: another process may have switched recipes before we had the lock.
    return recipe if Recipe.objects.filter(pk=recipe.pk, is_active=True).exists() else active_recipe()


def hold_active_recipe() -> None:
    """Keep whatever recipe is active until this transaction ends.

    Call this before locking articles to publish them: a switch holds the recipes while it locks articles, so the
    opposite order could cause a deadlock.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", _LOCK)


def activate(recipe: Recipe) -> None:
    """Make `recipe` the active one, inside the caller's transaction; waits until nobody is writing chunk rows.

    A recipe whose index is being built keeps its rows and `is_chosen`, since it is used next.
    """
    lock_recipes_exclusively()
    others = Recipe.objects.exclude(pk=recipe.pk)
    others.update(is_active=False)
    building = IndexSwitch.objects.filter(state=IndexSwitch.State.BUILDING)
    others.exclude(pk__in=building.values("recipe")).update(
        is_chosen=False, retired_at=Coalesce("retired_at", timezone.now(), output_field=DateTimeField())
    )
    Recipe.objects.filter(pk=recipe.pk).update(is_active=True, retired_at=None)


def lock_recipes_exclusively() -> None:
    """Prevent all others from writing chunk rows until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _LOCK)
