"""The product's worker, as `manage.py work` runs it, together with the tasks of the benchmark."""

import os
import sys
from importlib import import_module

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    import_module("bench.starts")  # Celery must know its task and its signal handler before the worker starts
    execute_from_command_line([sys.argv[0], "work"])
