"""Hostile addresses, called through `request`: no connection is made to a forbidden one."""

from collections.abc import Callable
from typing import Any

import pytest

from supportbot.outbound.errors import NoAnswer, NotSent
from supportbot.outbound.http import Request, request
from tests.actions.raw_server import reply
from tests.attacks.corpus import Row, rows
from tests.outbound.conftest import Outside

# Over https, these reach a public server once, but its redirect is not followed.
HARMLESS = {"rebind", "redirect_1", "redirect_scheme", "redirect_loop", "meta_refresh", "sitemap"}
BAIT = b'<meta http-equiv="refresh" content="0;url=http://127.0.0.1/"><loc>http://169.254.169.254/</loc>'


def played(row: Row, url: str, outside: Outside, serve: Callable[..., Any]) -> str:
    """Call a row's URL and return the result."""
    outside.dns |= {name: [list(one) for one in answers] for name, answers in row.raw["dns"].items()}
    location = row.raw["redirects"].get(row.raw["url"], "")
    answer = reply("302 Found", b"", more=f"Location: {location}\r\n") if location else reply("200 OK", BAIT)
    with serve(answer) as server:
        try:
            response = request(Request("GET", url))
        except NotSent:
            assert server.received == []
            return "not sent"
        except NoAnswer as error:
            assert error.status == 302
            return "redirected"
        finally:
            assert len(server.received) <= 1
    assert response.body == BAIT
    return "answered"


@pytest.mark.parametrize("row", rows("ssrf"))
def test_a_hostile_address_is_never_called(row: Row, outside: Outside, serve: Callable[..., Any]) -> None:
    url = row.raw["url"]
    if row.raw["expect"] == "allow":
        # Stricter than a crawler: http addresses are called only with https.
        assert played(row, url.replace("http:", "https:", 1), outside, serve) in ("answered", "redirected")
        return
    assert played(row, url, outside, serve) == "not sent"
    assert outside.connected == []
    first = [answers[0][0] for answers in row.raw["dns"].values()]
    outcome = played(row, url.replace("http:", "https:", 1), outside, serve)
    if row.kind in HARMLESS:
        assert outcome != "not sent" and outside.connected == first
    else:
        assert outcome == "not sent" and outside.connected == []


def test_an_answer_that_changes_between_check_and_connection_changes_nothing(
    outside: Outside, serve: Callable[..., Any]
) -> None:
    outside.dns["shop.test"] = [["93.184.216.34"], ["127.0.0.1"]]
    with serve(reply("200 OK", b"{}")):
        assert request(Request("GET", "https://shop.test/")).status == 200
        assert (outside.asked, outside.connected) == (["shop.test"], ["93.184.216.34"])
        with pytest.raises(NotSent, match=r"127\.0\.0\.1"):
            request(Request("GET", "https://shop.test/"))
    assert outside.connected == ["93.184.216.34"]
