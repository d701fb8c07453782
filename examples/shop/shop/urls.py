"""The shop's URLs: its pages, the demo's endpoints, and the merchant API."""

from django.urls import path
from django.views.i18n import set_language

from shop.views import demo, ledger_page, merchant, pages, storefront
from shop.views.chat_token import chat_token

urlpatterns = [
    path("", storefront.home, name="home"),
    path("orders", storefront.orders, name="orders"),
    path("sign-in", storefront.sign_in_page, name="sign-in"),
    path("account/sign-in", storefront.sign_in_as, name="sign-in-as"),
    path("account/sign-out", storefront.sign_out_here, name="sign-out"),
    path("account/chat-token", chat_token, name="chat-token"),
    path("ledger", ledger_page.ledger, name="ledger"),
    path("ledger/faults", ledger_page.set_faults, name="set-faults"),
    path("ledger/reset", ledger_page.reset, name="reset"),
    path("language", set_language, name="set-language"),
    path("static/<str:name>", pages.static),
    path("pictures/<slug:name>.svg", pages.picture),
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
