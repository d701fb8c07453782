"""The product's settings, with a gateway that does not give up: a model of these flows pauses until the test goes on,
which takes longer than the usual limits on a busy machine.
"""

from supportbot.settings import *  # noqa: F403  # all of them
from tests.patience import PATIENCE_SECONDS

MODEL_DEADLINE_SECONDS = LLM_FIRST_TOKEN_SECONDS = LLM_GAP_SECONDS = PATIENCE_SECONDS
