"""How long a test waits for what must happen."""

from typing import Final

# Far longer than anything takes, since a busy machine decides no test: no passing test waits for it to pass.
PATIENCE_SECONDS: Final = 300.0
PATIENCE_MS: Final = PATIENCE_SECONDS * 1000
