"""Finding a running instance, ignoring the files of a dead one, and its secrets."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from supportbot.installation.errors import StartRefused
from supportbot.installation.instance_secrets import ensure_secrets
from supportbot.installation.process_identity import identify
from supportbot.installation.running_instance import Addresses, load_runtime, save_runtime


def addresses(pid: int, started: str) -> Addresses:
    return Addresses(
        supervisor_pid=pid,
        supervisor_started=started,
        database_url="postgresql://u:p@127.0.0.1:1/d",
        redis_url="redis://127.0.0.1:2",
        broker_url="redis://127.0.0.1:2/0",
        base_url="http://127.0.0.1:8000",
        shop_url="http://127.0.0.1:8100",
    )


def test_secrets_are_generated_once_and_private(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path / "data")
    assert ensure_secrets(tmp_path / "data") == first
    assert stat.S_IMODE((tmp_path / "data" / "secrets.json").stat().st_mode) == 0o600
    assert ensure_secrets(tmp_path / "other") != first


def test_concurrent_processes_get_the_same_secrets(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from supportbot.installation.instance_secrets import ensure_secrets;"
        "print(ensure_secrets(Path(sys.argv[1])).secret_key)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data")]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({process.communicate()[0] for process in asking}) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secrets.json"]


def test_every_demo_user_has_a_separate_password(tmp_path: Path) -> None:
    secrets = ensure_secrets(tmp_path)
    assert secrets.demo_password("ada") == secrets.demo_password("ada")
    assert secrets.demo_password("ada") != secrets.demo_password("ben")
    assert len(secrets.demo_password("ada")) == 16


def test_damaged_secrets_are_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"secret_key": "only"}')
    with pytest.raises(StartRefused, match="lacks a secret"):
        ensure_secrets(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == '{"secret_key": "only"}'


@pytest.mark.parametrize("value", ["", 5, None])
def test_a_secret_that_is_not_a_string_is_refused(tmp_path: Path, value: object) -> None:
    known = asdict(ensure_secrets(tmp_path))
    (tmp_path / "secrets.json").write_text(json.dumps({**known, "field_key": value}))
    with pytest.raises(StartRefused, match="lacks a secret"):
        ensure_secrets(tmp_path)


@pytest.mark.parametrize("changed", [{"database_url": 5}, {"supervisor_pid": "1"}])
def test_addresses_of_the_wrong_type_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    content = {**asdict(addresses(os.getpid(), "1")), **changed}
    (tmp_path / "runtime.json").write_text(json.dumps(content))
    with pytest.raises(StartRefused, match=r"runtime\.json is damaged"):
        load_runtime(tmp_path)


def test_a_running_instance_is_found(tmp_path: Path) -> None:
    me = identify(os.getpid())
    assert me is not None
    save_runtime(tmp_path, addresses(me.pid, me.started))
    runtime = load_runtime(tmp_path)
    assert runtime is not None
    assert runtime.database_url == "postgresql://u:p@127.0.0.1:1/d"
    assert runtime.secrets == ensure_secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / "runtime.json").stat().st_mode) == 0o600


def test_the_file_of_a_killed_supervisor_is_ignored(tmp_path: Path) -> None:
    # A process with this id is alive, but it was started at another time.
    save_runtime(tmp_path, addresses(os.getpid(), "1"))
    assert load_runtime(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{broken"])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "runtime.json").write_text(text)
    with pytest.raises(StartRefused, match=r"runtime\.json"):
        load_runtime(tmp_path)


def test_without_a_start_no_instance_is_found(tmp_path: Path) -> None:
    assert load_runtime(tmp_path) is None
    assert load_runtime(tmp_path / "missing") is None
