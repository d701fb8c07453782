"""What every page of the storefront needs besides its own content."""

from django.http import HttpRequest
from django.utils.translation import get_language

from shop.environment import environment
from shop.log_in import signed_in

# The platform's help centre of this shop's workspace.
HELP = "/help/wrenfell/"


def page(request: HttpRequest) -> dict[str, object]:
    platform = environment().platform_url
    return {
        "customer": signed_in(request),
        "speaking": get_language(),
        "platform_url": platform,
        "help_url": f"{platform}{HELP}",
        "channel_key": environment().channel_key,
    }
