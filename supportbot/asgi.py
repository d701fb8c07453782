"""The ASGI application: HTTP by Django, WebSockets by Channels, and a lifespan that starts background parts."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
http_application = get_asgi_application()
if settings.SECRET_KEY_IS_MADE_UP:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set: every process would sign sessions with its own key, and a new one at each start."
    )

from channels.routing import ProtocolTypeRouter  # noqa: E402  # models can only be imported once Django is set up

from supportbot.lifespan import lifespan  # noqa: E402
from supportbot.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": http_application, "websocket": websocket_application, "lifespan": lifespan})
