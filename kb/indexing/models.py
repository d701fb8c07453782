"""The tables of the index: recipes, and articles' passages as a recipe indexes them.

Invariants, enforced by the database: a chunk belongs to one recipe, so vectors of two models never mix; at most one
recipe is active.

Enforced by the services: an article's chunk rows describe its live revision. They are replaced in the transaction that
publishes, with text search and the vectors of unchanged passages; `indexed_revision` is set last, once every chunk has
its vector.
"""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from pgvector.django import HalfVectorField

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import TenantModel
from supportbot.ids import uuid7


class Recipe(models.Model):
    """How the index's vectors are computed, with the calibration; the same for all workspaces."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200, unique=True)
    model = models.CharField(max_length=200)
    dimensions = models.PositiveIntegerField()
    normalised = models.BooleanField(default=True)
    query_prefix = models.CharField(max_length=100, blank=True)
    passage_prefix = models.CharField(max_length=100, blank=True)
    is_active = models.BooleanField(default=False)
    # Chosen in the console, and therefore in use or being built, regardless of KB_EMBEDDER.
    is_chosen = models.BooleanField(default=False, db_default=False)
    # The time when another recipe replaced it; its chunk rows are deleted soon after. None while it is being built.
    retired_at = models.DateTimeField(null=True, blank=True)
    # The calibration fitted for this recipe (`kb.search.confidence`); empty means the shipped one.
    calibration = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["is_active"], condition=Q(is_active=True), name="kb_recipe_one_active"),
        ]

    def __str__(self) -> str:
        return self.name


class IndexSwitch(models.Model):
    """An index that is being built for another recipe next to the one in use, and the switch to it. At most one is
    open.
    """

    class State(models.TextChoices):
        BUILDING = "building"
        DONE = "done"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="switches")
    state = models.CharField(max_length=10, choices=State.choices, default=State.BUILDING)
    # The code of the error that interrupted it, and when it will be tried again.
    problem = models.CharField(max_length=40, blank=True, default="")
    tries_again_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="building"), name="kb_index_switch_one_building"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipe_id}: {self.state}"


class Chunk(TenantModel):
    """A passage `body[start:end]` of an article's live revision, as one recipe indexes it."""

    article = models.ForeignKey("kb.Article", on_delete=models.CASCADE, related_name="chunks", db_constraint=False)
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="chunks")
    revision_number = models.PositiveIntegerField()
    position = models.PositiveIntegerField()
    heading_path = models.TextField(blank=True)
    text = models.TextField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    page = models.PositiveSmallIntegerField(null=True)  # the page of the file on which the passage begins
    content_hash = models.CharField(max_length=64)
    # The dimensions are not fixed, so that two recipes can coexist; each number of dimensions has its own partial
    # index.
    embedding = HalfVectorField(null=True, blank=True)
    search_vector = SearchVectorField(null=True, blank=True)

    class Meta:
        ordering = ["article", "position"]
        constraints = [
            models.UniqueConstraint(fields=["article", "recipe", "position"], name="kb_chunk_position_once"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="kb_chunk_not_empty"),
            SameWorkspace("article", name="kb_chunk_same_workspace"),
        ]
        indexes = [
            GinIndex(fields=["search_vector"], name="kb_chunk_search_vector"),
            # The index task and the nightly check look for chunks that still need a vector.
            models.Index(fields=["article"], condition=Q(embedding__isnull=True), name="kb_chunk_without_vector"),
        ]
