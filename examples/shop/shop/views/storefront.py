"""The shop as its customers see it: the products, signing in, and their own orders."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from shop import selectors
from shop.errors import NotFound
from shop.log_in import sign_in, sign_out, signed_in
from shop.models import Customer
from shop.people import FIRST_TEN
from shop.showcase import on_show
from shop.showing import card_of


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/home.html", {"exhibits": on_show(), "here": "home"})


@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    customer = signed_in(request)
    if customer is None:
        return redirect("sign-in")
    now = timezone.now()
    cards = [card_of(order, now) for order in selectors.orders_with_lines(customer)]
    return render(request, "shop/orders.html", {"cards": cards, "here": "orders"})


@require_safe
def sign_in_page(request: HttpRequest) -> HttpResponse:
    return _people(request)


@require_POST
def sign_in_as(request: HttpRequest) -> HttpResponse:
    """Sign in as one of the demo's customers. The pages switch to their language if the shop supports it."""
    try:
        customer = selectors.find_customer(request.POST.get("customer", ""))
    except NotFound:
        return _people(request, is_unknown=True)
    sign_in(request, customer)
    answer = redirect("orders")
    if customer.locale in dict(settings.LANGUAGES):
        answer.set_cookie(settings.LANGUAGE_COOKIE_NAME, customer.locale, httponly=True, samesite="Lax")
    return answer


@require_POST
def sign_out_here(request: HttpRequest) -> HttpResponse:
    sign_out(request)
    return redirect("home")


def _people(request: HttpRequest, *, is_unknown: bool = False) -> HttpResponse:
    everybody = list(Customer.objects.order_by("id"))
    now = timezone.now()
    story = [
        (customer, [card_of(order, now) for order in selectors.orders_with_lines(customer)])
        for customer in everybody[: len(FIRST_TEN)]
    ]
    content = {"story": story, "others": everybody[len(FIRST_TEN) :], "is_unknown": is_unknown, "here": "sign-in"}
    return render(request, "shop/sign_in.html", content, status=404 if is_unknown else 200)
