"""The editor: the article's text on one side, what customers see on the other.

It works as a plain form. The script adds the live preview, keeps unsaved text in the browser, and shows when search
finds a published article (`script_views`).
"""

from dataclasses import replace
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from kb.access import check_may_write
from kb.autosave import forget
from kb.collections import collection_with_id, default_collection
from kb.errors import CollectionMissing
from kb.models import Article, Audience, Collection
from kb.phrasings import answered_elsewhere, check_phrasings, phrasings_of, set_phrasings
from kb.reviews import ReviewSettings, set_care
from kb.selectors import article_with_id
from kb.services import Change, archive, create_article, lock_unchanged, publish, save_draft
from kb.validation import SWITCHES
from supportbot.console.articles.editor import help_page_fields, plan_fields, review_fields
from supportbot.console.articles.editor.autosave import FIELDS, based_on
from supportbot.console.articles.editor.gate_verdicts import Terms, asked, publishes, reasons_in, settle_terms, terms_of
from supportbot.console.articles.editor.newer_values import keep_newer_values
from supportbot.console.articles.editor.page_context import EditorValues, page, refused, stored
from supportbot.console.articles.gate_check import ARCHIVED_AGAINST_GATES, OVERRIDE_FIELD, settle
from supportbot.console.articles.publication_messages import show_published
from supportbot.console.request_context import needs, person_of
from supportbot.errors import InvalidInput, SupportBotError
from supportbot.evals.articles.article_gates import archiving
from supportbot.evals.articles.draft_checks import begin
from supportbot.evals.articles.publication_comparison import compare_publication


def new_article(request: HttpRequest) -> HttpResponse:
    """Show the editor for a new article. Nothing is stored until it is saved."""
    needs(request, "kb:write")
    if request.method != "POST":
        given = {"audience": str(Audience.PUBLIC), "title": request.GET.get("title", "")[:300]}
        values = dict.fromkeys(FIELDS, "") | dict.fromkeys(SWITCHES, "on") | given
        return page(request, None, EditorValues(values, {}))
    external_id, author = request.POST.get("external_id", "").strip(), person_of(request)
    try:
        change = _change(request)
        check_may_write(author, change.collection or default_collection())
        times = plan_fields.wanted(request, is_published=publishes(request))
        care, phrasings = review_fields.wanted(request), _phrasings(request)
        address = help_page_fields.wanted(request, None)
        terms = terms_of(request, None, change, times, phrasings)
        with transaction.atomic():
            saved = create_article(change, external_id=external_id, author=author)
            if phrasings is not None:
                set_phrasings(saved, phrasings)
            help_page_fields.settle(saved, address)
            return _done(request, saved, terms, times, care)
    except SupportBotError as refusal:
        return page(request, None, refused(request, refusal))


def edit_article(request: HttpRequest, article_id: UUID) -> HttpResponse:
    """Show an article for editing. Saving creates a draft, which customers see once it is published."""
    needs(request, "kb:read")
    article = article_with_id(article_id)
    if request.method != "POST":
        return page(request, article, stored(article))
    needs(request, "kb:write")
    check_may_write(person_of(request), article.collection)
    if request.POST.get("do") == "archive":
        return _archived(request, article)
    try:
        keep_newer_values(request, stored(article).values)
        change, author = _change(request), person_of(request)
        check_may_write(author, change.collection)
        is_published, base = publishes(request), based_on(request)
        times = plan_fields.wanted(request, is_published=is_published)
        care, phrasings = review_fields.wanted(request), _phrasings(request)
        address = help_page_fields.wanted(request, article)
        terms = terms_of(request, article, change, times, phrasings)
        with transaction.atomic():  # publish exactly the saved text, not a colleague's version
            if terms:
                lock_unchanged(article)
            saved = save_draft(article.pk, change, author=author, based_on=base, is_published_at_once=is_published)
            if phrasings is not None:
                set_phrasings(saved, phrasings)
            help_page_fields.settle(saved, address)
            return _done(request, saved, terms, times, care)
    except SupportBotError as refusal:
        return page(request, article, refused(request, refusal))


def _archived(request: HttpRequest, article: Article) -> HttpResponse:
    try:
        passed = asked(request, archiving(article))
    except SupportBotError as refusal:
        typed = replace(refused(request, refusal), values=stored(article).values)
        return page(request, article, typed)
    with transaction.atomic():
        lock_unchanged(article)
        archive(article.pk)
        settle(request, passed, article.pk, event=ARCHIVED_AGAINST_GATES)
    messages.success(request, gettext("Archived. Customers can no longer find it. Its revisions are kept."))
    return redirect("admin:kb_article_change", article.pk)


def _phrasings(request: HttpRequest) -> tuple[str, ...] | None:
    """Return the questions in the form, or None if it lacks this field. Raises InvalidDocument."""
    if "phrasings" not in request.POST:
        return None
    return check_phrasings(request.POST["phrasings"], body=request.POST.get("body", ""))


def _done(
    request: HttpRequest, article: Article, terms: Terms, times: plan_fields.Wanted, care: ReviewSettings | None
) -> HttpResponse:
    for key in (article.pk, None) if not request.POST.get("based_on") else (article.pk,):
        forget(person_of(request), key)
    if care is not None:
        set_care(article, care, by=person_of(request))
    for other in answered_elsewhere(article, phrasings_of(article)):
        text = gettext("“{question}” is also answered by “{title}”. Remove it there or here.")
        messages.warning(request, text.format(question=other.text, title=other.article.title))
    plan_fields.set_plans(article, times, person=person_of(request), reasons=reasons_in(terms))
    settle_terms(request, terms, article)
    if publishes(request):
        publish(article.pk)
        compare_publication(article.pk, article)
        show_published(request, article, terms.get(OVERRIDE_FIELD))
    else:
        if article.is_live and article.live_revision_id == article.latest_revision_id:
            text = gettext("Saved. The text is unchanged.")
        elif article.is_live:
            text = gettext("Saved as a draft. Customers read the old text until you publish.")
        else:
            text = gettext("Saved as a draft. Customers cannot read it yet.")
        messages.success(request, text)
        if request.POST.get("do") == "check":
            begin(article)
            return redirect("admin:article-check", article.pk)
    return redirect("admin:kb_article_change", article.pk)


def _change(request: HttpRequest) -> Change:
    values = request.POST
    collection = _collection(values["collection"]) if values.get("collection") else None
    return Change(
        title=values.get("title", ""),
        body=values.get("body", ""),
        locale=values.get("locale") or None,
        audience=values.get("audience") or None,
        category=values.get("category", ""),
        url=values.get("url", ""),
        on_help_pages=_switched(request, "on_help_pages"),
        for_assistant=_switched(request, "for_assistant"),
        collection=collection,
    )


def _switched(request: HttpRequest, name: str) -> bool | None:
    """Return the state of a switch in the form, or None if the form lacks it."""
    return request.POST.get(name) == "on" if f"{name}-shown" in request.POST else None


def _collection(text: str) -> Collection:
    try:
        return collection_with_id(UUID(text))
    except (ValueError, CollectionMissing) as error:
        raise InvalidInput(fields={"collection": [gettext("Choose a collection from the list.")]}) from error
