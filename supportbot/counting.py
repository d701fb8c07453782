"""How often something happened lately, counted in the cache for all processes together.

A cache that is away counts nothing and lets everybody in: being served matters more than the count.
"""

from typing import TYPE_CHECKING, Final

import redis
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:  # DRF's views import the throttles through the settings
    from rest_framework.views import APIView

CACHE_AWAY: Final = (redis.RedisError, OSError)


def count(key: str, *, seconds: int) -> int:
    """Count one more; return how many there were since the first one, at most `seconds` ago. 0: nobody counts."""
    try:
        if cache.add(key, 1, timeout=seconds):
            return 1
        number = cache.incr(key)
        if number == 1:  # the window ended between the two lines, and what `incr` makes anew would never end
            cache.touch(key, seconds)
    except ValueError:  # likewise, where `incr` makes nothing
        return 1
    except CACHE_AWAY:
        return 0
    return number


class FailOpenThrottle(SimpleRateThrottle):
    """The base of every throttle here."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        try:
            return super().allow_request(request, view)
        except CACHE_AWAY:
            return True
