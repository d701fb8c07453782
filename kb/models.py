"""The tables of the knowledge base.

Invariants, enforced by the database:
- a revision never changes, and is deleted only together with its workspace (triggers);
- an article's pointers (`live_revision`, `latest_revision`) refer to its own revisions; a live article has a live one;
- every child row belongs to its parent's workspace.

The tables of the index are in `kb.indexing.models`, those of sources in `kb.sources.models`.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase
from pgvector.django import HalfVectorField

from kb.indexing.models import Chunk, Recipe  # noqa: F401  # tables of this app
from kb.sources.models import Source, SourceFile, SourceItem, SourcePicture, SourceRun  # noqa: F401  # this app's
from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import TenantModel

WRITE = "write_collection"


class State(models.TextChoices):
    DRAFT = "draft", _("Draft")
    LIVE = "live", _("Live")
    ARCHIVED = "archived", _("Archived")


class Audience(models.TextChoices):
    PUBLIC = "public", _("Everyone")
    SIGNED_IN = "signed_in", _("Signed-in customers")
    INTERNAL = "internal", _("The team only")


class Collection(TenantModel):
    """A group of articles; write access is granted per collection."""

    slug = models.SlugField(max_length=80, allow_unicode=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        permissions = [(WRITE, "May write in this collection")]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="kb_collection_id_workspace"),
            models.UniqueConstraint(fields=["workspace", "slug"], name="kb_collection_slug_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Category(TenantModel):
    """A section of the help pages. Articles refer to it by its name (`Article.category`, `kb.categories`)."""

    name = models.CharField(max_length=120)
    former_names = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    description = models.CharField(max_length=200, blank=True)
    icon = models.CharField(max_length=20, blank=True)
    # Its position on the start page; categories without a position follow in the order of their names.
    position = models.PositiveIntegerField(null=True, blank=True)
    # {language: {"name", "description"}} for readers of other languages.
    translations = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = [F("position").asc(nulls_last=True), "name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="kb_category_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class CollectionUserPermission(UserObjectPermissionBase):
    """A person's right to a collection. This is a direct table, because guardian's generic tables compare text keys."""

    content_object = models.ForeignKey(Collection, on_delete=models.CASCADE)


class CollectionGroupPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(Collection, on_delete=models.CASCADE)


class Article(TenantModel):
    """One topic that customers may ask about; its text is in its revisions."""

    collection = models.ForeignKey(Collection, on_delete=models.RESTRICT, related_name="articles", db_constraint=False)
    external_id = models.CharField(max_length=400)
    locale = models.CharField(max_length=20)
    audience = models.CharField(max_length=10, choices=Audience, default=Audience.PUBLIC)
    # The phrasings before their last change, which the check after publication compares with, and the time of that
    # change.
    former_phrasings = ArrayField(models.CharField(max_length=300), null=True, blank=True)
    phrasings_at = models.DateTimeField(null=True, blank=True)
    # Where a live article is used; `kb.access` enforces both.
    on_help_pages = models.BooleanField(default=True, db_default=True)
    for_assistant = models.BooleanField(default=True, db_default=True)
    category = models.CharField(max_length=120, blank=True)
    # The article's own web address; if empty, its help page is used.
    url = models.CharField(max_length=2000, blank=True)
    # The name of its help page; empty means the external id. Former names redirect (`kb.help_centre.slugs`).
    slug = models.CharField(max_length=200, blank=True, default="", db_default="")
    # The article that this one translates, and the revision of it that was live when this one was last published.
    translation_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, related_name="translations", null=True, blank=True, db_constraint=False
    )
    translated_revision = models.PositiveIntegerField(null=True, blank=True)
    # Where it was read from; the address or path is kept when its source is deleted.
    origin = models.CharField(max_length=2000, blank=True, default="", db_default="")
    source_item = models.ForeignKey(
        SourceItem, on_delete=models.SET_NULL, related_name="articles", null=True, blank=True, db_constraint=False
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    live_revision = models.ForeignKey(
        "Revision", on_delete=models.RESTRICT, related_name="+", null=True, blank=True, db_constraint=False
    )
    latest_revision = models.ForeignKey(
        "Revision", on_delete=models.RESTRICT, related_name="+", null=True, blank=True, db_constraint=False
    )
    # The revisions that were live for at least the article's current readers. A citation may open these, but
    # never a draft or a revision that was live for the team only.
    published_revisions = ArrayField(models.PositiveIntegerField(), default=list, blank=True)
    # The number of the live revision once all its chunks have vectors; any other value means that work is left.
    indexed_revision = models.PositiveIntegerField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    # Who is responsible for it (`kb.reviews`).
    owner = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    reviewer = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    review_asked_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    check_by = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["external_id"]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="kb_article_id_workspace"),
            models.UniqueConstraint(fields=["workspace", "external_id"], name="kb_article_external_id_once"),
            models.UniqueConstraint(fields=["workspace", "slug"], condition=~Q(slug=""), name="kb_article_slug_once"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="kb_article_state_known"),
            models.CheckConstraint(condition=Q(audience__in=Audience.values), name="kb_article_audience_known"),
            models.CheckConstraint(
                condition=~Q(state=State.LIVE) | Q(live_revision__isnull=False), name="kb_article_live_has_revision"
            ),
            SameWorkspace("collection", name="kb_article_same_workspace"),
            SameWorkspace("source_item", name="kb_article_item_same_workspace"),
            SameWorkspace("translation_of", name="kb_article_source_same_workspace"),
        ]
        indexes = [
            models.Index(fields=["workspace", "state", "audience"], name="kb_article_readable"),
            models.Index(fields=["workspace", "locale"], condition=Q(state="live"), name="kb_article_live_locale"),
            models.Index(fields=["reviewer"], condition=Q(reviewer__isnull=False), name="kb_article_to_review"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """The newest title, live or not; the external id before the first revision."""
        return self.latest_revision.title if self.latest_revision else self.external_id

    @property
    def is_live(self) -> bool:
        return self.state == State.LIVE


class Picture(TenantModel):
    """A picture in articles, re-encoded (`kb.pictures`)."""

    digest = models.CharField(max_length=40)
    # The digest of the uploaded file, so that the same file is decoded only once; "" for pictures stored before this
    # field existed.
    file_digest = models.CharField(max_length=40, default="", db_default="")
    content = models.BinaryField(db_column="png")  # the column's name dates from when all pictures were PNG files
    media_type = models.CharField(max_length=20, default="image/png", db_default="image/png")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)  # reset when the same picture is uploaded again

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="kb_picture_id_workspace"),
            models.UniqueConstraint(fields=["workspace", "digest"], name="kb_picture_once"),
        ]
        indexes = [models.Index(fields=["workspace", "file_digest"], name="kb_picture_file")]

    def __str__(self) -> str:
        return self.digest


class PictureUse(TenantModel):
    """An article that has or had a picture in its text: people who may read the article may see the picture."""

    picture = models.ForeignKey(Picture, on_delete=models.CASCADE, related_name="uses", db_constraint=False)
    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="+", db_constraint=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["picture", "article"], name="kb_pictureuse_once"),
            SameWorkspace("picture", name="kb_pictureuse_picture_same_workspace"),
            SameWorkspace("article", name="kb_pictureuse_article_same_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.picture_id} {self.article_id}"


class OldAddress(TenantModel):
    """A former name of an article's help page, which redirects to the current one."""

    name = models.CharField(max_length=200)
    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="+", db_constraint=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="kb_oldaddress_once"),
            SameWorkspace("article", name="kb_oldaddress_same_workspace"),
        ]

    def __str__(self) -> str:
        return self.name


class Plan(TenantModel):
    """An article's publication or archiving at a set time (`kb.scheduling`)."""

    class Step(models.TextChoices):
        PUBLISH = "publish", _("Publish")
        ARCHIVE = "archive", _("Archive")

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="plans", db_constraint=False)
    step = models.CharField(max_length=10, choices=Step)
    at = models.DateTimeField()
    revision = models.PositiveIntegerField()  # the newest revision when this was planned
    person = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, related_name="+", null=True)
    override = models.CharField(max_length=300, blank=True)  # the reason for overriding the gates
    by_program = models.BooleanField(default=False, db_default=False)  # by an API key that does not act as a person
    key_id = models.UUIDField(null=True)  # the API key that planned it, with or without a person
    problem = models.TextField(blank=True)  # why it was not carried out

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["article", "step"], name="kb_plan_once"),
            models.CheckConstraint(condition=Q(step__in=["publish", "archive"]), name="kb_plan_step_known"),
            SameWorkspace("article", name="kb_plan_same_workspace"),
        ]
        indexes = [models.Index(fields=["at"], condition=Q(problem=""), name="kb_plan_due")]

    def __str__(self) -> str:
        return f"{self.step} {self.article_id}"


class Unsaved(TenantModel):
    """Unsaved text that a person has typed in the editor, for an existing or a new article."""

    person = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+")
    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="+", null=True, db_constraint=False)
    values = models.JSONField()
    based_on = models.PositiveIntegerField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "person", "article"], name="kb_unsaved_once", nulls_distinct=False
            ),
            SameWorkspace("article", name="kb_unsaved_same_workspace"),
        ]

    def __str__(self) -> str:
        return str(self.values.get("title", ""))


class Phrasing(TenantModel):
    """A question that an article answers word for word (`kb.search.curated`)."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    text = models.CharField(max_length=300)
    recipe = models.ForeignKey(
        "Recipe", on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )  # the recipe of `embedding`
    embedding = HalfVectorField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["article", "text"], name="kb_phrasing_once"),
            SameWorkspace("article", name="kb_phrasing_same_workspace"),
        ]

    def __str__(self) -> str:
        return self.text


class Synonyms(TenantModel):
    """Words that mean the same to the workspace's customers; search replaces one with another (`kb.synonyms`)."""

    words = ArrayField(models.CharField(max_length=80))

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return ", ".join(self.words)


class Helpfulness(TenantModel):
    """The numbers of readers whom a revision of a help page helped or did not help. Readers are not recorded."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    revision = models.PositiveIntegerField()
    yes = models.PositiveIntegerField(default=0)
    no = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["article", "revision"], name="kb_helpfulness_once"),
            SameWorkspace("article", name="kb_helpfulness_same_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.yes}:{self.no}"


class ArticleReads(TenantModel):
    """The number of times that an article's help page was opened on a day. Readers are not recorded
    (`kb.help_centre.reader_statistics`).
    """

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    day = models.DateField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["article", "day"], name="kb_articlereads_once"),
            SameWorkspace("article", name="kb_articlereads_same_workspace"),
        ]
        indexes = [models.Index(fields=["workspace", "day"], name="kb_articlereads_day")]

    def __str__(self) -> str:
        return f"{self.article_id} {self.day}: {self.count}"


class Revision(TenantModel):
    """One version of an article's text. It never changes, since citations refer to it by character offset."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="revisions", db_constraint=False)
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    body = models.TextField()
    body_hash = models.CharField(max_length=64)
    author = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )  # None: an import or a service
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["article", "number"]
        constraints = [
            models.UniqueConstraint(fields=["article", "number"], name="kb_revision_number_once"),
            models.UniqueConstraint(fields=["id", "article"], name="kb_revision_id_article"),
            models.CheckConstraint(condition=Q(number__gte=1), name="kb_revision_counts_from_one"),
            SameWorkspace("article", name="kb_revision_same_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.number})"
