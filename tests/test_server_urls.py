"""The addresses an operator sets: PUBLIC_URL and REDIS_URL."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from supportbot.embedded.data_dir import DataDir
from supportbot.embedded.startup import Servers
from supportbot.installation.start_plan import Plan
from supportbot.server_urls import (
    KEEPALIVES,
    PREPARED_AFTER,
    database_at,
    postgres_at,
    public_address,
    require_postgres,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("https://help.example.com", "https://help.example.com"),
        ("https://help.example.com/", "https://help.example.com"),
        ("HTTPS://Help.Example.com:443", "https://help.example.com"),
        ("http://help.example.com:80/", "http://help.example.com"),
        ("http://help.example.com:443", "http://help.example.com:443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://example.com/Support/", "https://example.com/Support"),
    ],
)
def test_the_public_address_is_normalised_as_in_browsers(value: str, written: str) -> None:
    assert public_address(value) == written


@pytest.mark.parametrize(
    "value",
    [
        "help.example.com",
        "ftp://help.example.com",
        "https://",
        "https://[",
        "https://a:b",
        "https://a:99999",
        "https://u@a",
    ],
)
def test_an_invalid_public_address_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"not a valid address\. Use one such as https://help\.example\.com"):
        public_address(value)


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
def test_three_consecutive_databases_are_used_starting_with_the_named_one(address: str, third: str) -> None:
    assert database_at(address, 2) == third


@pytest.mark.parametrize("address", ["redis://host/three", "redis://host/0/1", "redis://host/²", "redis://host/-1"])
def test_a_database_that_is_not_a_number_is_refused(address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="The database in REDIS_URL"):
        database_at(address, 0)


def test_the_broker_uses_the_first_of_the_three() -> None:
    def broker_of(**addresses: str | None) -> str:
        plan = Plan(
            data_dir=Path("unused"), host="127.0.0.1", port=8000, shop_port=8100, public_url="", database_url=None,
            embedder="packaged", with_demo=True, **{"redis_url": None, "broker_url": None} | addresses,
        )  # fmt: skip
        return Servers(plan, DataDir(plan.data_dir), postgres=None, valkey=None).broker_url

    assert broker_of(redis_url="redis://host:6379") == "redis://host:6379/0"
    assert broker_of(redis_url="redis://host:6379/5") == "redis://host:6379/5"
    assert broker_of(redis_url="redis://host:6379/5", broker_url="amqp://host//") == "amqp://host//"


@pytest.mark.parametrize("most_connections", [0, 24])
def test_a_database_that_does_not_answer_is_abandoned_after_seconds(
    most_connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit(options: str = "") -> object:
        found = postgres_at(f"postgres://host/name{options}", most_connections=most_connections)
        return found["OPTIONS"].get("connect_timeout")

    assert (limit(), limit("?connect_timeout=30")) == (5, 30)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "20")  # libpq's own setting, which an option would override
    assert limit() is None


def test_an_operator_chooses_when_statements_are_prepared() -> None:
    def after(options: str = "") -> object:
        return postgres_at(f"postgres://host/name{options}", most_connections=0)["OPTIONS"]["prepare_threshold"]

    assert (after(), after("?prepare_threshold=9"), after("?prepare_threshold=none")) == (PREPARED_AFTER, 9, None)
    with pytest.raises(ImproperlyConfigured, match="prepare_threshold of DATABASE_URL must be a number or none"):
        after("?prepare_threshold=never")


def test_a_connection_over_tcp_notices_that_the_network_is_gone() -> None:
    def names(address: str) -> set[str]:
        return {name for name in postgres_at(address, most_connections=0)["OPTIONS"] if name in KEEPALIVES}

    assert names("postgres://user:secret@db.example/name") == names("postgres://[::1]:5432/name") == set(KEEPALIVES)
    assert names("postgres:////run/postgresql/name") == names("postgres:///name") == set()
    own = postgres_at("postgres://db.example/name?tcp_user_timeout=9000", most_connections=0)["OPTIONS"]
    assert (own["tcp_user_timeout"], own["keepalives"]) == (9000, 1)


def test_the_pool_waits_until_two_addresses_of_a_host_have_timed_out() -> None:
    options = postgres_at("postgres://user:secret@host/name", most_connections=4)["OPTIONS"]
    assert options["pool"]["timeout"] > 2 * options["connect_timeout"]


@pytest.mark.parametrize("address", ["postgres://", "postgres://host", "postgres://user:hidden@host/"])
def test_an_address_without_a_database_is_refused(address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL does not specify a database") as refusal:
        postgres_at(address, most_connections=4)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("postgres://owner:hidden@host:abc/name", "is not a valid address: Port could not be cast"),
        ("mysql://owner:hidden@host/name", "must be a PostgreSQL address"),
        ("postgres://owner:hidden@host", "does not specify a database"),
    ],
)
def test_the_owners_address_is_checked_like_the_applications(address: str, problem: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^DATABASE_OWNER_URL {problem}") as refusal:
        require_postgres("DATABASE_OWNER_URL", address)
    assert "hidden" not in str(refusal.value)


def test_a_service_may_name_the_database() -> None:
    assert postgres_at("postgres://?service=support", most_connections=0)["OPTIONS"]["service"] == "support"
