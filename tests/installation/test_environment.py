"""Misspelt variables, and names that must not be mistaken for one."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from supportbot.installation.environment import Env, unknown_name

KNOWN = {"DATABASE_URL", "REDIS_URL", "METRICS_TOKEN", "OPENAI_API_KEY", "HOST", "DATA_DIR", "SUPPORTBOT_LOG_LEVEL"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABAES_URL", "DATABASE_URL"),
        ("DATABASEURL", "DATABASE_URL"),
        ("DATABASE_URLS", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("METRIC_TOKEN", "METRICS_TOKEN"),
        ("OPENAI_APIKEY", "OPENAI_API_KEY"),
    ],
)
def test_a_name_that_differs_from_a_setting_by_one_letter_is_reported(name: str, meant: str) -> None:
    assert f"Did you mean {meant}?" in str(unknown_name({name: "x"}, KNOWN))
    assert unknown_name({name: "x", meant: "y"}, KNOWN) is None, "another program's, next to ours"
    assert unknown_name({name: ""}, KNOWN) is None


@pytest.mark.parametrize(
    "name", ["HOME", "HOSTS", "POST", "XDG_DATA_DIRS", "DATABASE_URL_READER", "PATH", "OPENAI_API_BASE", "DATABASE_URL"]
)
def test_names_of_other_programs_are_ignored(name: str) -> None:
    assert unknown_name({name: "x"}, KNOWN) is None


def test_our_prefix_is_reserved_except_for_kubernetes_links() -> None:
    links = {
        "SUPPORTBOT_SERVICE_HOST": "10.0.0.1",
        "SUPPORTBOT_PORT": "tcp://10.0.0.1:80",
        "SUPPORTBOT_PORT_80_TCP": "x",
    }
    links |= {"SUPPORTBOT_WEB_SERVICE_PORT_HTTP": "80", "SUPPORTBOT_PORT_80_TCP_ADDR": "10.0.0.1"}
    links |= {"SUPPORTBOT_WEB_SERVICE_PORT": "80", "SUPPORTBOT_WEB_PORT_80_TCP_PORT": "80"}
    assert unknown_name(links, KNOWN) is None
    assert "The known ones are: SUPPORTBOT_LOG_LEVEL" in str(unknown_name({"SUPPORTBOT_PORT": "80"}, KNOWN))


def test_the_address_of_a_kubernetes_service_is_not_taken_for_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PORT", "tcp://10.0.0.1:80")
    assert Env().port("SHOP_PORT", default=8100) == 8100
    monkeypatch.setenv("SHOP_PORT", "http://10.0.0.1:80")
    with pytest.raises(ImproperlyConfigured, match=r"SHOP_PORT=http:.* is not a whole number"):
        Env().port("SHOP_PORT", default=8100)
