"""Guessing passwords: after ten wrong ones, that user name is locked at that address, and no other."""

import time

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from supportbot.accounts.models import User

pytestmark = pytest.mark.django_db
RIGHT = "correct horse battery"
DOORS = ["/desk/log-in/", "/admin/login/"]


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    """Empty the counts, since the cache outlives a test."""
    cache.clear()


@pytest.fixture(autouse=True)
def _everybody_may_use_the_console(bob: User, mallory: User) -> None:
    User.objects.update(is_staff=True)


def log_in(door: str, password: str, *, username: str = "bob", address: str = "203.0.113.9") -> HttpResponse:
    data = {"username": username, "password": password, "next": "/livez"}
    return Client(REMOTE_ADDR=address).post(door, data)


@pytest.mark.parametrize("door", DOORS)
def test_ten_wrong_passwords_lock_one_name_at_one_address(door: str) -> None:
    for _ in range(9):
        answer = log_in(door, "wrong")
        assert (answer.status_code, b"Too many wrong passwords" in answer.content) == (200, False)
    assert b"Too many wrong passwords" in log_in(door, "wrong").content
    for shut in DOORS:  # one account has one lock
        answer = log_in(shut, RIGHT)
        assert (answer.status_code, b"Too many wrong passwords" in answer.content) == (200, True)
        assert "sessionid" not in answer.cookies
    assert log_in(door, RIGHT, address="203.0.113.10").status_code == 302
    assert log_in(door, RIGHT, username="mallory").status_code == 302


@pytest.mark.parametrize("door", DOORS)
def test_a_lock_ends_after_a_quarter_of_an_hour(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(10):
        log_in(door, "wrong")
    started = time.time()
    monkeypatch.setattr(time, "time", lambda: started + 14 * 60)
    assert b"Too many wrong passwords" in log_in(door, RIGHT).content
    monkeypatch.setattr(time, "time", lambda: started + 15 * 60 + 1)
    assert log_in(door, RIGHT).status_code == 302


@pytest.mark.parametrize("door", DOORS)
def test_the_right_password_resets_the_count(door: str) -> None:
    for _ in range(2):
        for _ in range(9):
            log_in(door, "wrong")
        assert log_in(door, RIGHT).status_code == 302


@pytest.mark.parametrize("door", DOORS)
def test_people_can_log_in_while_the_cache_is_down(door: str, cache_away: None) -> None:
    assert log_in(door, "wrong").status_code == 200
    assert log_in(door, RIGHT).status_code == 302


def test_an_unknown_user_name_is_locked_like_any_other() -> None:
    for _ in range(10):
        answer = log_in(DOORS[0], "wrong", username="nobody")
    assert b"Too many wrong passwords" in answer.content
