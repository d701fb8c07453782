"""Exports or erases a customer, for admins. The audit trail records both."""

import json
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from actions.audit import actor_of
from supportbot.accounts.models import Customer
from supportbot.chat.data_export import Encoder, export_for
from supportbot.chat.erasure import forget_customer
from supportbot.chat.errors import NotSettled
from supportbot.console.request_context import needs, person_of
from supportbot.errors import NotFound
from supportbot.team_formats import number

RIGHT = "team:write"


@require_POST
def export(request: HttpRequest, customer_id: UUID) -> HttpResponse:
    """Download everything stored about a customer, by table, as JSON."""
    needs(request, RIGHT)
    customer = _customer(customer_id)
    held = export_for(customer, actor=actor_of(person_of(request)))
    text = json.dumps({"customer": str(customer.pk), "held": held}, cls=Encoder, ensure_ascii=False, indent=2)
    name = f'attachment; filename="customer-{customer.pk}.json"'
    return HttpResponse(text, content_type="application/json", headers={"Content-Disposition": name})


def erase(request: HttpRequest, customer_id: UUID) -> HttpResponse:
    """Ask for confirmation. On a POST, erase the customer with all their conversations."""
    needs(request, RIGHT)
    customer = _customer(customer_id)
    refused = ""
    if request.method == "POST":
        try:
            count = forget_customer(customer, actor=actor_of(person_of(request)))
        except NotSettled as error:
            refused = error.message
        else:
            text = ngettext(
                "The customer was erased with {number} conversation.",
                "The customer was erased with {number} conversations.",
                count,
            )
            messages.success(request, text.format(number=number(count)))
            return redirect("admin:chat_conversation_changelist")
    context = {
        **admin.site.each_context(request),
        "title": gettext("Erase {name}").format(name=customer),
        "customer": customer,
        "conversations": customer.chats,  # type: ignore[attr-defined]  # annotated
        "refused": refused,
        "back": _page_before(request, customer),
    }
    return render(request, "console/erase_customer.html", context, status=409 if refused else 200)


def _page_before(request: HttpRequest, customer: Customer) -> str:
    """Return the page that the person came from if it is one of the customer's conversations, otherwise the list of
    conversations.
    """
    try:
        came_from = customer.conversations.filter(pk=UUID(request.GET.get("conversation", ""))).first()
    except ValueError:
        came_from = None
    if came_from is None:
        return reverse("admin:chat_conversation_changelist")
    return reverse("admin:chat_conversation_change", args=[came_from.pk])


def _customer(customer_id: UUID) -> Customer:
    counted = Customer.objects.annotate(chats=Count("conversations"))
    customer: Customer | None = counted.filter(pk=customer_id).first()
    if customer is None:
        raise NotFound()
    return customer
