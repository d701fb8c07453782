"""New definitions: from an empty form, a copy, a definition file, or selected operations of an OpenAPI file.

Until operations are selected, an uploaded OpenAPI file is kept for up to an hour, only for the person who uploaded it.
"""

import copy
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from actions.connections.auth import Auth
from actions.connections.auth_kinds import KINDS
from actions.connections.selectors import listed_connections
from actions.deferred_text import translated
from actions.definitions.errors import InvalidDefinition, NoSuchDefinition, Outdated, ServerUnreadable
from actions.definitions.import_and_export import ImportResult, import_operations, import_text, import_tools
from actions.definitions.importing.bounded_parsing import MAX_CHARACTERS, InvalidFile, read_structure
from actions.definitions.importing.drafts import Draft, Imported
from actions.definitions.importing.openapi import read_openapi
from actions.definitions.models import ActionDefinition
from actions.definitions.parsing.document import DEFINITION_NAME
from actions.definitions.selectors import definition_named, newest_version
from actions.definitions.services import save_draft
from actions.errors import NotConnected
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.console.connections import RIGHT as CONNECTIONS_RIGHT
from supportbot.console.connections import SETTING
from supportbot.console.definitions.page_frame import WRITE_RIGHT, actor_of_request, frame
from supportbot.console.display import error_text
from supportbot.console.fields import LanguageCode
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, staff
from supportbot.team_formats import labelled

KEPT_SECONDS: Final = 3_600
MAX_LISTED: Final = 200  # operations on one page; a search shows the others
_ANSWER: Final = {
    "happened": "status in [200, 201, 202, 204]",
    "did_not": "status >= 400 and status < 500 and status not in [408, 409, 425, 429]",
}
_NAME: Final = RegexValidator(  # the document's parser requires it, too, but its messages are in English
    rf"\A{DEFINITION_NAME}\Z", _("Use lowercase letters, digits and _, beginning with a letter: exchange_item.")
)


class EmptyForm(forms.Form):
    name = forms.CharField(
        max_length=60,
        label=_("Name"),
        help_text=_("For example, wrap_order. It cannot be changed later."),
        validators=[_NAME],
    )
    kind = forms.ChoiceField(
        label=_("What it does"),
        choices=(("write", _("It changes something")), ("read", _("It looks something up"))),
        widget=forms.RadioSelect,
        initial="write",
    )
    language = LanguageCode(
        label=_("Language"),
        help_text=_("Type its name, or a code such as de. You can add more later."),
    )
    title = forms.CharField(max_length=80, label=_("Title"), help_text=_("For example: Gift-wrap an order."))
    connection = forms.ChoiceField(label=_("Connection"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].initial = Workspace.objects.get(pk=current_workspace_id()).locale
        _offer_connections(self)

    def document(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        made = {"format": 1, "name": cleaned["name"].strip(), "kind": cleaned["kind"]}
        made["title"] = {cleaned["language"]: cleaned["title"].strip()}
        if cleaned["connection"]:
            made["connection"] = cleaned["connection"]
        if cleaned["kind"] == "write":
            made |= {"risk": "change", "answer": dict(_ANSWER), "outcome": {"kind": "at_most_once"}}
        return made


class CopyForm(forms.Form):
    source = forms.ChoiceField(label=_("Copy of"))
    name = forms.CharField(max_length=60, label=_("Name of the copy"), validators=[_NAME])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = ActionDefinition.objects.order_by("name").values_list("name", flat=True)
        self.fields["source"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def document(self) -> dict[str, Any]:
        found = newest_version(definition_named(self.cleaned_data["source"])).document
        return {**copy.deepcopy(found), "name": self.cleaned_data["name"].strip()}


class FileForm(forms.Form):
    file = forms.FileField(required=False, label=_("File"), help_text=_("JSON or YAML, up to 10 million characters."))
    text = forms.CharField(
        required=False,
        label=_("Or paste it here"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false", "dir": "ltr"}),
    )
    connection = forms.ChoiceField(
        label=_("Connection"), required=False, help_text=_("The connection used by the operations of an OpenAPI file.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_connections(self)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        file, text = cleaned.get("file"), cleaned.get("text", "")
        if file is not None:
            if file.size > 4 * MAX_CHARACTERS:
                self.add_error("file", gettext("The file is too large."))
                return cleaned
            try:
                text = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", gettext("The file is not UTF-8 text."))
        if not text.strip() and not self.errors:
            self.add_error("file", gettext("Choose a file, or paste its text."))
        return {**cleaned, "text": text}


class ToolsForm(forms.Form):
    connection = forms.ChoiceField(
        label=_("Connection"),
        help_text=_("The connection to the MCP server. Its tools are listed now; none of them is called."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_connections(self, without="–")


def _offer_connections(form: forms.Form, *, without: str = "") -> None:
    """Offer the workspace's connections. `without` is the label for choosing none; by default, it is "decide later"."""
    names = _connection_names()
    field: Any = form.fields["connection"]
    field.choices = [("", without or gettext("decide later")), *((name, name) for name in names)]
    field.initial = names[0] if len(names) == 1 else ""


def _connection_names() -> list[str]:
    return sorted({one.name for one in listed_connections()})


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation in a file, as offered for import."""

    name: str
    source: str
    summary: str
    lacks: int
    is_chosen: bool


def new_page(request: HttpRequest) -> HttpResponse:
    needs(request, WRITE_RIGHT)
    do = request.POST.get("do", "") if request.method == "POST" else ""
    empty = EmptyForm(request.POST if do == "empty" else None, prefix="empty")
    copied = CopyForm(request.POST if do == "copy" else None, prefix="copy")
    file = FileForm(request.POST if do == "file" else None, request.FILES if do == "file" else None, prefix="file")
    tools = ToolsForm(request.POST if do == "tools" else None, prefix="tools")
    answer = None
    if do == "tools" and tools.is_valid():
        answer = _of_server(request, tools)
    elif do == "empty" and empty.is_valid():
        answer = _made(request, empty)
    elif do == "copy" and copied.is_valid():
        answer = _made(request, copied)
    elif do == "file" and file.is_valid():
        answer = _imported(request, file)
    if answer is not None:
        return answer
    context: dict[str, Any] = {
        "ways": _ways(empty, copied, file, tools),
        "has_definitions": bool(copied.fields["source"].choices),  # type: ignore[attr-defined]
    }
    title = gettext("New action")
    status = 400 if do else 200
    return render(request, "console/definitions/new.html", frame(request, title, **context), status=status)


def _ways(empty: EmptyForm, copied: CopyForm, file: FileForm, tools: ToolsForm) -> list[tuple[Any, ...]]:
    """Return the ways to create a definition, each with its key, title, explanation, form and button."""
    return [
        ("empty", gettext("Empty"), gettext("Fill in the parts one by one."), empty, gettext("Create")),
        (
            "file",
            gettext("From a file"),
            gettext(
                "A definition, or an OpenAPI 3.0 or 3.1 description whose operations you choose next. Nothing is "
                "called or offered to customers."
            ),
            file,
            gettext("Read the file"),
        ),
        (
            "tools",
            gettext("From an MCP server"),
            gettext("Each of its tools becomes a draft. The server's descriptions are shown to you but not trusted."),
            tools,
            gettext("Read its tools"),
        ),
        ("copy", gettext("Copy"), gettext("Start from one of your actions."), copied, gettext("Copy it")),
    ]


def _made(request: HttpRequest, form: EmptyForm | CopyForm) -> HttpResponse | None:
    """Save the first version of a definition. If that fails, return None; the form then shows why."""
    try:
        version = save_draft(form.document(), actor=actor_of_request(request), based_on=0)
    except Outdated:
        form.add_error("name", gettext("An action with this name already exists."))
    except NoSuchDefinition as refusal:
        form.add_error("source", error_text(refusal))
    except InvalidDefinition as refusal:
        for path, texts in refusal.fields.items():
            field = str(path).partition(".")[0]
            form.add_error(field if field in form.fields else None, list(texts))
    else:
        messages.success(request, gettext("This is a draft. Customers do not see it until it is published."))
        return redirect("admin:actions_actiondefinition_change", version.definition_id)
    return None


def _imported(request: HttpRequest, form: FileForm) -> HttpResponse | None:
    text, connection = form.cleaned_data["text"], form.cleaned_data["connection"]
    try:
        value = read_structure(text)
        if isinstance(value, Mapping) and ("openapi" in value or "swagger" in value):
            read_openapi(text, connection)
            key = uuid4().hex
            cache.set(_kept(request, key), zlib.compress(text.encode("utf-8", "surrogatepass")), KEPT_SECONDS)
            chosen = f"?file={key}&connection={connection}"
            return redirect(reverse("admin:actiondefinition-operations") + chosen)
        result = import_text(text, actor=actor_of_request(request), connection=connection)
    except InvalidDefinition as refusal:
        for path, texts in refusal.fields.items():
            form.add_error(None, [labelled(path, one) for one in texts])
        return None
    except InvalidFile as refusal:
        form.add_error(None, error_text(refusal))
        return None
    return _to_drafts(request, result)


def _of_server(request: HttpRequest, form: ToolsForm) -> HttpResponse | None:
    try:
        result = import_tools(form.cleaned_data["connection"], actor=actor_of_request(request))
    except (InvalidDefinition, InvalidFile, NotConnected, ServerUnreadable) as refusal:
        form.add_error(None, error_text(refusal))
        return None
    return _to_drafts(request, result)


def _to_drafts(request: HttpRequest, result: ImportResult) -> HttpResponse:
    text = ngettext("{number} draft saved.", "{number} drafts saved.", len(result.drafts))
    messages.success(request, text.format(number=len(result.drafts)))
    if len(result.drafts) == 1:
        return redirect("admin:actions_actiondefinition_change", definition_named(result.drafts[0].name).pk)
    return redirect("admin:actions_actiondefinition_changelist")


def _kept(request: HttpRequest, key: str) -> str:
    return f"openapi:{current_workspace_id()}:{person_of(request).pk}:{key}"


def operations_page(request: HttpRequest) -> HttpResponse:
    """Let a person search, select and import operations in the uploaded file.

    A search keeps what was already selected.
    """
    needs(request, WRITE_RIGHT)
    posted = request.POST if request.method == "POST" else request.GET
    key, connection = posted.get("file", ""), posted.get("connection", "")
    kept = cache.get(_kept(request, key)) if key.isalnum() and len(key) == 32 else None
    if kept is None:
        messages.error(request, gettext("Upload the file again. It is kept for one hour only."))
        return redirect("admin:actions_actiondefinition_add")
    text = zlib.decompress(kept).decode("utf-8", "surrogatepass")
    found = read_openapi(text, connection)
    words = posted.get("q", "").strip()
    matching = [draft for draft in found.drafts if _matches(draft, words)]
    chosen = set(posted.getlist("pick")) | set(posted.get("kept", "").split())
    if "all" in posted:
        chosen |= {draft.document["name"] for draft in matching}
    elif "none" in posted:
        chosen = set()
    elif request.method == "POST" and "import" in posted and chosen:
        imported = import_operations(text, chosen, actor=actor_of_request(request), connection=connection)
        return _to_drafts(request, imported)
    elif "import" in posted:
        messages.error(request, gettext("Choose at least one operation."))
    context = {"file": key, "words": words, **_operations_shown(request, found, matching, chosen, connection)}
    title = found.title or gettext("OpenAPI file")
    return render(request, "console/definitions/operations.html", frame(request, title, **context))


def _operations_shown(
    request: HttpRequest, found: Imported, matching: Sequence[Draft], chosen: set[str], connection: str
) -> dict[str, Any]:
    """Return what the page shows about a file: the operations that match a search, and the connection for them."""
    listed = matching[:MAX_LISTED]
    shown = {draft.document["name"] for draft in listed}
    known = {draft.document["name"] for draft in found.drafts}
    return {
        "connection": connection,
        "connections": _connection_names(),
        "new_connection": _address_of_new(found.connection) if may(staff(request), CONNECTIONS_RIGHT) else "",
        "found": found,
        "notes": [translated(note) for note in found.notes],
        "suggested": _suggested(found.connection),
        "operations": [_operation(draft, chosen) for draft in listed],
        "matching": len(matching),
        "not_listed": len(matching) - len(listed),
        "kept": " ".join(sorted((chosen & known) - shown)),
        "chosen": len(chosen & known),
    }


def _matches(draft: Draft, words: str) -> bool:
    searched = f"{draft.document['name']} {draft.source} {' '.join(draft.suggestions.values())}".casefold()
    return all(word in searched for word in words.casefold().split())


def _suggested(connection: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the values that a file suggests for its connection, each with its label in the connection's form."""
    labels = {"base_url": gettext("Address"), "auth": gettext("Authentication")}
    suggestion = dict(connection)
    if suggestion.get("auth") in Auth.values:
        auth = Auth(suggestion["auth"])
        labels |= {setting.name: str(setting.label) for setting in KINDS[auth].settings}
        suggestion["auth"] = str(auth.label)
    return [(labels.get(name, name), value) for name, value in suggestion.items() if value]


def _address_of_new(connection: Mapping[str, str]) -> str:
    """Return the address of the form for a new connection, filled in with a file's settings; "" if the file has
    none.
    """
    auth = connection.get("auth", "")
    if auth not in Auth.values:
        return ""
    known = {setting.name for setting in KINDS[Auth(auth)].settings}
    settings = {SETTING + name: value for name, value in connection.items() if name in known}
    given = {"auth": auth, "base_url": connection.get("base_url", ""), **settings}
    return f"{reverse('admin:actions_connection_add')}?{urlencode(given)}"


def _operation(draft: Draft, chosen: set[str]) -> Operation:
    name = str(draft.document["name"])
    summary = draft.suggestions.get("title.en") or draft.suggestions.get("description.en", "")
    return Operation(name, draft.source, summary, len(draft.missing), name in chosen)
