"""The workspace's audit trail, read-only: every step of a request, and every change to rules, people, keys and systems.

Each event is shown in words, above the name that programs and the documentation use. Entries contain ids instead of
people's names, so the names are looked up.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from actions.audit import actor_of
from actions.models import AuditEntry
from supportbot.accounts.models import User
from supportbot.console.audit_events import event_label, events_called
from supportbot.console.base import ScopedAdmin
from supportbot.console.display import moment_in_words
from supportbot.console.filters import LabelledFilter
from supportbot.handoff.desk.actor_names import actor_names, user_ids
from supportbot.team_formats import labelled, number

# For each subject, its label and the part before the dot in its events' names.
SUBJECTS: Final = {
    "requests": (gettext_noop("Requests"), ("request", "approval", "words", "wish", "confirm", "approve", "tool")),
    "reads": (gettext_noop("Look-ups"), ("read",)),
    "rules": (gettext_noop("Action rules"), ("policy",)),
    "actions": (gettext_noop("Actions"), ("definition",)),
    "answers": (gettext_noop("Releases and articles"), ("release", "article", "source")),
    "systems": (
        gettext_noop("Connections and webhooks"),
        ("connection", "merchant", "model_connection", "embedding_connection", "embedding_route", "webhook"),
    ),
    "people": (gettext_noop("People, keys and channels"), ("member", "api_key", "identity_key", "channel")),
    "workspace": (gettext_noop("Workspace"), ("workspace",)),
    "customers": (gettext_noop("Erased and exported customers"), ("customer",)),
    "access": (gettext_noop("Refused access"), ("door", "mcp", "conversation")),
}
PEOPLE: Final = ("person", "acts_as")  # facts that contain a person's id; others may be text that someone chose
COLUMNS_OF_PEOPLE: Final = ("actor", *(f"payload__{name}" for name in PEOPLE))
_WORDS: Final = re.compile(r"[^._]+[._]?|[._]")
SEARCHED: Final = 50_000  # how many of the newest entries a search reads; no index covers parts of facts


class SubjectFilter(LabelledFilter):
    title = _("subject")
    parameter_name = "subject"
    words: Mapping[str, str] = {name: label for name, (label, _starts) in SUBJECTS.items()}  # type: ignore[misc]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in SUBJECTS:
            return queryset
        wanted = Q()
        for start in SUBJECTS[str(self.value())][1]:
            wanted |= Q(event__startswith=f"{start}.")
        return queryset.filter(wanted)


@admin.register(AuditEntry)
class AuditEntryAdmin(ScopedAdmin):
    many = _("Audit trail")
    none_yet = _("Every step of a request and every change to rules, people, keys and connections is recorded here.")
    view_right = "team:write"
    list_display = ["place", "moment", "shown_event", "who", "facts", "about"]
    list_display_links = None
    list_filter = [SubjectFilter]
    search_fields = ["event"]
    ordering = ["-seq"]
    fields = ["place", "moment", "shown_event", "who", "facts", "about"]
    readonly_fields = ["place", "moment", "shown_event", "who", "facts", "about"]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Look up the names of all people on the page at once."""
        shown = super().get_changelist_instance(request)
        names = actor_names(one for entry in shown.result_list for one in _people_in(entry))
        for entry in shown.result_list:
            entry.names = names
        return shown

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by a request's id, which uses an index, or by part of an event, a fact or a person's name, which
        searches only the newest entries.
        """
        text = search_term.strip()
        try:
            return queryset.filter(request_id=UUID(text)), False
        except ValueError:
            pass
        if not text:
            return queryset, False
        newest = AuditEntry.objects.aggregate(last=Max("seq"))["last"] or 0
        recent = queryset.filter(seq__gt=newest - SEARCHED)
        people = _people_called(text, recent)
        wanted = (
            Q(event__in=events_called(text))
            | Q(event__icontains=text)
            | Q(actor__icontains=text)
            | Q(payload__icontains=text)
        )
        for column in COLUMNS_OF_PEOPLE:
            wanted |= Q(**{f"{column}__in": people})
        return recent.filter(wanted), False

    def name_of(self, row: AuditEntry) -> str:
        return labelled(number(row.seq), event_label(row.event) or row.event)

    @admin.display(description=_("No."), ordering="seq")
    def place(self, entry: AuditEntry) -> str:
        return number(entry.seq)

    @admin.display(description=_("Time"), ordering="seq")
    def moment(self, entry: AuditEntry) -> str:
        return moment_in_words(entry.at)

    @admin.display(description=_("Event"), ordering="event")
    def shown_event(self, entry: AuditEntry) -> str:
        """Return what happened, and the event's name with the positions where it may wrap."""
        name = format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in _WORDS.findall(entry.event)))
        return format_html('{} <code class="sub">{}</code>', event_label(entry.event), name)

    @admin.display(description=_("Who"))
    def who(self, entry: AuditEntry) -> str:
        return _names_for(entry)[entry.actor]

    @admin.display(description=_("Details"))
    def facts(self, entry: AuditEntry) -> str:
        names = _names_for(entry)
        payload = {name: value for name, value in entry.payload.items() if value not in ("", None, [])}
        payload |= {name: names[payload[name]] for name in PEOPLE if name in payload}
        return "; ".join(labelled(name.replace("_", " "), str(value)) for name, value in payload.items())

    @admin.display(description=_("Request"))
    def about(self, entry: AuditEntry) -> str:
        if entry.request_id is None:
            return "–"
        page = reverse("admin:actions_actionrequest_change", args=[entry.request_id])
        return format_html('<a href="{}">{}</a>', page, str(entry.request_id)[-6:])


def _people_called(text: str, entries: QuerySet[AuditEntry]) -> list[str]:
    """Return the people in these entries whose name contains the text. Former members are included."""
    rows = entries.order_by()
    found = {one for column in COLUMNS_OF_PEOPLE for one in rows.values_list(column, flat=True).distinct()}
    named = Q(username__icontains=text) | Q(first_name__icontains=text) | Q(last_name__icontains=text)
    return [actor_of(person) for person in User.objects.filter(named, pk__in=user_ids(found - {None}))]


def _names_for(entry: Any) -> Mapping[str, str]:
    """Return the names of the people in an entry. For an entry in a list, they have already been read with the list."""
    return getattr(entry, "names", None) or actor_names(_people_in(entry))


def _people_in(entry: AuditEntry) -> list[str]:
    return [entry.actor, *(entry.payload[name] for name in PEOPLE if entry.payload.get(name))]
