"""Webhooks: the servers that receive events, and what became of each delivery."""

import json
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.audit import actor_of
from supportbot.connection_test_limit import TooManyTests
from supportbot.console.base import ScopedAdmin, of_this_workspace
from supportbot.console.display import error_text, moment_in_words, tag
from supportbot.console.filters import LabelledFilter
from supportbot.console.new_secret import remember, remembered, show_once
from supportbot.console.request_context import needs, person_of
from supportbot.errors import SupportBotError
from supportbot.team_formats import labelled
from supportbot.webhooks import services
from supportbot.webhooks.errors import EndpointOff
from supportbot.webhooks.event_types import KINDS, TEST
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from supportbot.webhooks.selectors import endpoint_with_id, listed_endpoints

READ: Final = "webhooks:read"
WRITE: Final = "webhooks:write"
STATES: Final = {
    "waiting": ("info", gettext_noop("Waiting")),
    "delivered": ("ok", gettext_noop("Delivered")),
    "parked": ("bad", gettext_noop("Given up")),
}
MEANINGS: Final = {
    "action.awaiting_approval": gettext_noop("a person must decide"),
    "action.awaiting_confirmation": gettext_noop("the customer was asked to confirm"),
    "action.cancelled": gettext_noop("a request was withdrawn"),
    "action.executing": gettext_noop("a request is being carried out"),
    "action.expired": gettext_noop("nobody decided in time"),
    "action.failed": gettext_noop("a request was not carried out"),
    "action.queued": gettext_noop("a request is about to be carried out"),
    "action.refused": gettext_noop("the rules refused a request"),
    "action.rejected": gettext_noop("a person rejected a request"),
    "action.succeeded": gettext_noop("a request was carried out"),
    "action.unknown": gettext_noop("the outcome of a request is unclear"),
    "article.archived": gettext_noop("an article was archived"),
    "article.published": gettext_noop("an article was published"),
    "conversation.ended": gettext_noop("the customer ended a chat"),
    "conversation.erased": gettext_noop("a chat was erased"),
    "conversation.started": gettext_noop("a customer started a chat"),
    "customer.forgotten": gettext_noop("everything about a customer was erased"),
    "ticket.claimed": gettext_noop("an agent took a ticket"),
    "ticket.expired": gettext_noop("nobody answered in time"),
    "ticket.opened": gettext_noop("a person is needed"),
    "ticket.released": gettext_noop("a ticket is back in the queue"),
    "ticket.resolved": gettext_noop("an agent resolved a ticket"),
    "ticket.returned": gettext_noop("the assistant answers again"),
}
SPANS: Final = (1, 7, 30)  # days of failed deliveries to send again


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    kinds = forms.MultipleChoiceField(
        label=_("Events"),
        choices=lambda: [
            (kind, format_html("<span>{} {}</span>", _code(kind), gettext(MEANINGS[kind]))) for kind in KINDS
        ],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["name", "url", "includes_customer", "is_on"]
        labels = {
            "name": _("Name"),
            "url": _("Address"),
            "includes_customer": _("Include the customer's data"),
            "is_on": _("On"),
        }
        help_texts = {
            "url": _("The address that deliveries are posted to, such as https://books.example.com/hooks."),
            "includes_customer": _(
                "Adds the customer's name, e-mail address and ID in your system. When off, only SupportBot's IDs are "
                "sent, as in all payloads."
            ),
            "is_on": _("When off, nothing is sent. Events that happen in the meantime are not sent later."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["kinds"] = sorted(self.instance.kinds)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        own = None if self.instance._state.adding else self.instance.pk
        name, url = str(cleaned.get("name", "")), str(cleaned.get("url", ""))
        for field, texts in services.problems(name, url, cleaned.get("kinds", []), own=own).items():
            if field not in self.errors:  # the field's own errors come first
                self.add_error(field, texts)
        return cleaned


@admin.register(WebhookEndpoint)
class WebhookAdmin(ScopedAdmin):
    many = _("Webhooks")
    new = _("New webhook")
    none_yet = _("A webhook tells one of your servers what happens here. Create one to choose the events.")
    view_right, change_right = READ, WRITE
    can_add = can_delete = True
    form = WebhookForm
    change_form_template = "console/webhook.html"
    change_list_template = "console/webhooks.html"
    list_display = ["name", "address", "state", "asks_for", "secret_age"]
    search_fields = ["name", "url"]
    ordering = ["name"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return of_this_workspace(listed_endpoints())

    @admin.display(description=_("Address"), ordering="url")
    def address(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.url

    @admin.display(description=_("State"))
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        if not endpoint.is_on:
            return tag("bad", gettext("Switched off")) if endpoint.off_reason else tag("", gettext("Off"))
        return tag("warn", gettext("Failing")) if endpoint.failing_since else tag("ok", gettext("On"))

    @admin.display(description=_("Events"))
    def asks_for(self, endpoint: WebhookEndpoint) -> int:
        return len(endpoint.kinds)

    @admin.display(description=_("Secret set"), ordering="secret_changed_at")
    def secret_age(self, endpoint: WebhookEndpoint) -> str:
        return moment_in_words(endpoint.secret_changed_at)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = ["name", "url", "kinds", "includes_customer"]
        return shown if obj is None else [*shown, "is_on"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:endpoint_id>/rotate/", wrap(require_POST(self.rotate)), name="webhookendpoint-rotate"),
            path("<uuid:endpoint_id>/test/", wrap(require_POST(self.test)), name="webhookendpoint-test"),
            path("<uuid:endpoint_id>/replay/", wrap(require_POST(self.replay)), name="webhookendpoint-replay"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: WebhookForm, change: bool) -> None:
        actor, cleaned = actor_of(person_of(request)), form.cleaned_data
        given = {name: cleaned[name] for name in ("name", "url", "kinds", "includes_customer")}
        if change:
            services.update(obj.pk, actor=actor, is_on=cleaned["is_on"], **given)
            return
        new = services.create(actor=actor, **given)
        obj.pk = new.endpoint.pk
        remember(request, new.secret)

    def delete_model(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        services.remove(obj.pk, actor=actor_of(person_of(request)))

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._secret_page(request, obj, remembered(request))

    def page_context(self, request: HttpRequest, row: WebhookEndpoint) -> dict[str, Any]:
        count = WebhookDelivery.objects.filter(endpoint=row, state=WebhookDelivery.State.PARKED).exclude(kind=TEST)
        return {
            "endpoint": row,
            "state": self.state(row),
            "failing_since": moment_in_words(row.failing_since) if row.failing_since else "",
            "secret_age": self.secret_age(row),
            "old_secret": moment_in_words(row.previous_until, otherwise="–"),
            "given_up": count.count(),
            "spans": SPANS,
            "may_write": self.has_change_permission(request),
        }

    def rotate(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        needs(request, WRITE)
        found, hours = endpoint_with_id(endpoint_id), request.POST.get("keep_hours", "")
        if not (hours.isascii() and hours.isdigit() and len(hours) < 5):
            messages.error(request, gettext("Nothing was changed. Enter a number of hours from 0 to 720."))
            return redirect("admin:webhooks_webhookendpoint_change", found.pk)
        try:
            new = services.rotate(found.pk, keep_hours=int(hours), actor=actor_of(person_of(request)))
        except SupportBotError as refusal:
            messages.error(request, error_text(refusal))
            return redirect("admin:webhooks_webhookendpoint_change", found.pk)
        return self._secret_page(request, new.endpoint, new.secret)

    def test(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        needs(request, WRITE)
        found = endpoint_with_id(endpoint_id)
        try:
            sent = services.send_test(found.pk, actor=actor_of(person_of(request)))
        except TooManyTests as refusal:
            messages.error(request, error_text(refusal))
            return redirect("admin:webhooks_webhookendpoint_change", found.pk)
        return redirect("admin:webhooks_webhookdelivery_change", sent.pk)

    def replay(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        needs(request, WRITE)
        found, days = endpoint_with_id(endpoint_id), request.POST.get("days", "")
        span = next((one for one in SPANS if str(one) == days), SPANS[0])
        try:
            count = services.replay_failed(
                found.pk, since=now() - timedelta(days=span), actor=actor_of(person_of(request))
            )
        except SupportBotError as refusal:
            messages.error(request, error_text(refusal))
        else:
            messages.success(request, _sent_again(count))
        return redirect("admin:webhooks_webhookendpoint_change", found.pk)

    def _secret_page(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
        return show_once(
            self.admin_site,
            request,
            title=gettext("Secret of {name}").format(name=endpoint.name),
            secret=secret,
            purpose=gettext("Your server uses this secret to verify deliveries, as Standard Webhooks describes."),
            back=("admin:webhooks_webhookendpoint_change", endpoint.pk),
        )


class StateFilter(LabelledFilter):
    title = _("state")
    parameter_name = "state"
    words = {state: words for state, (_kind, words) in STATES.items()}


class KindFilter(LabelledFilter):
    title = _("event")
    parameter_name = "kind"
    words = {kind: kind for kind in (*KINDS, TEST)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, _code(kind)) for kind in self.words]


class EndpointFilter(admin.SimpleListFilter):
    title = _("webhook")
    parameter_name = "webhook"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in listed_endpoints().order_by("name").values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {value for value, _name in self.lookup_choices}
        return queryset.filter(endpoint_id=self.value()) if self.value() in known else queryset


@admin.register(WebhookDelivery)
class DeliveryAdmin(ScopedAdmin):
    many = _("Deliveries")
    none_yet = _("Everything sent to webhooks is listed here for thirty days.")
    view_right, change_right = READ, WRITE
    change_form_template = "console/webhook_delivery.html"
    list_display = ["kind_words", "end", "sent_to", "attempts_made", "took", "made"]
    list_filter = [StateFilter, KindFilter, EndpointFilter]
    list_select_related = ["endpoint"]
    ordering = ["-id"]
    fields = ["kind"]  # the page has its own template
    readonly_fields = ["kind"]
    actions = ["send_again"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("endpoint__secret", "endpoint__previous_secret")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def name_of(self, row: WebhookDelivery) -> str:
        return row.kind

    @admin.display(description=_("Event"), ordering="kind")
    def kind_words(self, delivery: WebhookDelivery) -> str:
        return delivery.kind

    @admin.display(description=_("Webhook"), ordering="endpoint__name")
    def sent_to(self, delivery: WebhookDelivery) -> str:
        return delivery.endpoint.name

    @admin.display(description=_("State"), ordering="state")
    def end(self, delivery: WebhookDelivery) -> SafeString:
        kind, words = STATES[delivery.state]
        return tag(kind, gettext(words) + (f": {delivery.status}" if delivery.status else ""))

    @admin.display(description=_("Attempts"), ordering="attempts")
    def attempts_made(self, delivery: WebhookDelivery) -> int:
        return delivery.attempts

    @admin.display(description=_("Duration"), ordering="duration_ms")
    def took(self, delivery: WebhookDelivery) -> str:
        return "–" if delivery.duration_ms is None else f"{delivery.duration_ms} ms"

    @admin.display(description=_("Time"), ordering="created_at")
    def made(self, delivery: WebhookDelivery) -> str:
        return moment_in_words(delivery.created_at)

    @admin.action(description=_("Send again"), permissions=["change"])
    def send_again(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> None:
        actor, count = actor_of(person_of(request)), 0
        for delivery in rows.order_by("id"):
            try:
                services.replay(delivery.pk, actor=actor)
            except SupportBotError as refusal:
                messages.error(request, labelled(delivery.endpoint.name, error_text(refusal)))
                break
            count += 1
        if count:
            messages.success(request, _sent_again(count))

    def get_urls(self) -> list[URLPattern]:
        again = self.admin_site.admin_view(require_POST(self.again))
        return [path("<uuid:delivery_id>/again/", again, name="webhookdelivery-again"), *super().get_urls()]

    def page_context(self, request: HttpRequest, row: WebhookDelivery) -> dict[str, Any]:
        return {
            "delivery": row,
            "end": self.end(row),
            "body": json.dumps(row.payload, indent=2, ensure_ascii=False),
            "facts": {
                gettext("Webhook"): row.endpoint.name,
                gettext("ID"): _code(row.message_id),
                gettext("Attempts"): row.attempts,
                gettext("Last attempt"): moment_in_words(row.attempted_at),
                gettext("Duration"): self.took(row),
                gettext("Next attempt"): moment_in_words(row.due_at)
                if row.state == row.State.WAITING
                else gettext("none"),
            },
            "may_write": self.has_change_permission(request),
        }

    def again(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        needs(request, WRITE)
        try:
            services.replay(delivery_id, actor=actor_of(person_of(request)))
        except EndpointOff as refusal:
            messages.error(request, error_text(refusal))
        else:
            messages.success(request, _sent_again(1))
        return redirect("admin:webhooks_webhookdelivery_change", delivery_id)


def _code(name: str) -> SafeString:
    return format_html("<code>{}</code>", name)


def _sent_again(count: int) -> str:
    words = ngettext("{number} delivery will be sent again.", "{number} deliveries will be sent again.", count)
    return words.format(number=count)
