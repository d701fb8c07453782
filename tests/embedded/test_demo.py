"""The demo's initial passwords are never accepted from a network."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection

from actions.registry import all_actions
from supportbot.accounts.models import User
from supportbot.embedded.demo import Demo, check_demo, refuse_exposed_passwords
from supportbot.embedded.product_processes import shop_child
from supportbot.installation.demo_facts import DemoFacts
from supportbot.installation.errors import StartRefused
from supportbot.installation.instance_secrets import ensure_secrets
from supportbot.installation.start_plan import Plan, is_loopback

FACTS: DemoFacts = {
    "workspace": "wrenfell",
    "channel": "pk_demo",
    "api_key": "sk_demo",
    "users": [{"role": "agent", "username": name, "password": None} for name in ("ines", "noor")],
}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        data_dir=tmp_path,
        host="127.0.0.1",
        port=8000,
        shop_port=8100,
        public_url="",
        database_url=None,
        redis_url=None,
        broker_url=None,
        embedder="packaged",
        with_demo=True,
    )


@pytest.mark.django_db(transaction=True)
def test_only_users_with_a_first_password_prevent_a_start(plan: Plan) -> None:
    secrets, url = ensure_secrets(plan.data_dir), own_database()
    User.objects.create_user("ines", password=secrets.demo_password("ines"))
    User.objects.create_user("noor", password="a password of her own")
    assert Demo(plan, url, secrets).users_with_first_password(FACTS) == ["ines"]


@pytest.mark.django_db(transaction=True)
def test_another_public_address_accepts_passwords_that_were_changed_before(plan: Plan) -> None:
    User.objects.create_user("ines", password="a password of her own")
    User.objects.create_user("noor", password="a password of his own")
    seeded(plan)
    opened = replace(plan, host="0.0.0.0", public_url="https://help.example.com", database_url=own_database())
    assert Demo(opened, own_database(), ensure_secrets(plan.data_dir)).saved_facts() is None
    assert check_demo(opened) == "no initial passwords left"

    first = ensure_secrets(plan.data_dir).demo_password("noor")
    User.objects.get(username="noor").delete()
    User.objects.create_user("noor", password=first)
    with pytest.raises(StartRefused, match=r"initial passwords: noor\."):
        check_demo(opened)
    with pytest.raises(StartRefused, match=r"initial passwords: the demo users \(not created yet\)"):
        check_demo(replace(opened, data_dir=plan.data_dir / "new"))


def own_database() -> str:
    return "postgresql://{USER}:{PASSWORD}@127.0.0.1:{PORT}/{NAME}".format(**connection.settings_dict)


def test_a_network_host_is_refused_with_the_user_names_and_loopback_is_not(plan: Plan) -> None:
    refuse_exposed_passwords(plan, ["ines"])
    refuse_exposed_passwords(replace(plan, host="0.0.0.0"), [])
    with pytest.raises(StartRefused, match=r"HOST=0\.0\.0\.0 .* initial passwords: ines\. .*changepassword"):
        refuse_exposed_passwords(replace(plan, host="0.0.0.0"), ["ines"])


@pytest.mark.parametrize("public_url", ["", "https://help.example.com"])
def test_the_shop_gets_the_address_at_which_a_browser_finds_the_platform(plan: Plan, public_url: str) -> None:
    plan = replace(plan, public_url=public_url)
    shop = shop_child(plan, plan.data_dir, channel="pk_1", identity_secret="s", webhook_secret="whsec_1")
    assert shop.environment["SHOP_PLATFORM_URL"] == (public_url or "http://127.0.0.1:8000")


def seeded(plan: Plan) -> Demo:
    """A folder whose demo was seeded by this version."""

    class Seeding:
        def run(self, *command: str) -> str:
            return json.dumps(FACTS)

    demo = Demo(plan, "postgresql://", ensure_secrets(plan.data_dir))
    demo.seed(Seeding())  # type: ignore[arg-type]  # all that `seed` needs of a CommandRunner
    return demo


def test_a_later_start_reuses_the_saved_facts(plan: Plan) -> None:
    assert seeded(plan).saved_facts() == FACTS


def test_a_demo_from_before_the_actions_is_seeded_again(plan: Plan) -> None:
    demo = seeded(plan)
    parts = [plan.base_url, plan.local_url, plan.shop_url, ""]
    old = hashlib.sha256("\n".join(parts).encode()).hexdigest()  # all facts that an old version saved
    (plan.data_dir / "seed.json").write_text(json.dumps({"for": old, "facts": FACTS}))
    assert demo.saved_facts() is None


@pytest.mark.parametrize("change", ["another action", "a new version"])
def test_other_actions_are_seeded_again(plan: Plan, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    demo, actions = seeded(plan), dict(all_actions())
    refund = actions["refund_order"]
    if change == "another action":
        del actions["refund_order"]
    else:
        monkeypatch.setattr(type(refund), "version", refund.version + 1)
    monkeypatch.setattr("supportbot.embedded.demo.all_actions", lambda: actions)
    assert demo.saved_facts() is None


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("localhost", True), ("::1", True), ("127.0.0.9", True), ("10.0.0.1", False), ("example.org", False)],
)
def test_loopback_hosts_are_recognised(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "http://127.0.0.1:8000"), ("::", "http://[::1]:8000"), ("::1", "http://[::1]:8000")],
)
def test_a_server_on_all_interfaces_is_reached_by_loopback(plan: Plan, host: str, address: str) -> None:
    plan = replace(plan, host=host)  # a server on all IPv6 addresses does not listen on IPv4
    assert (plan.local_url, plan.base_url) == (address, address)
    assert replace(plan, public_url="https://help.example.com").local_url == address
