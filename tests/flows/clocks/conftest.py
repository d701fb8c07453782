"""One stack whose processes read a clock that the tests move."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from supportbot.embedded.servers import postgres
from tests.embedded.instance import open_to_postgres
from tests.flows.stack import Stack, built

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
needs_clock = [
    pytest.mark.long,
    pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian's package faketime)"),
]


class Clock:
    """The wall clock of the child processes, which read its offset from a file once a second."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.variables = {
            "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip
        self.show("+0")

    def show(self, offset: str) -> None:
        self._file.write_text(offset)
        self._file.chmod(0o644)


@pytest.fixture(scope="package")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clock]:
    with pytest.MonkeyPatch.context() as patch:
        made = Clock(open_to_postgres(tmp_path_factory.mktemp("clock")) / "offset")
        for name, value in made.variables.items():
            patch.setenv(name, value)
        of_server = postgres._server_environment()
        patch.setattr(postgres, "_server_environment", lambda: {**of_server, **made.variables})
        yield made


@pytest.fixture(scope="package")
def stack(clock: Clock, tmp_path_factory: pytest.TempPathFactory, migrated_schema: Path) -> Iterator[Stack]:
    with built(open_to_postgres(tmp_path_factory.mktemp("stack")), migrated_schema) as made:
        yield made
