"""The pages for the search model, below Models: its connections and their tests, choosing a model, and building the
index.

One index serves all workspaces, so these pages are for operators of the installation, not for workspace admins.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.audit import actor_of
from kb.errors import EmbeddingUnavailable, IndexNotBuilt, RecipeMismatch
from kb.indexing.model_switch import UNEXPECTED, progress_of
from kb.indexing.recipes import active_recipe
from kb.indexing.reindex import switch_under_way
from kb.ports import embedder, packaged_embedder
from kb.search.confidence import shipped_calibration
from supportbot.accounts.models import User
from supportbot.console.base import report_kept
from supportbot.console.display import error_text
from supportbot.console.fields import PriceField
from supportbot.console.llm_test_failures import problem_of
from supportbot.console.request_context import needs, person_of
from supportbot.errors import InvalidInput, NotAllowed, NotFound, SupportBotError
from supportbot.llm.embeddings import connections as embedding_connections
from supportbot.llm.embeddings import routes as embedding_routes
from supportbot.llm.embeddings.connection_check import MOST_DIMENSIONS, Measured, measure
from supportbot.llm.errors import BudgetExceeded, DeadlineExceeded, ModelUnavailable
from supportbot.llm.models import EmbeddingConnection
from supportbot.team_formats import percentage
from supportbot.values_saved_meanwhile import KeepsNewerValues

RIGHT: Final = "connections:write"
_WHY_WAITING: Final = {
    EmbeddingUnavailable.code: gettext_noop("The model is not responding."),
    ModelUnavailable.code: gettext_noop("None of the model's servers are responding."),
    DeadlineExceeded.code: gettext_noop("The model takes too long to respond."),
    BudgetExceeded.code: gettext_noop("A workspace's budget for today is used up."),
    IndexNotBuilt.code: gettext_noop(
        "The worker is not allowed to build the vector index. Run `manage.py kb_reindex` with DATABASE_OWNER_URL."
    ),
    UNEXPECTED: gettext_noop("An unexpected error stopped the build. See the worker's log for details."),
    RecipeMismatch.code: gettext_noop("KB_EMBEDDER has been changed. Cancel the build, then choose a model again."),
}


class ConnectionForm(KeepsNewerValues, forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    key = forms.CharField(
        required=False,
        max_length=4_000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        label=_("Key"),
        help_text=_("The key is encrypted and never shown again. Leave empty to keep it, or if the server needs none."),
    )

    class Meta:
        model = EmbeddingConnection
        fields = ["name", "base_url", "key", "model", "input_price"]
        field_classes = {"input_price": PriceField}
        labels = {
            "name": _("Name"),
            "base_url": _("Address"),
            "model": _("Model"),
            "input_price": _("Input price"),
        }
        help_texts = {
            "base_url": _("The base URL of an OpenAI-compatible server, such as https://models.example.com/v1."),
            "model": _("The name that the server uses for the model."),
            "input_price": _("Per million tokens. Without prices, costs are unknown and no budget applies."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            self.fields["key"].help_text = gettext(
                "The key is encrypted and never shown again. Leave empty if the server needs none."
            )

    def note(self, refusal: InvalidInput) -> None:
        for name, texts in refusal.fields.items():
            self.add_error(name, texts)


class ChoiceForm(KeepsNewerValues, forms.Form):
    """The servers for search, first choice first. The models that come with the product need no fallback."""

    first = forms.ChoiceField(label=_("Model for search"))
    second = forms.ChoiceField(required=False, label=_("First fallback"))
    third = forms.ChoiceField(required=False, label=_("Second fallback"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = embedding_connections.listed()
        servers = [(str(row.pk), f"{row} ({row.model})") for row in rows]
        # As a first choice, the environment's server is already listed as "Environment variables", so that choosing it
        # without a fallback keeps its index.
        apart = [str(row.pk) for row in rows if row.is_environment and _is_configured_server()]
        self._field("first").choices = [*_shipped(), *(one for one in servers if one[0] not in apart)]
        for name in ("second", "third"):
            self._field(name).choices = [("", gettext("none")), *servers]

    def _field(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        return field

    def choose(self, actor: str) -> bool:
        """Apply the choice; return whether an index has to be built for it. Raises SupportBotError."""
        first, *others = (self.cleaned_data[name] for name in ("first", "second", "third"))
        if first == embedding_routes.CONFIGURED and any(others) and _is_configured_server():
            row = embedding_connections.of_environment()
            first = str(row.pk) if row else first
        if first in dict(_shipped()):
            return embedding_routes.choose_shipped(first, actor=actor) is not None
        return embedding_routes.choose([UUID(one) for one in (first, *others) if one], actor=actor) is not None


def operator(request: HttpRequest) -> User:
    """Return an operator's account. Raises NotAllowed for everyone else, including workspace admins."""
    needs(request, RIGHT)
    if not is_operator(request):
        raise NotAllowed(gettext("Only operators of this installation can change the search model."))
    return person_of(request)


def is_operator(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def page(request: HttpRequest) -> HttpResponse:
    """Show the current search model and those available. A POST chooses a model."""
    actor = actor_of(operator(request))
    form = ChoiceForm(request.POST if request.method == "POST" else None, initial=_current())
    if request.method == "POST" and form.is_valid():
        try:
            has_to_build = form.choose(actor)
        except SupportBotError as refusal:
            form.add_error(None, error_text(refusal))
        else:
            report_kept(request, form)
            text = gettext("A worker is building the index. Until it is complete, search uses the old one.")
            messages.success(request, text if has_to_build else gettext("Saved. Search uses this model from now on."))
            return redirect("admin:search-model")
    context = {**_base(gettext("Search by meaning"), request), "form": form, **state(request), "rows": _rows()}
    return render(request, "console/models/search.html", context, status=400 if form.errors else 200)


def state(request: HttpRequest) -> dict[str, Any]:
    """Return what pages show about the search model: which one is in use, and the progress of a new index.

    Only operators see the names of servers, the reason for a delay, and figures for all workspaces.
    """
    recipe, switch = active_recipe(), switch_under_way()
    context: dict[str, Any] = {"in_use": recipe}
    if switch is not None:
        progress = progress_of(switch)
        context |= {"switch": switch, "share": percentage(progress.done / progress.total if progress.total else 0.0)}
    if not is_operator(request):
        return context
    context["servers"] = [server.name for server in embedding_routes.servers_of(recipe.name)]
    context["is_calibrated"] = bool(recipe.calibration or shipped_calibration(recipe.name))
    if switch is not None:
        why = _WHY_WAITING.get(switch.problem, _WHY_WAITING[EmbeddingUnavailable.code]) if switch.problem else ""
        context |= {"progress": progress, "waiting": gettext(why) if why else ""}
    return context


def cancel(request: HttpRequest) -> HttpResponse:
    if embedding_routes.cancel(actor=actor_of(operator(request))):
        messages.success(request, gettext("Cancelled. Search continues with the old model."))
    return redirect("admin:search-model")


def connection(request: HttpRequest, connection_id: UUID | None = None) -> HttpResponse:
    """Show a connection. A POST stores it."""
    actor = actor_of(operator(request))
    row = None if connection_id is None else embedding_connections.connection_with_id(connection_id)
    if row is not None and row.is_environment:
        raise NotFound()
    form = ConnectionForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            saved = embedding_connections.save(values, key=str(values["key"]), actor=actor, connection_id=connection_id)
        except InvalidInput as refusal:
            form.note(refusal)
        else:
            report_kept(request, form)
            messages.success(request, gettext("Saved: {name}. Test it, then choose it.").format(name=saved.name))
            return redirect("admin:search-model-connection", saved.pk)
    title = gettext("New connection") if row is None else embedding_connections.connection_with_id(row.pk).name
    context = {**_base(title, request), "form": form, "row": row}
    return render(request, "console/models/search_connection.html", context, status=400 if form.errors else 200)


def test(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    operator(request)
    row = embedding_connections.connection_with_id(connection_id)
    found = measure(row.pk)
    title = gettext("Test of %s") % row
    context = {**_base(title, request), "row": row, "found": found, "problem": _problem(found)}
    return render(request, "console/models/search_test.html", context)


def delete(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    embedding_connections.remove(connection_id, actor=actor_of(operator(request)))
    messages.success(request, gettext("The connection was deleted."))
    return redirect("admin:search-model")


def addresses(guarded: Callable[[Any], Any]) -> list[URLPattern]:
    """Return the URL patterns of the pages. `guarded` lets in only people with access to the console."""
    return [
        path("search/", guarded(page), name="search-model"),
        path("search/cancel/", guarded(require_POST(cancel)), name="search-model-cancel"),
        path("search/new/", guarded(connection), name="search-model-new"),
        path("search/<uuid:connection_id>/", guarded(connection), name="search-model-connection"),
        path("search/<uuid:connection_id>/test/", guarded(require_POST(test)), name="search-model-test"),
        path("search/<uuid:connection_id>/delete/", guarded(require_POST(delete)), name="search-model-delete"),
    ]


def _base(title: str, request: HttpRequest) -> dict[str, Any]:
    return {**admin.site.each_context(request), "title": title}


def _rows() -> list[tuple[EmbeddingConnection, bool]]:
    used = embedding_connections.ids_in_use()
    return [(row, str(row.pk) in used) for row in embedding_connections.listed()]


def _shipped() -> list[tuple[str, str]]:
    """Return the choices that are not connections: the packaged model and, if it is a different one, the environment's
    model.
    """
    packaged = [(embedding_routes.PACKAGED, gettext("Packaged model"))]
    if embedder() is packaged_embedder():
        return packaged
    return [(embedding_routes.CONFIGURED, gettext("Environment variables")), *packaged]


def _is_configured_server() -> bool:
    """Return whether KB_EMBEDDER specifies the environment's server, in which case the form offers that server only
    once.
    """
    return bool(settings.KB_EMBEDDER == "openai")


def _current() -> dict[str, str]:
    """Return the form's values for the model in use."""
    recipe = active_recipe()
    route = embedding_routes.route_of(recipe) if recipe.is_chosen else None
    if route is None:
        is_packaged = recipe.is_chosen or embedder() is packaged_embedder()
        return {"first": embedding_routes.PACKAGED if is_packaged else embedding_routes.CONFIGURED}
    named = dict(zip(("first", "second", "third"), route.connections, strict=False))
    row = embedding_connections.of_environment()
    if row is not None and named["first"] == str(row.pk) and _is_configured_server():
        named["first"] = embedding_routes.CONFIGURED
    return named


def _problem(found: Measured) -> str:
    if found.refused or found.reason is not None:
        return problem_of(found.refused, found.reason)
    if found.is_too_long:
        return gettext(
            "Its vectors have {size} dimensions. At most {most} can be searched: choose a different model."
        ).format(size=found.dimensions, most=MOST_DIMENSIONS)
    if found.is_another_model:
        return gettext(
            "Its vectors no longer match the index (similarity {alike}): the server now has a different model. Restore "
            "the old model there, or add the new one as a new connection and choose it."
        ).format(alike=f"{found.likeness:.2f}")
    return ""
