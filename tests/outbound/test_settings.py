"""PRIVATE_NETWORKS as an operator writes it."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.patience import PATIENCE_SECONDS

ASK = "from django.conf import settings as s; print(*s.PRIVATE_NETWORKS, s.ACTIONS_LOOPBACK)"


def started(**environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "supportbot.settings", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("environment", "read"),
    [
        ({}, "False"),
        ({"PRIVATE_NETWORKS": "10.20.0.0/16, fd12::/16,192.168.1.7"}, "10.20.0.0/16 fd12::/16 192.168.1.7/32 False"),
        ({"ACTIONS_LOOPBACK": "yes"}, "True"),
    ],
)
def test_networks_are_read_from_the_environment(environment: dict[str, str], read: str) -> None:
    assert started(**environment).stdout.strip() == read


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PRIVATE_NETWORKS", "10.0.0.0/8,shop.lan", "PRIVATE_NETWORKS: shop.lan is not a network."),
        ("PRIVATE_NETWORKS", "0.0.0.0/0", "PRIVATE_NETWORKS: 0.0.0.0/0 is not inside a private network"),
        ("ACTIONS_LOOPBACK", "127.0.0.1:8100", "ACTIONS_LOOPBACK=127.0.0.1:8100 is neither true nor false."),
    ],
)
def test_an_invalid_network_stops_the_start_with_a_message(name: str, value: str, told: str) -> None:
    answer = started(**{name: value})
    assert answer.returncode == 1 and told in answer.stderr.splitlines()[-1]
