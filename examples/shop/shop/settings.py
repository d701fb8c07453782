"""Django's settings for the demo shop. What differs between two shops is in `environment.py`."""

import os
from pathlib import Path

# `serve` insists on the folder; Django's own commands, such as makemigrations, do without one.
DATA_DIR = os.environ.get("SHOP_DATA_DIR")

DEBUG = False
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = ["shop.middleware.LoopbackOnly", "shop.middleware.JsonErrors"]
# The port belongs to the check as well, which this setting cannot say: see LoopbackOnly.
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
APPEND_SLASH = False

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(DATA_DIR).absolute() / "shop.sqlite3" if DATA_DIR else ":memory:",
        "OPTIONS": {
            # A transaction takes the write lock when it begins: what it has read cannot change before it writes.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # With FULL an answered refund survives a power cut, not just a killed process.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Django keeps the traceback of a failed request to itself when DEBUG is off.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "loggers": {"django": {"handlers": ["stderr"], "propagate": False}},
}

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
# The largest body anyone has a reason to send is a refund with a few items.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
