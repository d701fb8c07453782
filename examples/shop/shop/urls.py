"""The shop's addresses: its demo door, the merchant API, and a page that says what this is."""

from django.urls import path

from shop.views import demo, merchant, pages

urlpatterns = [
    path("", pages.home),
    path("healthz", pages.healthz),
    path("api/customers", demo.customers),
    path("api/token", demo.token),
    path("api/orders", demo.orders),
    path("api/ledger", demo.ledger),
    path("api/faults", demo.faults),
    path("api/reset", demo.reset),
    path("merchant/v1/orders/<str:order_id>", merchant.order),
    path("merchant/v1/orders/<str:order_id>/address", merchant.address),
    path("merchant/v1/orders/<str:order_id>/cancel", merchant.cancel),
    path("merchant/v1/customers/<str:customer_id>/orders", merchant.orders_of_customer),
    path("merchant/v1/refunds", merchant.refunds),
    path("merchant/v1/operations/<str:key>", merchant.operation),
]

handler404 = pages.not_found
handler500 = pages.server_error
