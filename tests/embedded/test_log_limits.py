"""The size limit of logs."""

import errno
import shutil
from pathlib import Path

import pytest

from supportbot.embedded.supervisor import limit_logs


def test_a_log_above_the_limit_is_moved_and_its_writer_continues(tmp_path: Path) -> None:
    log, small = tmp_path / "web.log", tmp_path / "beat.log"
    small.write_text("short")
    (tmp_path / "web.log.1").write_text("older")
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        limit_logs(tmp_path, limit_bytes=100)
        writer.write(b"next")
    assert log.read_bytes() == b"next"
    assert (tmp_path / "web.log.1").read_bytes() == b"x" * 101
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beat.log", "web.log", "web.log.1"]
    assert small.read_text() == "short"


def test_on_a_full_disk_a_log_is_emptied_and_no_process_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"xx")  # this much still fits
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    (tmp_path / "web.log").write_bytes(b"x" * 101)
    (tmp_path / "gone.log").symlink_to(tmp_path / "nowhere")
    limit_logs(tmp_path, limit_bytes=100)
    assert (tmp_path / "web.log").read_bytes() == b""
    assert not (tmp_path / "web.log.1").exists()
