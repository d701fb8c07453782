"""The demo's endpoints for scripts on this machine. A real shop has nothing like them: every caller can act as any
customer, so the shop only listens on loopback.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse

from shop import selectors
from shop.body import Fields, read_object
from shop.environment import environment
from shop.errors import InvalidInput
from shop.faults import injector, parse_faults
from shop.identity import sign_identity
from shop.seed import reset_to_seed
from shop.views.decorators import only


@only("GET")
def customers(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"customers": selectors.customers()})


@only("POST")
def token(request: HttpRequest) -> HttpResponse:
    fields = Fields(read_object(request))
    customer_id = fields.text("customer", max_length=40)
    fields.check()
    customer = selectors.find_customer(customer_id)
    signed = sign_identity(
        customer_id=customer.id,
        name=customer.name,
        email=customer.email,
        locale=customer.locale,
        channel_key=environment().channel_key,
        secret=environment().identity_secret,
    )
    return JsonResponse({"token": signed})


@only("GET")
def orders(request: HttpRequest) -> HttpResponse:
    customer_id = request.GET.get("customer", "")
    if not customer_id:
        raise InvalidInput(
            "customer: Specify the customer, as in ?customer=cus_1001.", fields={"customer": ["Required."]}
        )
    return JsonResponse({"orders": selectors.orders_of(selectors.find_customer(customer_id))})


@only("GET")
def ledger(request: HttpRequest) -> HttpResponse:
    return JsonResponse(selectors.ledger())


@only("GET", "POST")
def faults(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        injector.set(parse_faults(read_object(request)))
    return JsonResponse(injector.state())


@only("POST")
def reset(request: HttpRequest) -> HttpResponse:
    Fields(read_object(request)).check()
    injector.reset()
    reset_to_seed()
    return JsonResponse({"reset": True})
