"""Which databases of a Redis are used, whatever its address names."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from supportbot.redisaddress import database_at


@pytest.mark.parametrize(
    ("address", "third"),
    [
        ("redis://host:6379", "redis://host:6379/2"),
        ("redis://host:6379/", "redis://host:6379/2"),
        ("redis://:secret@host:6379/0", "redis://:secret@host:6379/2"),
        ("redis://host/3", "redis://host/5"),
        (
            "rediss://me:s%2Fecret@host:6379/1?ssl_cert_reqs=none",
            "rediss://me:s%2Fecret@host:6379/3?ssl_cert_reqs=none",
        ),
        ("redis://[::1]:6379?db=4&socket_timeout=5", "redis://[::1]:6379/6?socket_timeout=5"),
    ],
)
def test_three_in_a_row_are_used_from_the_named_one(address: str, third: str) -> None:
    assert database_at(address, 2) == third


@pytest.mark.parametrize("address", ["redis://host/three", "redis://host/0/1", "redis://host/²", "redis://host/-1"])
def test_what_is_no_number_is_refused(address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL names the database"):
        database_at(address, 0)
