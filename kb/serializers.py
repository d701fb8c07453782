"""Serializers of the knowledge API. They parse and render; the services save."""

from typing import Any, Final

from rest_framework import serializers

from kb.access import Surface
from kb.article_urls import article_address
from kb.categories import ICONS, MAX_CATEGORIES, MAX_DESCRIPTION
from kb.collections import collection_with_id
from kb.extra_fields import EXTRA_FIELDS
from kb.help_centre.slugs import MAX_SLUG, former_names
from kb.models import Article, Audience, Category, Collection, Plan, Revision, State, Synonyms
from kb.phrasings import MAX_PHRASING, MAX_PHRASINGS, phrasings_of
from kb.services import Change
from kb.synonyms import MAX_WORD, MAX_WORDS
from kb.translations import is_older
from kb.validation import (
    MAX_BODY_CHARACTERS,
    MAX_CATEGORY_CHARACTERS,
    MAX_EXTERNAL_ID_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    MAX_URL_CHARACTERS,
    check_locale,
)
from supportbot.serializer_fields import (
    ClosedSerializerMixin,
    OneOfField,
    TextField,
    WholeNumberField,
    example,
    more_than_spaces,
)

# The checks of kb.validation, for the OpenAPI schema.
_TITLE: Final = {"pattern": more_than_spaces(), "maxLength": MAX_TITLE_CHARACTERS}
# The pattern is kept apart from the length: test generators would combine both into one pattern that is too large.
_BODY: Final = {"allOf": [{"pattern": more_than_spaces()}], "maxLength": MAX_BODY_CHARACTERS}
_CATEGORY: Final = {"maxLength": MAX_CATEGORY_CHARACTERS}
_EXTERNAL_ID: Final = {"pattern": more_than_spaces(without=r"\u0000-\u001f\u007f")}
_LOCALE: Final = {"pattern": "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,2}$"}
_IN_ADDRESS: Final = r"[^\u0000- \u007f\\]"
_HOST: Final = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,4})?"
_URL: Final = {
    "pattern": rf"^(https?://{_HOST}([/?#]{_IN_ADDRESS}*)?|/((?!/){_IN_ADDRESS}+)?)$",
    "maxLength": MAX_URL_CHARACTERS,
}


class CollectionSerializer(serializers.ModelSerializer[Collection]):
    class Meta:
        model = Collection
        fields = ["id", "slug", "name", "created_at"]

    slug = serializers.CharField(read_only=True, help_text="Use letters and digits of any script, and dashes.")


@example(gate=True)
class PublishSerializer(ClosedSerializerMixin, serializers.Serializer[Article]):
    gate = serializers.BooleanField(default=False)


@example(name="Help centre")
class NewCollectionSerializer(ClosedSerializerMixin, serializers.Serializer[Collection]):
    name = TextField(max_length=MAX_NAME_CHARACTERS)


class CategorySerializer(serializers.ModelSerializer[Category]):
    """A section of the help pages."""

    former_names: Any = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Links, files and calls with one of these names refer to this category.",
    )
    translations: Any = serializers.DictField(
        child=serializers.DictField(child=serializers.CharField(allow_blank=True)), read_only=True
    )

    class Meta:
        model = Category
        fields = ["id", "name", "former_names", "description", "icon", "translations"]


class CategoryListSerializer(serializers.Serializer[Any]):
    """All categories, in the order of the help pages; there is no further page."""

    results = CategorySerializer(many=True)
    next = serializers.URLField(allow_null=True)


class CategoryWordsSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    """A category's texts for readers of another language; "" stands for the original text."""

    name = TextField(required=False, allow_blank=True, max_length=MAX_CATEGORY_CHARACTERS)
    description = TextField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)


@example(name="Returns & refunds", icon="undo", translations={"de": {"name": "Rückgabe & Erstattung"}})
class CategoryChangeSerializer(ClosedSerializerMixin, serializers.Serializer[Category]):
    """Changes to a category; omitted fields are unchanged."""

    name = TextField(required=False, max_length=MAX_CATEGORY_CHARACTERS)
    description = TextField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)
    icon = OneOfField(choices=["", *ICONS], required=False)
    translations = serializers.DictField(
        child=CategoryWordsSerializer(),
        required=False,
        help_text="Translations by language code, such as `de`. They replace the stored ones.",
    )


class NewCategorySerializer(CategoryChangeSerializer):
    """A new category; it comes after the categories that have a position."""

    name = TextField(max_length=MAX_CATEGORY_CHARACTERS)


@example(order=["01a21034-bcd1-7ad8-b61b-198f911c3582"])
class CategoryOrderSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    """The ids of categories in their new order; the others follow in their current order."""

    order = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MAX_CATEGORIES)


class SynonymsSerializer(serializers.ModelSerializer[Synonyms]):
    class Meta:
        model = Synonyms
        fields = ["id", "words"]


@example(words=["jumper", "sweater"])
class NewSynonymsSerializer(ClosedSerializerMixin, serializers.Serializer[Synonyms]):
    words = serializers.ListField(child=TextField(max_length=MAX_WORD), min_length=2, max_length=MAX_WORDS)


class RevisionSerializer(serializers.ModelSerializer[Revision]):
    class Meta:
        model = Revision
        fields = ["number", "title", "body", "author", "created_at"]


class ArticleSerializer(serializers.ModelSerializer[Article]):
    """An article in a list: its newest title and its state, without its text."""

    title = serializers.CharField(read_only=True)
    address = serializers.SerializerMethodField()
    live_revision = serializers.SerializerMethodField()
    latest_revision = serializers.SerializerMethodField()

    class Meta:
        model = Article
        fields = [
            "id", "external_id", "title", "collection", "locale", "audience", "on_help_pages", "for_assistant",
            "category", "url", "address", "state",
            "live_revision", "latest_revision", "indexed_revision", "published_at", "created_at", "updated_at",
        ]  # fmt: skip

    def get_address(self, article: Article) -> str:
        return article_address(article)

    def get_live_revision(self, article: Article) -> int | None:
        return article.live_revision.number if article.live_revision else None

    def get_latest_revision(self, article: Article) -> int | None:
        return article.latest_revision.number if article.latest_revision else None


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """An article's publication or archiving at a set time; `problem` says why it was not carried out."""

    class Meta:
        model = Plan
        fields = ["step", "at", "revision", "problem"]


@example(at="2031-01-31T09:00:00Z")
class NewPlanSerializer(ClosedSerializerMixin, serializers.Serializer[Plan]):
    at = serializers.DateTimeField()


class ArticleDetailSerializer(ArticleSerializer):
    """One article with the text of its newest revision."""

    body = serializers.SerializerMethodField()
    phrasings = serializers.SerializerMethodField()

    owner: Any = serializers.SlugRelatedField("username", read_only=True, allow_null=True)
    reviewer: Any = serializers.SlugRelatedField("username", read_only=True, allow_null=True)
    former_slugs = serializers.SerializerMethodField()
    older_than_source = serializers.SerializerMethodField(
        help_text="Whether the source article has been published since this translation was last published."
    )
    plans = PlanSerializer(many=True, read_only=True)

    class Meta(ArticleSerializer.Meta):
        fields = [
            *ArticleSerializer.Meta.fields, "body", "phrasings", "slug", "former_slugs", "translation_of",
            "older_than_source", "owner", "reviewer", "check_by", "plans",
        ]  # fmt: skip

    def get_former_slugs(self, article: Article) -> list[str]:
        return former_names(article)

    def get_older_than_source(self, article: Article) -> bool:
        return is_older(article)

    def get_phrasings(self, article: Article) -> list[str]:
        return phrasings_of(article)

    def get_body(self, article: Article) -> str:
        return article.latest_revision.body if article.latest_revision else ""


class TriedArticleSerializer(ArticleDetailSerializer):
    """One article after a change that the gates may have checked."""

    untried = serializers.IntegerField(
        read_only=True, help_text="With `gate`: the gate cases that were skipped because time ran out."
    )
    comparison = serializers.CharField(
        read_only=True, help_text="The path of a report on how the change affects customers' questions, once known."
    )

    class Meta(ArticleDetailSerializer.Meta):
        fields = [*ArticleDetailSerializer.Meta.fields, "untried", "comparison"]


class LocaleField(TextField):
    """A language to search in, normalised as for articles. Raises InvalidDocument, as saving does."""

    def __init__(self, **more: Any) -> None:
        super().__init__(schema=_LOCALE, **more)

    def to_internal_value(self, data: Any) -> str:
        return check_locale(super().to_internal_value(data))


class _FactsSerializer(ClosedSerializerMixin, serializers.Serializer[Article]):
    """An article's metadata."""

    locale = TextField(required=False, schema=_LOCALE)
    audience = OneOfField(choices=Audience.choices, required=False)
    on_help_pages = serializers.BooleanField(required=False, help_text="Whether the article has a help page.")
    for_assistant = serializers.BooleanField(
        required=False, help_text="Whether the assistant may use the article in answers."
    )
    category = TextField(required=False, allow_blank=True, schema=_CATEGORY)
    url = TextField(required=False, allow_blank=True, schema=_URL)
    collection = serializers.UUIDField(required=False)
    phrasings = serializers.ListField(
        child=TextField(max_length=MAX_PHRASING),
        max_length=MAX_PHRASINGS,
        required=False,
        help_text="Questions that are answered with the whole text, word for word.",
    )

    slug = TextField(
        required=False,
        allow_blank=True,
        max_length=MAX_SLUG,
        help_text="The name in the help page's address, instead of the external id. Former names redirect.",
    )
    translation_of = serializers.UUIDField(
        required=False, allow_null=True, help_text="The id of the article that this one translates."
    )
    owner = TextField(required=False, allow_null=True, max_length=150, help_text="A user name.")
    reviewer = TextField(
        required=False,
        allow_null=True,
        max_length=150,
        help_text="The user name of the person who is asked for a review.",
    )
    check_by = serializers.DateField(required=False, allow_null=True, help_text="When the article is due for a review.")

    def change(self) -> Change:
        """Return the validated fields as a `Change` for the services. Raises CollectionMissing."""
        left_out = ("based_on", "external_id", "gate", "phrasings", *EXTRA_FIELDS)
        data = {name: value for name, value in self.validated_data.items() if name not in left_out}
        collection = data.pop("collection", None)
        return Change(**data, collection=collection_with_id(collection) if collection else None)


@example(category="Returns")
class ArticleChangeSerializer(_FactsSerializer):
    """Changes to an article; omitted fields are unchanged. With `based_on`, saving fails if a newer revision exists."""

    title = TextField(trim_whitespace=False, required=False, schema=_TITLE)
    body = TextField(trim_whitespace=False, required=False, help_text="Markdown", schema=_BODY)
    based_on = WholeNumberField(required=False, min_value=1, max_value=2**31 - 1)
    gate = serializers.BooleanField(default=False, help_text="Whether the gates check immediate changes.")


@example(title="Returns", body="Send unused things back within **60 days**.", locale="en", category="Returns")
class NewArticleSerializer(_FactsSerializer):
    """A new article; without `external_id`, one is derived from its title."""

    title = TextField(trim_whitespace=False, schema=_TITLE)
    body = TextField(trim_whitespace=False, help_text="Markdown", schema=_BODY)
    external_id = TextField(required=False, max_length=MAX_EXTERNAL_ID_CHARACTERS, schema=_EXTERNAL_ID)


class PassageSerializer(serializers.Serializer[Any]):
    article = serializers.UUIDField(source="article_id")
    external_id = serializers.CharField()
    title = serializers.CharField()
    heading = serializers.CharField()
    url = serializers.CharField()
    locale = serializers.CharField()
    score = serializers.FloatField()
    text = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    revision = serializers.IntegerField()
    page = serializers.IntegerField(allow_null=True, help_text="The page of the PDF where the passage begins.")


class SearchResultSerializer(serializers.Serializer[Any]):
    query = serializers.CharField()
    took_ms = serializers.FloatField()
    confidence = serializers.FloatField()
    answerable = serializers.BooleanField(source="is_answerable")
    passages = PassageSerializer(many=True)


class ArticleQuerySerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    """Filters and paging for a list of articles."""

    state = OneOfField(choices=State.choices, required=False)
    audience = OneOfField(choices=Audience.choices, required=False)
    locale = LocaleField(required=False)
    external_id = TextField(required=False)
    collection = serializers.UUIDField(required=False)
    cursor = TextField(
        required=False, allow_blank=True, trim_whitespace=False, help_text="The cursor in `next` of the previous page."
    )
    limit = serializers.IntegerField(required=False, min_value=1)

    def filters(self) -> dict[str, Any]:
        return {name: value for name, value in self.validated_data.items() if name not in ("cursor", "limit")}


class SearchQuerySerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    q = TextField(max_length=4_000, help_text="The question or words to search for.")
    limit = serializers.IntegerField(min_value=1, max_value=50, default=8)
    locale = LocaleField(required=False, help_text="Articles in this language come first.")
    mode = OneOfField(choices=["hybrid", "lexical", "vector"], default="hybrid")
    surface = OneOfField(
        choices=[str(one) for one in (Surface.ASSISTANT, Surface.HELP_PAGES, Surface.ALL)],
        default=str(Surface.ASSISTANT),
        help_text="Which articles to search: those for the assistant, those on the help pages, or all that are live.",
    )
