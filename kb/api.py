"""REST views of knowledge: articles with their revisions, collections, search."""

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from kb.access import Surface, Viewer, check_may_write
from kb.categories import category_with_id, change_category, delete_category, order_categories, save_category
from kb.collections import default_collection, get_or_create_collection
from kb.extra_fields import set_extra_fields
from kb.models import Article, Audience, Category, Collection, Revision, Synonyms
from kb.phrasings import check_phrasings, set_phrasings
from kb.scheduling import Step, drop_plan, make_plan
from kb.search import Retrieval, search
from kb.selectors import all_articles, article_with_id
from kb.serializers import (
    ArticleChangeSerializer,
    ArticleDetailSerializer,
    ArticleQuerySerializer,
    ArticleSerializer,
    CategoryChangeSerializer,
    CategoryListSerializer,
    CategoryOrderSerializer,
    CategorySerializer,
    CollectionSerializer,
    NewArticleSerializer,
    NewCategorySerializer,
    NewCollectionSerializer,
    NewPlanSerializer,
    NewSynonymsSerializer,
    PublishSerializer,
    RevisionSerializer,
    SearchQuerySerializer,
    SearchResultSerializer,
    SynonymsSerializer,
    TriedArticleSerializer,
)
from kb.services import (
    archive,
    create_article,
    lock_unchanged,
    publish,
    publish_through_gates,
    save_draft,
    try_change,
)
from kb.synonyms import add_synonyms, remove_synonyms
from supportbot.accounts.models import User
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.throttles import CallerThrottle
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.errors import NotFound
from supportbot.pagination import NewestFirstPagination
from supportbot.serializer_fields import EmptyInput

_STEP: Final = OpenApiParameter("step", str, OpenApiParameter.PATH, enum=Step.values)


class SearchThrottle(CallerThrottle):
    """A limit for searches, which cost more than other reads because the question must be embedded."""

    scope = "search"


class KnowledgeView(ScopedAPIView):
    """Reading needs the scope `kb:read`; everything else needs `kb:write`."""

    def get_permissions(self) -> list[BasePermission]:
        return [needs("kb:read" if self.request.method in ("GET", "HEAD", "OPTIONS") else "kb:write")()]


class ArticleList(KnowledgeView, ListAPIView[Article]):
    """The workspace's articles in every state, newest first."""

    serializer_class = ArticleSerializer
    pagination_class = NewestFirstPagination
    filters = None

    def get_queryset(self) -> QuerySet[Article]:
        query = ArticleQuerySerializer(data=self.request.query_params.dict())
        query.is_valid(raise_exception=True)
        return all_articles().filter(**query.filters())

    @extend_schema(parameters=[ArticleQuerySerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=NewArticleSerializer, responses={201: ArticleDetailSerializer})
    def post(self, request: Request) -> Response:
        """Create an article. It stays a draft until it is published."""
        data = NewArticleSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        external_id, change = data.validated_data.get("external_id", ""), data.change()
        check_may_write(_author(request), change.collection or default_collection())
        phrasings = _phrasings(data.validated_data)
        with transaction.atomic():
            article = create_article(change, external_id=external_id, author=_author(request))
            set_phrasings(article, phrasings or ())
            set_extra_fields(article, data.validated_data, by=_author(request))
        return Response(_shown(article.pk), status=201)


class ArticleDetail(KnowledgeView):
    """One article with the text of its newest revision."""

    @extend_schema(responses=ArticleDetailSerializer)
    def get(self, request: Request, article_id: UUID) -> Response:
        return Response(_shown(article_id))

    @extend_schema(request=ArticleChangeSerializer, responses=TriedArticleSerializer)
    def patch(self, request: Request, article_id: UUID) -> Response:
        """Save a new text as the next revision, which stays unpublished; other fields take effect immediately.

        With `gate`, a change of a live article's readers, language or `phrasings` is refused (409 `gate_refused`) if a
        gate case that must pass would fail with it. Without `gate`, the change is saved and then checked: see the
        article checks.
        """
        data = ArticleChangeSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        based_on, change, asks = data.validated_data.get("based_on"), data.change(), data.validated_data["gate"]
        article = article_with_id(article_id)
        check_may_write(_author(request), article.collection, change.collection)
        phrasings = _phrasings(data.validated_data, article)
        untried = try_change(article, change, phrasings).untried if asks else 0
        with transaction.atomic():
            if asks:
                lock_unchanged(article)
            saved = save_draft(article_id, change, author=_author(request), based_on=based_on)
            if phrasings is not None:
                set_phrasings(saved, phrasings)
            set_extra_fields(saved, data.validated_data, by=_author(request))
        return Response(_tried(article_id, untried))


class Publish(KnowledgeView):
    @extend_schema(request=PublishSerializer, responses=TriedArticleSerializer)
    def post(self, request: Request, article_id: UUID) -> Response:
        """Publish the newest revision. Full-text search finds it immediately, search by meaning soon after.

        With `gate`, publishing is refused if a gate case that must pass would fail (409 `gate_refused`), or if the
        article was changed in the meantime (409 `article_changed`). Without `gate`, the article is published and then
        checked: see the article checks.
        """
        article = article_with_id(article_id)
        check_may_write(_author(request), article.collection)
        serializer = PublishSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        untried = 0
        if serializer.validated_data["gate"]:
            untried = publish_through_gates(article).untried
        else:
            publish(article_id)
        return Response(_tried(article_id, untried))


class Archive(KnowledgeView):
    @extend_schema(request=EmptyInput, responses=ArticleDetailSerializer)
    def post(self, request: Request, article_id: UUID) -> Response:
        """Archive the article: nobody can read it any more, but its revisions are kept."""
        check_may_write(_author(request), article_with_id(article_id).collection)
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        archive(article_id)
        return Response(_shown(article_id))


class Planned(KnowledgeView):
    """An article's publication or archiving at a set time."""

    @extend_schema(request=NewPlanSerializer, responses=ArticleDetailSerializer, parameters=[_STEP])
    def put(self, request: Request, article_id: UUID, step: str) -> Response:
        """Schedule a step (publication or archiving) for the newest revision; this replaces any earlier schedule for
        the step.

        The gates run when the step is due. If they refuse it, if a newer revision was saved in the meantime, or if the
        API key is no longer allowed to write articles, nothing changes and the schedule's `problem` says why.
        """
        check_may_write(_author(request), article_with_id(article_id).collection)
        data = NewPlanSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        key_id = cast(Staff, request.auth).key_id
        make_plan(article_id, _step(step), data.validated_data["at"], person=_author(request), key_id=key_id)
        return Response(_shown(article_id))

    @extend_schema(request=None, responses={204: None}, parameters=[_STEP])
    def delete(self, request: Request, article_id: UUID, step: str) -> Response:
        """Delete the schedule for a step; if there is none, nothing changes."""
        check_may_write(_author(request), article_with_id(article_id).collection)
        drop_plan(article_id, _step(step))
        return Response(status=204)


class RevisionList(KnowledgeView, ListAPIView[Revision]):
    """An article's revisions with their texts, newest first."""

    serializer_class = RevisionSerializer
    pagination_class = NewestFirstPagination

    def get_queryset(self) -> QuerySet[Revision]:
        if getattr(self, "swagger_fake_view", False):  # the schema is generated without a request
            return Revision._base_manager.none()
        return Revision.objects.filter(article=article_with_id(self.kwargs["article_id"]))


class CollectionList(KnowledgeView, ListAPIView[Collection]):
    """The workspace's collections, newest first."""

    serializer_class = CollectionSerializer
    pagination_class = NewestFirstPagination

    def get_queryset(self) -> QuerySet[Collection]:
        return Collection.objects.all()

    @extend_schema(request=NewCollectionSerializer, responses={200: CollectionSerializer, 201: CollectionSerializer})
    def post(self, request: Request) -> Response:
        """Create a collection (201), or return the existing one with that name (200)."""
        data = NewCollectionSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        collection, is_new = get_or_create_collection(data.validated_data["name"])
        return Response(CollectionSerializer(collection).data, status=201 if is_new else 200)


class CategoryList(KnowledgeView):
    @extend_schema(operation_id="categories_list", responses=CategoryListSerializer)
    def get(self, request: Request) -> Response:
        """The categories of the help pages, in their order; at most 200."""
        return Response(_categories())

    @extend_schema(request=NewCategorySerializer, responses={201: CategorySerializer})
    def post(self, request: Request) -> Response:
        """Create a category. Saving an article with an unknown category also creates the category."""
        data = NewCategorySerializer(data=request.data)
        data.is_valid(raise_exception=True)
        row = Category(**data.validated_data)
        save_category(row)
        return Response(CategorySerializer(row).data, status=201)


class CategoryDetail(KnowledgeView):
    @extend_schema(responses=CategorySerializer)
    def get(self, request: Request, category_id: UUID) -> Response:
        """One category."""
        return Response(CategorySerializer(category_with_id(category_id)).data)

    @extend_schema(request=CategoryChangeSerializer, responses=CategorySerializer)
    def patch(self, request: Request, category_id: UUID) -> Response:
        """Change a category. If it is renamed, its articles stay in it, and its former name still leads to it."""
        data = CategoryChangeSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        return Response(CategorySerializer(change_category(category_id, **data.validated_data)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, category_id: UUID) -> Response:
        """Delete a category that no article is in (otherwise 409 `category_in_use`)."""
        delete_category(category_id)
        return Response(status=204)


class CategoryOrder(KnowledgeView):
    @extend_schema(request=CategoryOrderSerializer, responses=CategoryListSerializer)
    def put(self, request: Request) -> Response:
        """Put the categories of the help pages in a different order."""
        data = CategoryOrderSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        order_categories(data.validated_data["order"])
        return Response(_categories())


class Search(KnowledgeView):
    throttle_classes = [SearchThrottle]
    filters = None

    @extend_schema(parameters=[SearchQuerySerializer], responses=SearchResultSerializer)
    def get(self, request: Request) -> Response:
        """Find passages that may answer a question, best first. Only the order of the scores is meaningful."""
        query = SearchQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        filters = query.validated_data
        viewer = Viewer(Audience.INTERNAL, filters.get("locale"), Surface(filters["surface"]))
        found = search(filters["q"], viewer=viewer, limit=filters["limit"], mode=filters["mode"])
        return Response(SearchResultSerializer({"query": filters["q"], **_fields(found)}).data)


def _categories() -> Any:
    return CategoryListSerializer({"results": Category.objects.all(), "next": None}).data


def _fields(found: Retrieval) -> dict[str, Any]:
    names = ("took_ms", "confidence", "is_answerable", "passages")
    return {name: getattr(found, name) for name in names}


def _shown(article_id: UUID) -> Any:
    return ArticleDetailSerializer(article_with_id(article_id)).data


def _tried(article_id: UUID, untried: int) -> Any:
    return _shown(article_id) | {"untried": untried, "comparison": f"/api/v1/articles/{article_id}/comparison"}


def _phrasings(data: Mapping[str, Any], article: Article | None = None) -> tuple[str, ...] | None:
    """Return the phrasings in the input; None if it has no such field. Raises InvalidDocument."""
    if "phrasings" not in data:
        return None
    stored = article.latest_revision.body if article and article.latest_revision else ""
    return check_phrasings("\n".join(data["phrasings"]), body=data.get("body", stored))


def _step(name: str) -> Step:
    """Return the step with this name from the URL. Raises NotFound."""
    try:
        return Step(name)
    except ValueError as error:
        raise NotFound from error


def _author(request: Request) -> User | None:
    return request.user if request.user.is_authenticated else None


class SynonymsList(KnowledgeView, ListAPIView[Synonyms]):
    """The workspace's synonyms, newest first: search treats the words of a group as the same."""

    serializer_class = SynonymsSerializer
    pagination_class = NewestFirstPagination

    def get_queryset(self) -> QuerySet[Synonyms]:
        return Synonyms.objects.all()

    @extend_schema(request=NewSynonymsSerializer, responses={201: SynonymsSerializer})
    def post(self, request: Request) -> Response:
        """Add a group of 2 to 10 words or phrases."""
        data = NewSynonymsSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        return Response(SynonymsSerializer(add_synonyms(data.validated_data["words"])).data, status=201)


class SynonymsDetail(KnowledgeView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, group_id: UUID) -> Response:
        """Remove a group."""
        remove_synonyms(group_id)
        return Response(status=204)


urls = [
    path("articles", ArticleList.as_view()),
    path("articles/<uuid:article_id>", ArticleDetail.as_view()),
    path("articles/<uuid:article_id>/publish", Publish.as_view()),
    path("articles/<uuid:article_id>/archive", Archive.as_view()),
    path("articles/<uuid:article_id>/plans/<str:step>", Planned.as_view()),
    path("articles/<uuid:article_id>/revisions", RevisionList.as_view()),
    path("collections", CollectionList.as_view()),
    path("categories", CategoryList.as_view()),
    path("categories/order", CategoryOrder.as_view()),
    path("categories/<uuid:category_id>", CategoryDetail.as_view()),
    path("synonyms", SynonymsList.as_view()),
    path("synonyms/<uuid:group_id>", SynonymsDetail.as_view()),
    path("search", Search.as_view()),
]
