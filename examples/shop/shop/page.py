"""What every page of the storefront needs besides its own content."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation.trans_real import parse_accept_lang_header

from shop.environment import environment
from shop.log_in import signed_in

# The platform's help centre for this shop's workspace.
HELP = "/help/wrenfell/"


def page(request: HttpRequest) -> dict[str, object]:
    platform = environment().platform_url
    return {
        "customer": signed_in(request),
        "speaking": get_language(),
        "chat_locale": chat_locale(request),
        "platform_url": platform,
        "help_url": f"{platform}{HELP}",
        "channel_key": environment().channel_key,
    }


def chat_locale(request: HttpRequest) -> str:
    """Return the language tag for the chat: the language chosen here, else the browser's first. The chat supports more
    languages than these pages. If it used the page's English, a French visitor would get French answers and cards with
    English buttons. In a language of these pages, it writes dates as they do, wherever the browser comes from.
    """
    browser = parse_accept_lang_header(request.headers.get("Accept-Language", ""))
    page = get_language() or settings.LANGUAGE_CODE
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES or not browser or browser[0][0] == "*":
        return page
    first = browser[0][0]
    return page if first.partition("-")[0] == page else first
