"""Rate counters in the cache, which all processes share.

If the cache is unavailable, nothing is counted and everyone is served, because service matters more than limits.
"""

from functools import cache as kept
from typing import TYPE_CHECKING, Any, Final

import redis
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:  # DRF's views import the throttles through the settings
    from rest_framework.views import APIView

CACHE_AWAY: Final = (redis.RedisError, OSError)


def count(key: str, *, seconds: int) -> int:
    """Add one to the count for the current window of `seconds`, and return it. Return 0 if the cache is unavailable."""
    cache = caches["default"]
    try:
        if isinstance(cache, CountingRedisCache):
            return cache.count(key, seconds=seconds)
        return 1 if cache.add(key, 1, timeout=seconds) else cache.incr(key)
    except ValueError:  # the window ended in between
        return 1
    except CACHE_AWAY:
        return 0


class FailOpenThrottle(SimpleRateThrottle):
    """The base of all throttles. It lets requests through if the cache is unavailable.

    After the clock has been set back, it starts over, because requests from the future would otherwise count until the
    clock has caught up.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        try:
            return super().allow_request(request, view)
        except CACHE_AWAY:
            return True

    def throttle_failure(self) -> bool:
        if self.history[-1] <= self.now:
            return bool(super().throttle_failure())
        self.history = []
        return bool(super().throttle_success())


class CountingRedisCache(RedisCache):
    """A cache that counts in one round trip. `add` and `incr` together would take three for every message from a
    customer.

    Django creates a cache object with its own client for each call to `async_db` and for each request, and each client
    would open its own connection. Here, the whole process shares one client.
    """

    @property
    def _cache(self) -> RedisCacheClient:
        return _client(tuple(self._servers), **self._options)  # type: ignore[attr-defined]  # the stubs leave them out

    def count(self, key: str, *, seconds: int) -> int:
        """Add one to the count for the current window, which expires automatically, and return it.

        If the server's clock is set back, the window still ends no later than a new one would.
        """
        name = self.make_and_validate_key(key)
        # No transaction is needed: whatever happens in between, a counter without an expiry gets one.
        both = self._cache.get_client(name, write=True).pipeline(transaction=False)
        both.incr(name)
        both.expire(name, seconds, lt=True)
        return int(both.execute()[0])


class _Client(RedisCacheClient):
    """Sends all commands to a server through one client object. Django would create one for each command, which takes
    longer than counting.
    """

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options)
        self._client = kept(redis.Redis)


@kept
def _client(servers: tuple[str, ...], **options: Any) -> RedisCacheClient:
    return _Client(list(servers), **options)
