"""The user that runs PostgreSQL."""

import pwd

import pytest

from supportbot.embedded.servers import os_accounts
from supportbot.installation.errors import StartRefused


def test_root_without_a_suitable_user_learns_how_to_create_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_user(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(os_accounts.os, "geteuid", lambda: 0)
    monkeypatch.setattr(os_accounts.pwd, "getpwnam", no_such_user)
    with pytest.raises(StartRefused, match=r"useradd --system supportbot"):
        os_accounts.server_account()


def test_an_ordinary_user_runs_postgresql_under_their_own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os_accounts.os, "geteuid", lambda: 1000)
    assert os_accounts.server_account() is None
