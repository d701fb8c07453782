"""Limits of one turn."""

from typing import Final

MAX_STEPS: Final = 8  # model calls in one turn
MAX_CALLS: Final = 8  # tool calls in one model answer
PASSAGES: Final = 6
ANSWER_TOKENS: Final = 800  # the default for releases that set none
LEAN_PASSAGES: Final = 2  # for a second call to a model that took too long with the full request
HISTORY_MESSAGES: Final = 40  # messages to read; a remote model gets as many of them as fit its budget
STATUS_AFTER_SECONDS: Final = 0.3
STILL_WORKING_AFTER_SECONDS: Final = 8.0
# how many characters of an answer that arrives all at once are checked before other chats get their turn
PIECE_CHARACTERS: Final = 200
# Deltas are joined into frames at this interval. It is shorter than the one at which answers are read
# (`llm.providers.transport`), so a delta rarely waits for a timer.
WINDOW_SECONDS: Final = 0.05
SAVE_EVERY_SECONDS: Final = 1.0  # the heartbeat of the lease also saves the partial text
DRAIN_SECONDS: Final = 10.0  # the time for running turns at shutdown
POLL_SECONDS: Final = 2.0
