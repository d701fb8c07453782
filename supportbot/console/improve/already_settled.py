"""The response of an *Improve* page to a POST about something that is no longer listed. Typed text is kept."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from kb.models import Article
from supportbot.console.improve.edit import to_list, typed, unchecked
from supportbot.console.improve.listing import KINDS
from supportbot.console.request_context import needs
from supportbot.errors import SupportBotError
from supportbot.insights.improve.services import Edit


def settled(request: HttpRequest, kind: str) -> HttpResponse:
    """Show the typed text, which was not published. If there is none, or it is already live, redirect to the list."""
    needs(request, "kb:write")
    edit = _typed(request)
    if edit is None or _is_live(edit):
        messages.info(request, gettext("This has been dealt with already."))
        return to_list(kind)
    article = Article.objects.filter(pk=edit.article_id).first() if edit.article_id else None
    context = {
        **admin.site.each_context(request),
        "title": gettext("Dealt with in the meantime"),
        "kind": kind,
        "kind_label": gettext(KINDS[kind][0]),
        "edit": edit,
        "article": article,
    }
    return render(request, "console/improve/settled.html", context, status=409)


def _is_live(edit: Edit) -> bool:
    if "\x00" in edit.title + edit.body:  # no stored text contains a NUL, and PostgreSQL refuses it in queries
        return False
    return Article.objects.filter(live_revision__title=edit.title, live_revision__body=edit.body).exists()


def _typed(request: HttpRequest) -> Edit | None:
    try:
        return typed(request) if "body" in request.POST else None
    except SupportBotError:  # keep even text that could not be published
        return unchecked(request)
