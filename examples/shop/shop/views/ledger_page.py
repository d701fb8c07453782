"""A page with the shop's ledger and the switches for faults, for observing the platform."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from shop import selectors
from shop.faults import MAX_CALLS, MAX_DELAY_SECONDS, Faults, injector
from shop.seed import reset_to_seed


class FaultsForm(forms.Form):
    """The switches; one left empty is off."""

    delay_seconds = forms.FloatField(
        label=_("Seconds to wait before each call"), required=False, min_value=0, max_value=MAX_DELAY_SECONDS
    )
    fail_next = forms.IntegerField(
        label=_("Calls to fail, with nothing done"), required=False, min_value=0, max_value=MAX_CALLS
    )
    drop_reply = forms.IntegerField(
        label=_("Replies to lose, with the work done"), required=False, min_value=0, max_value=MAX_CALLS
    )

    def faults(self) -> Faults:
        return Faults(**{name: value or 0 for name, value in self.cleaned_data.items()})


@require_safe
def ledger(request: HttpRequest) -> HttpResponse:
    return _page(request, FaultsForm())


@require_POST
def set_faults(request: HttpRequest) -> HttpResponse:
    form = FaultsForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=400)
    injector.set(form.faults())
    return redirect("ledger")


@require_POST
def reset(request: HttpRequest) -> HttpResponse:
    """Reset everything to the seed. A signed-in customer stays signed in, since the seed has the same people."""
    injector.reset()
    reset_to_seed()
    return redirect("ledger")


def _page(request: HttpRequest, form: FaultsForm, *, status: int = 200) -> HttpResponse:
    content = {
        "refunds": selectors.refunds_newest_first(),
        "changes": selectors.changes_newest_first(),
        "faults": injector.state(),
        "form": form,
        "here": "ledger",
    }
    return render(request, "shop/ledger.html", content, status=status)
