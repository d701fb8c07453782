"""Django's settings for the demo shop. What differs between two shops is in `environment.py`."""

import hashlib
import hmac
import os
from pathlib import Path

# `serve` requires the folder; Django's own commands, such as makemigrations, do not.
DATA_DIR = os.environ.get("SHOP_DATA_DIR")

DEBUG = False
INSTALLED_APPS = ["django.contrib.sessions", "shop"]
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = [
    "shop.middleware.LoopbackOnly",
    "shop.middleware.PageHeaders",
    "shop.middleware.JsonErrors",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request", "shop.page.page"],
        },
    }
]
# The port must be checked too, which this setting cannot express: see LoopbackOnly.
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
APPEND_SLASH = False

# Derived from the identity secret: a different key, but the same at every start, and just as secret.
SECRET_KEY = hmac.digest(
    os.environ.get("SHOP_IDENTITY_SECRET", "").encode(), b"sessions and forms of the shop", hashlib.sha256
).hex()
# Cookies ignore the port: those of the platform or a second shop on this machine would overwrite ours.
_OWN = f"wrenfell_{os.environ.get('SHOP_PORT', '')}"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, LANGUAGE_COOKIE_NAME = f"{_OWN}_session", f"{_OWN}_csrf", f"{_OWN}_language"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "shop.views.pages.stale_form"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(DATA_DIR).absolute() / "shop.sqlite3" if DATA_DIR else ":memory:",
        "OPTIONS": {
            # A transaction takes the write lock when it begins, so what it has read cannot change before it writes.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # With FULL, a refund that was confirmed to the caller survives a power cut, not just a killed process.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Django does not log the traceback of a failed request when DEBUG is off.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "loggers": {"django": {"handlers": ["stderr"], "propagate": False}},
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
# The largest legitimate body is a refund with a few items.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
