"""Which user runs PostgreSQL."""

import pwd

import pytest

from supportbot.embedded import accounts
from supportbot.installation.errors import StartRefused


def test_root_without_any_user_to_lend_is_told_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_is_there(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(accounts.os, "geteuid", lambda: 0)
    monkeypatch.setattr(accounts.pwd, "getpwnam", nobody_is_there)
    with pytest.raises(StartRefused, match=r"useradd --system supportbot"):
        accounts.server_account()


def test_an_ordinary_user_runs_it_as_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts.os, "geteuid", lambda: 1000)
    assert accounts.server_account() is None
