"""What a person or a supervisor finds when they look in."""

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from shop.errors import NotFound
from shop.middleware import refused
from shop.views.doors import only


@only("GET")
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        "Wrenfell Outdoor: the service of the demo shop. Nothing is sold here.\n"
        "Try /api/customers, /api/orders?customer=cus_1001 and /api/ledger.\n",
        content_type="text/plain; charset=utf-8",
    )


@only("GET")
def healthz(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refused(NotFound("Nothing is at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"code": "server_error", "message": "The shop failed.", "fields": {}}, status=500)
