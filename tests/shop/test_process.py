"""Starting, stopping, crashing and restarting."""

import signal
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port
from tests.shop.process import ShopProcess, start_manage

REFUND = {
    "order": "WF-20404",
    "customer": "cus_1001",
    "amount": "54.00",
    "currency": "EUR",
    "reason": "Arrived damaged",
    "key": "k1",
}


def refused_start(shop: ShopProcess, **changes: str) -> str:
    """Return the error message with which it exits."""
    variables = {name: value for name, value in (shop.variables() | changes).items() if value}
    process = start_manage("serve", variables)
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode != 0
    assert output == ""
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == 1, errors
    return errors


@pytest.fixture
def stopped_shop(tmp_path: Path) -> ShopProcess:
    return ShopProcess(tmp_path / "data", reserved_port())


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_keeps_the_data(own_shop: ShopProcess, how: signal.Signals) -> None:
    own_shop.signed_post("/merchant/v1/refunds", REFUND)
    assert own_shop.stop(how) == 0
    own_shop.start()
    assert [entry["key"] for entry in own_shop.ledger()["refunds"]] == ["k1"]
    assert own_shop.order("WF-20404")["refunded"] == "54.00"


def test_acknowledged_data_survives_a_kill(own_shop: ShopProcess) -> None:
    receipt = own_shop.signed_post("/merchant/v1/refunds", REFUND).json
    own_shop.stop(signal.SIGKILL)
    own_shop.start()
    again = own_shop.signed_post("/merchant/v1/refunds", REFUND)
    assert (again.json, again.headers["idempotent-replay"]) == (receipt, "true")
    assert len(own_shop.ledger()["refunds"]) == 1


@pytest.mark.long
def test_a_restart_clears_faults(own_shop: ShopProcess) -> None:
    own_shop.post("/api/faults", {"fail_next": 9})
    own_shop.stop()
    own_shop.start()
    assert own_shop.signed_get("/merchant/v1/orders/WF-20404").status == 200


@pytest.mark.long
def test_a_stop_does_not_wait_for_a_slow_call(own_shop: ShopProcess) -> None:
    own_shop.post("/api/faults", {"delay_seconds": 60})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(own_shop.signed_post, "/merchant/v1/refunds", REFUND)
        own_shop.until_waiting(1)
        assert own_shop.stop() == 0
        assert asked.result(timeout=PATIENCE_SECONDS).status == 503
    own_shop.start()
    assert own_shop.signed_get("/merchant/v1/operations/k1").status == 404
    assert own_shop.ledger()["refunds"] == []


@pytest.mark.long
def test_a_lost_database_is_reported_as_an_error(own_shop: ShopProcess) -> None:
    for file in own_shop.data_dir.iterdir():
        file.write_bytes(b"this is no database " * 100)
    answer = own_shop.get("/healthz")
    assert (answer.status, answer.code) == (500, "server_error")
    assert own_shop.get("/").status == 200


def test_nobody_else_can_read_the_data(any_shop: ShopProcess) -> None:
    database = any_shop.data_dir / "shop.sqlite3"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert stat.S_IMODE(any_shop.data_dir.stat().st_mode) == 0o700


def test_the_shop_listens_on_loopback_only(any_shop: ShopProcess) -> None:
    """Another loopback address represents every other address of the machine."""
    with socket.socket() as caller:
        assert caller.connect_ex(("127.0.0.1", any_shop.port)) == 0
    with socket.socket() as caller:
        assert caller.connect_ex(("127.0.0.2", any_shop.port)) != 0


@pytest.mark.long
def test_a_taken_port_is_reported_and_the_data_is_kept(stopped_shop: ShopProcess) -> None:
    with socket.create_server(("127.0.0.1", stopped_shop.port)):
        message = refused_start(stopped_shop)
    assert str(stopped_shop.port) in message
    assert "SHOP_PORT" in message
    assert not stopped_shop.data_dir.exists()


# One in every run, since each starts a process.
REFUSED = [
    ("SHOP_DATA_DIR", ""),
    ("SHOP_PLATFORM_URL", "http://x/ 'unsafe-inline'"),
    ("SHOP_PORT", "eighty"),
    ("SHOP_CHANNEL_KEY", 'pk_1" onload="x'),
    ("SHOP_IDENTITY_SECRET", "too short"),
    ("SHOP_WEBHOOK_SECRET", "whsec_$$$"),
]
ALSO_REFUSED = [
    *((name, "") for name in ("SHOP_PORT", "SHOP_CHANNEL_KEY")),
    *((name, "") for name in ("SHOP_IDENTITY_SECRET", "SHOP_WEBHOOK_SECRET", "SHOP_PLATFORM_URL")),
    *(("SHOP_PLATFORM_URL", value) for value in ("127.0.0.1:8000", "http://x/path")),
    *(("SHOP_PORT", value) for value in ("0", "65536", "-1", "１００")),
    ("SHOP_CHANNEL_KEY", "sk_secret"),
    *(("SHOP_WEBHOOK_SECRET", value) for value in ("whsec_AAAA", "no-prefix" * 5, "whsec_é")),
]


@pytest.mark.long
@pytest.mark.parametrize(
    ("variable", "value"), [*REFUSED, *(pytest.param(*one, marks=pytest.mark.long) for one in ALSO_REFUSED)]
)
def test_an_invalid_setting_is_named(stopped_shop: ShopProcess, variable: str, value: str) -> None:
    assert variable in refused_start(stopped_shop, **{variable: value})
    assert not stopped_shop.data_dir.exists()


@pytest.mark.long
def test_a_folder_with_other_files_is_refused(stopped_shop: ShopProcess) -> None:
    stopped_shop.data_dir.mkdir()
    (stopped_shop.data_dir / "shop.sqlite3").write_text("this is no database " * 100)
    message = refused_start(stopped_shop)
    assert "SHOP_DATA_DIR" in message
    assert (stopped_shop.data_dir / "shop.sqlite3").read_text().startswith("this is no database")


@pytest.mark.long
def test_a_folder_that_cannot_be_created_is_reported(stopped_shop: ShopProcess) -> None:
    stopped_shop.data_dir.write_text("a file in the way")
    assert "SHOP_DATA_DIR" in refused_start(stopped_shop)
