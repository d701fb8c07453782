"""The frame of the help centre's pages: the workspace of the address, the language, the branding and the chat."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, get_language_info, override
from django.utils.translation.trans_real import parse_accept_lang_header

from kb.access import Surface, Viewer
from kb.errors import ArticleMissing
from kb.help_centre.article_lists import help_locales
from supportbot.accounts.business_hours import hours_of
from supportbot.accounts.logos import logo_path, logo_url
from supportbot.accounts.models import Channel, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.content_security_policy import POLICY, socket_origin
from supportbot.language.detection import base_language
from supportbot.translation import language_of

PUBLIC = Viewer(surface=Surface.HELP_PAGES)


@dataclass(frozen=True, slots=True)
class Language:
    """One entry of the language menu: its code, and its own name."""

    code: str
    name: str


def available_languages(locales: Iterable[str]) -> list[Language]:
    """Return the languages of these locales, sorted by name. `de` covers `de-at`."""
    codes = {base_language(locale) for locale in locales}
    return sorted((Language(code, own_name(code)) for code in codes), key=lambda one: one.name.casefold())


def choose_language(request: HttpRequest, languages: Sequence[Language], fallback: str) -> str:
    """Return the first available language: `?lang=`, then one of the browser's languages, then the fallback."""
    known = [one.code for one in languages]
    accepted = [code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    for wanted in (request.GET.get("lang", ""), *accepted, fallback):
        if base_language(wanted) in known:
            return base_language(wanted)
    return known[0] if known else base_language(fallback)


def own_name(code: str) -> str:
    """Return a language's own name, or its code if that is unknown."""
    try:
        name: str = get_language_info(code)["name_local"]
    except KeyError:
        return code.upper()
    return name[:1].upper() + name[1:]


@dataclass(frozen=True, slots=True)
class Place:
    """The context of a page: the workspace, the language, and the available languages."""

    workspace: Workspace
    language: str
    languages: Sequence[Language]
    channel: Channel | None = None  # the channel whose chat the pages show


P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Place, P], HttpResponse]


def in_workspace(page: Page[P]) -> Callable[..., HttpResponse]:
    """Run a page's view in the workspace of its address, with a friendly 404 for a missing or non-public article."""

    @wraps(page)
    def scoped(request: HttpRequest, workspace: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        found = Workspace.objects.filter(slug=workspace).first()
        if found is None:
            return show(request, None, "kb/not_found.html", {}, status=404)
        with workspace_scope(found.pk):
            place = _place(request, found)
            try:
                return page(request, place, *args, **kwargs)
            except ArticleMissing:
                return show(request, place, "kb/not_found.html", {}, status=404)

    return scoped


def _place(request: HttpRequest, workspace: Workspace) -> Place:
    languages = available_languages(help_locales(PUBLIC))
    channel = Channel.objects.filter(is_live=True).order_by("created_at", "pk").first()
    return Place(workspace, choose_language(request, languages, workspace.locale), languages, channel)


def show(
    request: HttpRequest, place: Place | None, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    """Render a page in the language of its place or, if it has none, in the browser's."""
    language = place.language if place else get_language() or "en"
    around = {"reading": language, "languages": (), **(_around(place) if place else {})}
    with override(language_of(language)):
        answer = render(request, template, {**context, **around}, status=status)
    answer.headers["Content-Language"] = language
    if place and place.channel:
        # Not every browser treats a socket on the same host as 'self'.
        answer.headers["Content-Security-Policy"] = f"{POLICY}; connect-src 'self' {socket_origin(request)}"
    return answer


def _around(place: Place) -> dict[str, object]:
    """Return the content that every page of a workspace shows: branding, languages and chat."""
    workspace, logo = place.workspace, logo_path(place.workspace)
    hours = hours_of(place.channel.hours) if place.channel else None
    return {
        "workspace": workspace,
        "languages": place.languages,
        "channel": place.channel,
        "hours": hours.in_words(language_of(place.language), workspace.zone) if hours else "",
        "logo": logo,
        "logo_url": logo_url(workspace),
        "home_url": f"{settings.BASE_URL}{reverse('help', args=[workspace.slug])}",
    }
