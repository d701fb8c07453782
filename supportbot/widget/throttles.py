"""How many tickets may be asked for. A cache that is away lets everybody in: the chat matters more than the count."""

import redis
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class PerAddress(SimpleRateThrottle):
    scope = "tickets"
    rate = "600/min"  # an office or a school is one address, and every reconnect takes a ticket

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except (redis.RedisError, OSError):
            return True


class PerChannel(PerAddress):
    """A channel's key is public: whoever copies it meets this from all their addresses together."""

    scope = "tickets_per_channel"
    rate = "1200/min"

    def __init__(self, channel_key: str) -> None:
        super().__init__()
        self.channel_key = channel_key

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.channel_key}
