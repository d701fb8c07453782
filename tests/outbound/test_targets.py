"""Targets that may be called: the public internet over https, and private networks that the installation lists."""

import re
from typing import Any

import pytest

from supportbot.outbound.errors import NotSent
from supportbot.outbound.ip_addresses import is_public, private_networks
from supportbot.outbound.targets import address_problem, checked_target, with_scheme
from tests.outbound.conftest import Outside


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/", "https://127.0.0.1/", "https://localhost/", "http://shop.example/", "ftp://shop.example/",
        "https://user@shop.example/", "https://10.0.0.8/", "https://169.254.169.254/latest/", "https://[::1]/",
        "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://2130706433/", "https://0x7f.1/",
        "https://017700000001/", "https://0177.0.0.1/", "https://shop.example:99999/", "https://shop.example:5432/",
        "https://shop.example:0/", "https://shop.example\\@x/", "https://shop.example/\n", "https:///shop.example/",
        "https://[/", "", "//x", "file:///etc/passwd", "https://fritz\u3002box/", "https://127.0.0.1/h\u00e4ndler",
        "https://shop.example/h\u00e4ndler", "https://a:b@shop.example/", "https://shop.example@10.0.0.8/",
        "https://168.63.129.16/",
    ],
)  # fmt: skip
def test_forbidden_urls_are_not_called(url: str, outside: Outside) -> None:
    outside.dns["shop.example"] = [["93.184.216.34"]]
    with pytest.raises(NotSent) as refused:
        checked_target(url)
    assert refused.value.why


def test_one_private_address_among_public_ones_is_refused(outside: Outside) -> None:
    outside.dns["shop.example"] = [["93.184.216.34", "10.0.0.1"], ["93.184.216.34"]]
    with pytest.raises(NotSent, match=r"shop\.example resolves to 10\.0\.0\.1"):
        checked_target("https://shop.example/api")
    target = checked_target("https://shop.example/api?x=1")
    assert target.addresses == ("93.184.216.34",)
    assert (target.endpoint.host_header, target.endpoint.path) == ("shop.example", "/api?x=1")


@pytest.mark.parametrize(
    ("written", "is_open"),
    [("https://b\u00fccher.test/", True), ("https://B\u00dcCHER.test/", True), ("https://stra\u00dfe.test/", False),
     ("https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", False), ("https://local\u00adhost/", False)],
)  # fmt: skip
def test_a_non_ascii_name_is_looked_up_in_its_dns_form(written: str, is_open: bool, outside: Outside) -> None:
    outside.dns |= {"xn--bcher-kva.test": [["93.184.216.34"]], "strasse.test": [["93.184.216.34"]]}
    if is_open:
        assert checked_target(written).endpoint.host_header == "xn--bcher-kva.test"
    else:
        with pytest.raises(NotSent):
            checked_target(written)
        assert outside.asked == []


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("::ffff:93.184.216.34", True),
        ("127.0.0.1", False), ("10.0.0.1", False), ("100.64.0.1", False), ("192.0.0.192", False), ("224.0.0.1", False),
        ("64:ff9b::5db8:d822", False), ("2002:7f00:1::", False), ("2001::1", False), ("fe80::1%eth0", False),
        ("fec0::1", False), ("::127.0.0.1", False), ("0.0.0.0", False), ("not an address", False),
    ],
)  # fmt: skip
def test_public_addresses_are_recognised(address: str, is_open: bool) -> None:
    assert is_public(address) is is_open


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("http://shop.lan/", True), ("http://shop.lan:8080/api", True), ("https://shop.lan:9443/", True),
        ("http://10.20.7.7/", True), ("http://[::ffff:10.20.7.7]/", True), ("http://10.21.7.7/", False),
        ("http://127.0.0.1/", False), ("http://both.lan/", False), ("https://both.lan/", True),
        ("https://public.test/", True), ("http://public.test/", False), ("https://public.test:9443/", False),
        ("http://shop.lan:0/", False), ("http://169.254.169.254/", False), ("http://[fd00:ec2::254]/", False),
        ("http://100.100.100.200/", False), ("http://[fd12::7]/", True),
    ],
)  # fmt: skip
def test_a_private_network_allows_only_its_own_addresses(
    url: str, is_open: bool, outside: Outside, settings: Any
) -> None:
    settings.PRIVATE_NETWORKS = private_networks(["10.20.0.0/16", "fc00::/7", "100.64.0.0/10"])
    outside.dns |= {
        "shop.lan": [["10.20.7.7"]],
        "public.test": [["93.184.216.34"]],
        "both.lan": [["10.20.7.7", "93.184.216.34"]],
    }
    if is_open:
        assert checked_target(url).addresses
    else:
        with pytest.raises(NotSent):
            checked_target(url)


@pytest.mark.parametrize(
    ("url", "network"),
    [
        ("http://127.0.0.1:9000/hook", "127.0.0.0/8"), ("http://localhost:9000/hook", "127.0.0.0/8,::1/128"),
        ("http://shop.localhost:9000/", "127.0.0.0/8,::1/128"), ("http://localhost.:9000/", "127.0.0.0/8,::1/128"),
        ("http://[::1]:9000/hook", "::1/128"), ("http://10.0.0.8/", "10.0.0.0/24"),
        ("https://192.168.1.7/", "192.168.1.0/24"), ("https://[fd12::7]/", "fd12::/64"),
        ("https://shop.lan/", "172.16.3.0/24"), ("http://unknown.lan/", "10.20.0.0/16"),
    ],
)  # fmt: skip
def test_a_refusal_names_a_network_that_would_allow_the_address(
    url: str, network: str, outside: Outside, settings: Any
) -> None:
    outside.dns |= {"shop.lan": [["172.16.3.4"]], "unknown.lan": [["10.20.7.7"]]}
    outside.dns |= {"shop.localhost": [["127.0.0.1", "::1"]], "localhost.": [["127.0.0.1", "::1"]]}
    with pytest.raises(NotSent, match=f"set PRIVATE_NETWORKS={re.escape(network)}, for example, and restart"):
        checked_target(url)
    settings.PRIVATE_NETWORKS = private_networks(network.split(","))
    assert checked_target(url).addresses


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/", "http://93.184.216.34/", "http://100.100.100.200/", "https://0.0.0.0/"]
)
def test_a_refusal_names_no_network_if_none_would_help(url: str, outside: Outside) -> None:
    with pytest.raises(NotSent) as refused:
        checked_target(url)
    assert "PRIVATE_NETWORKS=" not in refused.value.why


def test_the_former_setting_allows_only_this_machine(outside: Outside, settings: Any) -> None:
    settings.ACTIONS_LOOPBACK = True
    assert checked_target("http://127.0.0.1:9/").addresses == ("127.0.0.1",)
    assert checked_target("http://[::1]:9/").addresses == ("::1",)
    with pytest.raises(NotSent):
        checked_target("http://10.0.0.8/")


def test_the_demo_shop_is_allowed_only_at_its_own_port(outside: Outside, settings: Any) -> None:
    settings.OUTBOUND_OWN_ADDRESSES = ["127.0.0.1:8100"]
    assert checked_target("http://127.0.0.1:8100/merchant/v1").addresses == ("127.0.0.1",)
    for closed in ("http://127.0.0.1:8101/", "http://127.0.0.2:8100/", "http://localhost:8100/"):
        with pytest.raises(NotSent):
            checked_target(closed)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://shop.example/api", ""),
        ("http://shop.example/api", "https"),
        ("https://10.0.0.8", "PRIVATE_NETWORKS"),
        ("https://shop.example:22", "8443"),
        ("mailto:a@b", "http://"),
    ],
)
def test_addresses_that_can_never_be_called_are_refused_without_a_look_up(
    url: str, problem: str, outside: Outside
) -> None:
    assert problem in address_problem(url) and bool(address_problem(url)) is bool(problem)
    assert outside.asked == []


@pytest.mark.parametrize(
    "written", ["10.0.0.5/8", "shop.lan", "0.0.0.0/0", "8.8.8.0/24", "169.254.0.0/16", "::/0", "fe80::/10"]
)
def test_a_network_that_is_not_private_is_refused_by_name(written: str) -> None:
    with pytest.raises(ValueError, match="network") as refused:
        private_networks(["10.0.0.0/8", written])
    assert str(refused.value).startswith(written)


def test_networks_can_be_written_as_addresses() -> None:
    assert [str(net) for net in private_networks([" 10.0.0.5", "", "::1"])] == ["10.0.0.5/32", "::1/128"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("shop.example/help", "https://shop.example/help"),
        ("93.184.216.34", "https://93.184.216.34"),
        ("http://shop.example", "http://shop.example"),
        ("127.0.0.1:8000/help", "http://127.0.0.1:8000/help"),
        ("localhost:3000", "http://localhost:3000"),
        ("10.1.2.3", "http://10.1.2.3"),
        ("[fd00::1]:80", "http://[fd00::1]:80"),
        ("10.1.2.3:443", "https://10.1.2.3:443"),
        ("localhost:8443/help", "https://localhost:8443/help"),
        ("localhost.:3000", "http://localhost.:3000"),
        ("shop.localhost", "http://shop.localhost"),
        ("notlocalhost", "https://notlocalhost"),
        ("10.1.2.3:many", "https://10.1.2.3:many"),
        ("[broken", "https://[broken"),
        ("", ""),
    ],
)
def test_an_address_without_a_scheme_means_https_except_in_private_networks(typed: str, meant: str) -> None:
    assert with_scheme(typed) == meant
