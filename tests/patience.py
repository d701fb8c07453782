"""How long a test waits for something that must happen."""

from typing import Final

# Far longer than anything takes, so that no test fails on a busy machine. A passing test never waits this long.
PATIENCE_SECONDS: Final = 300.0
PATIENCE_MS: Final = PATIENCE_SECONDS * 1000
