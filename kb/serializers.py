"""What the REST API reads and shows of knowledge. Serializers parse and render; saving is the services' work."""

from typing import Any

from rest_framework import serializers

from kb.addresses import article_address
from kb.documents import MOST_EXTERNAL_ID_CHARACTERS
from kb.models import Article, Audience, Collection, Revision, State
from kb.selectors import collection_with_id
from kb.services import Change
from supportbot.web import ClosedSerializerMixin


class CollectionSerializer(serializers.ModelSerializer[Collection]):
    class Meta:
        model = Collection
        fields = ["id", "slug", "name", "created_at"]


class NewCollectionSerializer(ClosedSerializerMixin, serializers.Serializer[Collection]):
    name = serializers.CharField(max_length=120)


class RevisionSerializer(serializers.ModelSerializer[Revision]):
    class Meta:
        model = Revision
        fields = ["number", "title", "body", "author", "created_at"]


class ArticleSerializer(serializers.ModelSerializer[Article]):
    """An article in a list: its newest title and where it stands, without its text."""

    title = serializers.CharField(read_only=True)
    address = serializers.SerializerMethodField()
    live_revision = serializers.SerializerMethodField()
    latest_revision = serializers.SerializerMethodField()

    class Meta:
        model = Article
        fields = [
            "id", "external_id", "title", "collection", "locale", "audience", "category", "url", "address", "state",
            "live_revision", "latest_revision", "indexed_revision", "published_at", "created_at", "updated_at",
        ]  # fmt: skip

    def get_address(self, article: Article) -> str:
        return article_address(article)

    def get_live_revision(self, article: Article) -> int | None:
        return article.live_revision.number if article.live_revision else None

    def get_latest_revision(self, article: Article) -> int | None:
        return article.latest_revision.number if article.latest_revision else None


class ArticleDetailSerializer(ArticleSerializer):
    """One article with the text of its newest revision."""

    body = serializers.SerializerMethodField()

    class Meta(ArticleSerializer.Meta):
        fields = [*ArticleSerializer.Meta.fields, "body"]

    def get_body(self, article: Article) -> str:
        return article.latest_revision.body if article.latest_revision else ""


class _FactsSerializer(ClosedSerializerMixin, serializers.Serializer[Article]):
    """What an editor may say of an article beside its words."""

    locale = serializers.CharField(required=False)
    audience = serializers.ChoiceField(choices=Audience.choices, required=False)
    category = serializers.CharField(required=False, allow_blank=True)
    url = serializers.CharField(required=False, allow_blank=True)
    collection = serializers.UUIDField(required=False)

    def change(self) -> Change:
        """Return the checked fields as the services take them. Raises CollectionMissing."""
        data = {name: value for name, value in self.validated_data.items() if name not in ("based_on", "external_id")}
        collection = data.pop("collection", None)
        return Change(**data, collection=collection_with_id(collection) if collection else None)


class ArticleChangeSerializer(_FactsSerializer):
    """What shall be different; what is left out stays. `based_on` refuses the save if a newer revision exists."""

    title = serializers.CharField(trim_whitespace=False, required=False)
    body = serializers.CharField(trim_whitespace=False, required=False, help_text="Markdown")
    based_on = serializers.IntegerField(required=False, min_value=1)


class NewArticleSerializer(_FactsSerializer):
    """A new article; without `external_id` one is made of its title."""

    title = serializers.CharField(trim_whitespace=False)
    body = serializers.CharField(trim_whitespace=False, help_text="Markdown")
    external_id = serializers.CharField(required=False, max_length=MOST_EXTERNAL_ID_CHARACTERS)


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


class SearchResultSerializer(serializers.Serializer[Any]):
    query = serializers.CharField()
    took_ms = serializers.FloatField()
    confidence = serializers.FloatField()
    answerable = serializers.BooleanField(source="is_answerable")
    passages = PassageSerializer(many=True)


class ArticleQuerySerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    """What a list of articles may be narrowed by, and its paging."""

    state = serializers.ChoiceField(choices=State.choices, required=False)
    audience = serializers.ChoiceField(choices=Audience.choices, required=False)
    locale = serializers.CharField(required=False)
    external_id = serializers.CharField(required=False)
    collection = serializers.UUIDField(required=False)
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1)

    def filters(self) -> dict[str, Any]:
        return {name: value for name, value in self.validated_data.items() if name not in ("cursor", "limit")}


class SearchQuerySerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    q = serializers.CharField(max_length=4_000, help_text="The question or words to look for.")
    limit = serializers.IntegerField(min_value=1, max_value=50, default=8)
    locale = serializers.CharField(required=False, help_text="Articles in this language come first.")
    mode = serializers.ChoiceField(choices=["hybrid", "lexical", "vector"], default="hybrid")
