"""The temporary servers of a test run, started before Django reads its settings.

pytest-django reads settings ahead of every conftest, so this is an early plugin (`-p tests.plugin`). The servers live
in a folder of the system's temporary directory that is removed at the end, even after Ctrl-C. Workers of xdist inherit
the addresses; each has its own data directory.
"""

import fcntl
import gc
import os
import shutil
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from xdist.scheduler import LoadFileScheduling

from supportbot.embedded.servers.os_accounts import server_account
from supportbot.embedded.servers.postgres import PostgresServer
from supportbot.embedded.servers.valkey import ValkeyServer
from supportbot.installation.environment import clear_libpq_environment
from supportbot.installation.process_identity import identify
from tests.ports import reserved_port

PREFIX = "supportbot-tests-"
OUTSIDE_WORLD = ("OPENAI_", "OTEL_", "KB_", "LLM_", "EMAIL_", "SUPPORTBOT_", "SHOP_")
OUTSIDE_NAMES = {"PUBLIC_URL", "HOST", "PORT", "ALLOWED_HOSTS"}
# objects created before garbage collection; Python's default of 700 would collect constantly
GARBAGE_THRESHOLD = 100_000
FLOWS = "tests/flows"
# Folders whose tests start processes, the slowest first: a run would otherwise end with one worker's long tail.
FIRST = (FLOWS, "tests/deploy", "tests/upgrade", "tests/embedded")
# Each of up to six workers keeps the connections of its threads (tests/connections.py).
CONNECTIONS = 200
# What a test in every run may take, in processor seconds; CONTRIBUTING.md says what to do about more.
LONG_SECONDS = 2.0

_servers: "TestServers | None" = None


class TestServers:
    """One PostgreSQL for the whole run, and one Valkey as soon as a test asks for it."""

    __test__ = False

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        account = server_account()
        if account is not None:  # the user that runs PostgreSQL cannot access root's temporary folder
            os.chown(self.folder, account.uid, account.gid)
        self.data_dir = self.folder / "data"
        (self.data_dir / "static").mkdir(parents=True)
        self.postgres = PostgresServer(
            self.folder / "postgres",
            password="test",
            port=reserved_port(),
            log=self.folder / "postgres.log",
            durable=False,
            connections=CONNECTIONS,
        )

    def start(self) -> None:
        clear_libpq_environment()
        self.postgres.start()
        self._log_in_cheaply()
        for name in [name for name in os.environ if name.startswith(OUTSIDE_WORLD) or name in OUTSIDE_NAMES]:
            del os.environ[name]  # tests must not call a developer's own model or mail server
        os.environ.update(
            PYTEST_DEBUG_TEMPROOT=str(self.folder),  # tests' folders are created where they are removed with the rest
            DATABASE_URL=self.postgres.url(),
            DATABASE_POOL_SIZE="0",  # with a pool, a missing server would cost every test ten seconds
            DATA_DIR=str(self.data_dir),
            SECRET_KEY="tests-only-and-nowhere-else",
            FIELD_KEYS="dGVzdHMtb25seS1hbmQtbm93aGVyZS1lbHNlLTMyYnk=",
            REDIS_URL="",  # the layer and the cache are in the process; a test that needs Valkey uses `valkey_url`
            CELERY_BROKER_URL="memory://",
            WEB_PROCESSES="1",
        )

    def _log_in_cheaply(self) -> None:
        """Use few hash rounds: tests connect ten thousand times, and the slow hash is half of the cost."""
        with psycopg.connect(self.postgres.conninfo(), autocommit=True) as connection:
            connection.execute("SET scram_iterations = 1")
            connection.execute("ALTER ROLE CURRENT_USER PASSWORD 'test'")

    def stop(self) -> None:
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _write_bytecode() -> None:
    """Write bytecode whatever the environment says: hundreds of processes would compile the product otherwise."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def remove_forgotten() -> None:
    """Remove what killed runs have left; their servers died with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and identify(int(owner)) is None:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, Any]:
    """A wrapper runs ahead of pytest-django's own hook, whatever the order of registration."""
    global _servers
    _write_bytecode()
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        own = Path(os.environ["DATA_DIR"]).with_name(f"data-{worker}")
        (own / "static").mkdir(parents=True)
        os.environ["DATA_DIR"] = str(own)
    else:
        remove_forgotten()
        _servers = TestServers()
        early_config.add_cleanup(_servers.stop)
        _servers.start()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    gc.disable()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    # In a fresh checkout, pytest compiles every test, which takes longer than the rest: one worker does it for all.
    with Path(os.environ["PYTEST_DEBUG_TEMPROOT"], "compiling").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _are_tests_compiled():
            fcntl.flock(lock, fcntl.LOCK_UN)
        return (yield)


def _are_tests_compiled() -> bool:
    """Return whether most test modules have been compiled by pytest."""
    here = Path(__file__).parent
    name = f"test_*.{sys.implementation.cache_tag}-pytest-{pytest.__version__}.pyc"
    compiled = sum(1 for _ in here.glob(f"**/__pycache__/{name}"))
    return compiled > sum(1 for _ in here.glob("**/test_*.py")) / 2


def pytest_collection_finish() -> None:
    """Exclude collected tests from garbage collection, since they live until the end."""
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark rows of tables `long`, and put the slowest folders first. This happens before the selection by -m.

    Of a test marked `one_in(n)`, each n-th row stays in every run, starting with the first.
    """
    items.sort(key=_order)
    rows: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("one_in")
        if mark is not None:
            test = item.nodeid.partition("[")[0]
            if rows[test] % mark.args[0]:
                item.add_marker(pytest.mark.long)
            rows[test] += 1


def _order(item: pytest.Item) -> int:
    folders = [place for place, folder in enumerate(FIRST) if item.nodeid.startswith(f"{folder}/")]
    return folders[0] if folders else len(FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Replace lone surrogates in logs, which a worker cannot send to the run as UTF-8."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


def stay_on_loopback() -> None:
    """Let tests reach only this machine: a connection elsewhere fails at once and names its target."""
    connect = socket.socket.connect

    def connect_at_home(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address[0]}:{address[1]}; the network is off in tests")
        connect(self, address)

    socket.socket.connect = connect_at_home  # type: ignore[method-assign]  # for the whole run


class LongTests:
    """A list of the tests that took too much processor time and are not marked `long`. The time includes processes that
    a test has ended when it returns, but neither PostgreSQL nor fixtures that other tests share. Nothing fails: the
    same test takes twice as long on a busy machine.
    """

    def __init__(self) -> None:
        self._began = self._shared = 0.0
        self._found: dict[str, float] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self._began, self._shared = _processor_seconds(), 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        if fixturedef.scope == "function":
            return (yield)
        began = _processor_seconds()
        made = yield
        self._shared += _processor_seconds() - began
        return made

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "call":
            vars(report)["processor_seconds"] = _processor_seconds() - self._began - self._shared  # workers send it
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        seconds = getattr(report, "processor_seconds", 0.0)
        if seconds > LONG_SECONDS and "long" not in report.keywords:
            self._found[report.nodeid] = seconds

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._found:
            terminalreporter.section(f"tests of more than {LONG_SECONDS:g} processor seconds")
        for name, seconds in sorted(self._found.items(), key=lambda found: -found[1]):
            terminalreporter.line(f"{seconds:5.1f} s  {name}")


def _processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def pytest_configure(config: pytest.Config) -> None:
    stay_on_loopback()
    config.pluginmanager.register(LongTests())


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are cores, since a test waits about as long as it computes."""
    return len(os.sched_getaffinity(0)) + 1


class OneWorkerPerStack(LoadFileScheduling):
    """Like `--dist loadfile`, but one worker runs all flows, since each worker would start the whole product."""

    def _split_scope(self, nodeid: str) -> str:
        return FLOWS if nodeid.startswith(f"{FLOWS}/") else str(super()._split_scope(nodeid))


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerPerStack | None:
    return OneWorkerPerStack(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a fresh, real Valkey of this process (no database number)."""
    folder = tmp_path_factory.mktemp("valkey")
    server = ValkeyServer(folder, password="test", port=reserved_port(), log=folder / "valkey.log")
    server.start()
    yield server.url()
    server.stop()


@pytest.fixture(scope="session")
def deployment_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server for this process only: deployments create a role, and roles belong to the whole server."""
    from tests.embedded.instance import open_to_postgres  # reads the settings

    folder = open_to_postgres(tmp_path_factory.mktemp("deployment"))
    home, log = folder / "postgres", folder / "postgres.log"
    server = PostgresServer(home, password="test", port=reserved_port(), log=log, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def unused_port() -> int:
    return reserved_port()
