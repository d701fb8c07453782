"""The PG* variables of libpq: a person's defaults for their own servers, and no business of the embedded one."""

import os
import re

_LIBPQ_VARIABLE = re.compile(r"PG[A-Z]+")


def forget_libpq_defaults() -> None:
    """Remove PG* variables from this process and its children: PGHOSTADDR would lead past the address in a URL."""
    for name in [name for name in os.environ if _LIBPQ_VARIABLE.fullmatch(name)]:
        del os.environ[name]
