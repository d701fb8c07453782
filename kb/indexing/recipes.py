"""The recipe that the index is built with. At most one is active, and search reads only its chunks.

Writing chunk rows holds a shared recipe lock until commit, switching recipes holds it exclusively: rows are never
written for a recipe that has just been retired.
"""

from django.db import IntegrityError, connection, transaction
from django.db.models import DateTimeField
from django.db.models.functions import Coalesce
from django.utils import timezone

from kb.errors import RecipeMismatch
from kb.indexing.models import Recipe
from kb.ports import Embedder, RecipeSpec, embedder

# An arbitrary constant; nothing else in this database may use the same pair.
_LOCK = (0x6B62, 1)


def active_recipe() -> Recipe:
    """Return the active recipe; a new installation starts with that of its embedder."""
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
        raise RecipeMismatch(f"The name {spec.name} is already used by another embedding recipe. Choose another name.")
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
    """Return the configured embedder; raises RecipeMismatch unless its vectors belong to `recipe`."""
    current = embedder()
    if current.recipe.name != recipe.name:
        raise RecipeMismatch(
            f"The index has vectors of {recipe.name}, but KB_EMBEDDER makes those of {current.recipe.name}. "
            "Run `manage.py kb_reindex`, or reset KB_EMBEDDER."
        )
    return current


def lock_active_recipe() -> Recipe:
    """Return the active recipe, and keep it active until this transaction ends."""
    recipe = active_recipe()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", _LOCK)
    # Read again: another process may have switched recipes before we had the lock.
    return recipe if Recipe.objects.filter(pk=recipe.pk, is_active=True).exists() else active_recipe()


def activate(recipe: Recipe) -> None:
    """Make `recipe` the active one, inside the caller's transaction; waits until nobody is writing chunk rows."""
    lock_recipes_exclusively()
    others = Recipe.objects.exclude(pk=recipe.pk)
    others.update(is_active=False, retired_at=Coalesce("retired_at", timezone.now(), output_field=DateTimeField()))
    Recipe.objects.filter(pk=recipe.pk).update(is_active=True)


def lock_recipes_exclusively() -> None:
    """Prevent all others from writing chunk rows until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _LOCK)
