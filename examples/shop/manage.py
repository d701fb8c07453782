"""Start script of the demo shop: `manage.py serve`, and Django's own commands."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    # Set rather than defaulted, since a supervisor that is a Django project passes on its own settings module in the
    # environment.
    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:  # Ctrl-C before the server handles the signal
        sys.exit(130)


if __name__ == "__main__":
    main()
