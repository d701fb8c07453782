"""Which recipe the index is built with. At most one is active; search reads its chunks only.

Whoever writes chunk rows holds the recipe lock shared until commit, whoever flips holds it alone: rows are never
written for a recipe that has just gone out of use.
"""

from django.db import IntegrityError, connection, transaction
from django.db.models import DateTimeField
from django.db.models.functions import Coalesce
from django.utils import timezone

from kb.errors import RecipeMismatch
from kb.models import Recipe
from kb.ports import Embedder, RecipeSpec, embedder

# Any constant will do, as long as nothing else in this database locks the same pair.
_LOCK = (0x6B62, 1)


def active_recipe() -> Recipe:
    """Return the recipe in use; a new installation takes that of its embedder."""
    recipe = Recipe.objects.filter(is_active=True).first()
    if recipe is not None:
        return recipe
    first = recipe_for(embedder().recipe)
    try:
        with transaction.atomic():
            Recipe.objects.filter(pk=first.pk).update(is_active=True)
    except IntegrityError:  # another process was first; its choice holds
        pass
    return Recipe.objects.get(is_active=True)


def recipe_for(spec: RecipeSpec) -> Recipe:
    """Return the stored row of `spec`, made if need be. Raises RecipeMismatch if its name stands for another recipe."""
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
            f"The name {spec.name} already stands for another embedding recipe. Give the new one its own."
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
    """Return the embedder set now; raises RecipeMismatch unless its vectors belong to `recipe`."""
    current = embedder()
    if current.recipe.name != recipe.name:
        raise RecipeMismatch(
            f"The index holds vectors of {recipe.name}, KB_EMBEDDER makes those of {current.recipe.name}. "
            "Run `manage.py kb_reindex`, or set KB_EMBEDDER back."
        )
    return current


def hold_active_recipe() -> Recipe:
    """Return the active recipe and keep it active until this transaction ends."""
    recipe = active_recipe()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", _LOCK)
    # Read again: a flip may have committed between the first look and the lock.
    return recipe if Recipe.objects.filter(pk=recipe.pk, is_active=True).exists() else active_recipe()


def flip_to(recipe: Recipe) -> None:
    """Make `recipe` the active one; waits for whoever is writing chunk rows, inside the caller's transaction."""
    hold_alone()
    others = Recipe.objects.exclude(pk=recipe.pk)
    others.update(is_active=False, retired_at=Coalesce("retired_at", timezone.now(), output_field=DateTimeField()))
    Recipe.objects.filter(pk=recipe.pk).update(is_active=True)


def hold_alone() -> None:
    """Keep everybody else from writing chunk rows until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _LOCK)
