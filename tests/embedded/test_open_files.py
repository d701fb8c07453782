"""How many files and sockets a process may open: `serve` raises its own limit, and `doctor` reports one that is low."""

import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from supportbot.embedded.open_files import FEWEST, MOST, check_open_files
from supportbot.installation.errors import StartRefused
from supportbot.installation.start_plan import plan_from_environment

RAISED = """
import resource
from supportbot.embedded.open_files import raise_limit
raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))"""


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the highest number of open files that the system allows."""
    return lambda most: monkeypatch.setattr(resource, "getrlimit", lambda which: (min(1024, most), most))


@pytest.mark.parametrize(("soft", "hard"), [(256, 4096), (300, 300)])
@pytest.mark.long
def test_a_process_raises_its_limit_to_what_it_is_allowed(soft: int, hard: int) -> None:
    started = subprocess.run(
        [sys.executable, "-c", RAISED],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert started.stdout.split() == [str(hard), str(hard)]


@pytest.mark.parametrize(("allowed", "reported"), [(FEWEST, FEWEST), (2**20, MOST), (resource.RLIM_INFINITY, MOST)])
def test_doctor_reports_how_many_files_are_allowed(allow: Callable[[int], None], allowed: int, reported: int) -> None:
    allow(allowed)
    assert check_open_files(plan_from_environment()) == str(reported)


def test_doctor_says_where_to_raise_a_low_limit(allow: Callable[[int], None]) -> None:
    allow(1024)
    words = r"only 1024 files and sockets.* at least 4096: nofile in .*limits\.conf, LimitNOFILE"
    with pytest.raises(StartRefused, match=words):
        check_open_files(plan_from_environment())
