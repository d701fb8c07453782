"""The first steps of a workspace. The console's start page shows them until they are done or hidden.

Invariant: progress is read from rows, never stored. Only decisions to skip a step or to hide the list are stored
(`Workspace.first_steps`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from kb.models import Article, State
from supportbot.accounts.logos import logo_of
from supportbot.accounts.models import Channel, Membership, Workspace
from supportbot.accounts.principals import Staff
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, workspace_here
from supportbot.errors import InvalidInput
from supportbot.llm.call_settings import is_remote_configured
from supportbot.llm.models import LLMCall, ModelConnection
from supportbot.releases.selectors import live_release
from supportbot.team_formats import number

RIGHT: Final = "team:write"  # only admins have this right, and the steps need all the rights of an admin
HIDDEN: Final = "hidden"
QUESTIONS: Final = 3


@dataclass(frozen=True, slots=True)
class Link:
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the task, its links and its progress. A team can skip it if it has `skip_words`."""

    key: str
    title: str
    about: str
    links: tuple[Link, ...]
    is_done: bool
    is_skipped: bool = False
    skip_words: str = ""

    @property
    def is_over(self) -> bool:
        return self.is_done or self.is_skipped


@dataclass(frozen=True, slots=True)
class Checklist:
    steps: tuple[Step, ...]

    @property
    def done(self) -> int:
        return sum(step.is_over for step in self.steps)

    @property
    def next_key(self) -> str:
        return next((step.key for step in self.steps if not step.is_over), "")


def checklist(person: Staff, workspace: Workspace) -> Checklist | None:
    """Return the steps for an admin. Return None for others, once all steps are done, and once the list is hidden."""
    if not may(person, RIGHT) or HIDDEN in workspace.first_steps:
        return None
    steps = tuple(step(workspace) for step in STEPS.values())
    return None if all(step.is_over for step in steps) else Checklist(steps)


@require_POST
def decide(request: HttpRequest) -> HttpResponse:
    """Store a decision to skip a step or to hide the list."""
    needs(request, RIGHT)
    workspace, key = workspace_here(request), request.POST.get("step", "")
    if key not in {*SKIPPABLE, HIDDEN}:
        raise InvalidInput()
    workspace.first_steps = sorted({*workspace.first_steps, key})
    workspace.save(update_fields=["first_steps"])
    return redirect("admin:index")


def _brand(workspace: Workspace) -> Step:
    page = reverse("admin:accounts_workspace_change", args=[workspace.pk])
    return Step(
        "brand",
        gettext("Set up your branding"),
        gettext("Name, language, time zone, logo and colour of your help pages and chat."),
        (Link(gettext("Choose a logo and colour"), page),),
        is_done=bool(workspace.accent) or logo_of(workspace) is not None,
        is_skipped="brand" in workspace.first_steps,
        skip_words=gettext("Keep the default look"),
    )


def _knowledge(workspace: Workspace) -> Step:
    live = Article.objects.filter(state=State.LIVE).count()
    about = gettext("Answers come only from articles: from your website, from files, or written here.")
    if live:
        about = gettext("Live articles: {count}.").format(count=number(live))
    links = [Link(gettext("Upload files"), reverse("admin:import")), Link(gettext("Write"), _address(WRITE))]
    if page := _address(*SITES):
        typed = f"?{urlencode({'address': workspace.site_url})}" if workspace.site_url else ""
        links.insert(0, Link(gettext("Enter your site's address"), f"{page}{typed}"))
    return Step("knowledge", gettext("Add your articles"), about, tuple(links), is_done=live > 0)


def _questions(workspace: Workspace) -> Step:
    count = LLMCall.objects.filter(purpose="answer").exclude(outcome=LLMCall.Outcome.SKIPPED)[:QUESTIONS].count()
    about = gettext("Ask as your customers would. Asked so far: {count} of {wanted}.")
    return Step(
        "questions",
        gettext("Ask the assistant three questions"),
        about.format(count=number(count), wanted=number(QUESTIONS)),
        (Link(gettext("Ask a question"), reverse("admin:ask")),),
        is_done=count >= QUESTIONS,
    )


def _model(workspace: Workspace) -> Step:
    about = gettext(
        "Without a model, answers are quoted word for word from your articles. With a model, they are written for the "
        "question."
    )
    is_used = is_remote_configured() or _answers_with_own_model()
    if not is_used and ModelConnection.objects.exists():
        about = gettext(
            "A model is saved but not in use. Choose it for answers in a new draft, then publish the draft."
        )
    return Step(
        "model",
        gettext("Connect a model, or continue without one"),
        about,
        (Link(gettext("Connect a model"), reverse("admin:llm_modelconnection_changelist")),),
        is_done=is_used,
        is_skipped="model" in workspace.first_steps,
        skip_words=gettext("Continue without a model"),
    )


def _answers_with_own_model() -> bool:
    own = {str(pk) for pk in ModelConnection.objects.values_list("pk", flat=True)}
    return not own.isdisjoint(live_release().contents.routes.get("answer", ()))


def _channel(workspace: Workspace) -> Step:
    channel = Channel.objects.order_by("created_at").first()
    page = _channel_page(channel)
    words = gettext("Change the chat") if channel else gettext("Design the chat")
    return Step(
        "channel",
        gettext("Design the chat"),
        gettext("Colours, position, greeting and suggested questions, with a preview."),
        (Link(words, page),),
        is_done=channel is not None,
    )


def _tag(workspace: Workspace) -> Step:
    seen = Channel.objects.exclude(seen_at=None).order_by("seen_at").first()
    channel = seen or Channel.objects.order_by("created_at").first()
    about = gettext(
        "Paste one line into your pages. This step turns green when someone opens a page that contains the line."
    )
    if seen:
        about = gettext("Installed: seen on {origin}.").format(origin=seen.seen_origin)
    elif channel and channel.refused_origin:
        about = gettext(
            "Seen on {origin}, which this channel does not allow. Add this page to the channel's allowed pages only if "
            "it is yours."
        )
        about = about.format(origin=channel.refused_origin)
    page = _channel_page(channel)
    links = (Link(gettext("Copy the tag"), f"{page}#h-snippet"),) if channel else ()
    if channel and not seen and channel.refused_origin:
        links = (Link(gettext("Change the allowed pages"), f"{page}#id_allowed_origins"), *links)
    return Step("tag", gettext("Put the chat on your site"), about, links, is_done=seen is not None)


def _team(workspace: Workspace) -> Step:
    return Step(
        "team",
        gettext("Invite your team"),
        gettext("Editors write articles, agents answer customers, and supervisors approve requests."),
        (Link(gettext("Invite a colleague"), reverse("admin:accounts_membership_add")),),
        is_done=Membership.objects.filter(workspace=workspace).count() > 1,
        is_skipped="team" in workspace.first_steps,
        skip_words=gettext("I work alone"),
    )


def _channel_page(channel: Channel | None) -> str:
    if channel is None:
        return reverse("admin:accounts_channel_add")
    return reverse("admin:accounts_channel_change", args=[channel.pk])


def _address(*names: str) -> str:
    """Return the address of the first of these pages that exists, or "" if none does."""
    for name in names:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""


WRITE: Final = "admin:kb_article_add"
SITES: Final = ("admin:kb_source_add", "admin:source-add")
STEPS: Final[dict[str, Callable[[Workspace], Step]]] = {
    "brand": _brand,
    "knowledge": _knowledge,
    "questions": _questions,
    "model": _model,
    "channel": _channel,
    "tag": _tag,
    "team": _team,
}
SKIPPABLE: Final = ("brand", "model", "team")
