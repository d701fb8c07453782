"""The ASGI application: HTTP by Django, sockets by Channels, and a lifespan that starts what runs beside them."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
http_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402  # models load only once Django is set up

from supportbot.lifespan import lifespan  # noqa: E402
from supportbot.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": http_application, "websocket": websocket_application, "lifespan": lifespan})
