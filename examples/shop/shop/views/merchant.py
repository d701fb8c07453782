"""The merchant API: what the support platform calls. Every call is signed by Standard Webhooks."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse

from shop import selectors, services
from shop.body import read_object
from shop.commands import parse_address, parse_cancel, parse_refund
from shop.connection import drop_connection
from shop.environment import environment
from shop.faults import injector
from shop.services import Outcome
from shop.signature import verify_signature
from shop.views.decorators import only

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def signed(view: View[P]) -> View[P]:
    """Accept only the platform's calls; ordered faults only affect genuine calls."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        verify_signature(request, environment().webhook_secret)
        injector.before_call()
        return view(request, *args, **kwargs)

    return checked


@only("GET")
@signed
def order(request: HttpRequest, order_id: str) -> HttpResponse:
    return JsonResponse(selectors.order_json(selectors.find_order(order_id)))


@only("GET")
@signed
def orders_of_customer(request: HttpRequest, customer_id: str) -> HttpResponse:
    return JsonResponse({"orders": selectors.orders_of(selectors.find_customer(customer_id))})


@only("GET")
@signed
def operation(request: HttpRequest, key: str) -> HttpResponse:
    return JsonResponse(selectors.find_operation(key))


@only("POST")
@signed
def refunds(request: HttpRequest) -> HttpResponse:
    return _reply(request, services.refund(parse_refund(read_object(request))))


@only("POST")
@signed
def address(request: HttpRequest, order_id: str) -> HttpResponse:
    return _reply(request, services.change_address(parse_address(order_id, read_object(request))))


@only("POST")
@signed
def cancel(request: HttpRequest, order_id: str) -> HttpResponse:
    return _reply(request, services.cancel(parse_cancel(order_id, read_object(request))))


def _reply(request: HttpRequest, outcome: Outcome) -> HttpResponse:
    """Respond to a command. It is committed by now, so a dropped response leaves the caller uncertain."""
    if injector.takes_reply():
        drop_connection(cast(ASGIRequest, request))
    response = JsonResponse(outcome.answer, status=outcome.status)
    if outcome.is_replay:
        response["Idempotent-Replay"] = "true"
    return response
