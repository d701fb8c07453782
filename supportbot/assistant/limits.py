"""What one turn may use at the most."""

from typing import Final

MAX_STEPS: Final = 8  # calls of the model in one turn
MAX_CALLS: Final = 8  # of tools, in one answer of the model
PASSAGES: Final = 6
LEAN_PASSAGES: Final = 2  # for a model that took the whole for too long
HISTORY_MESSAGES: Final = 40  # read; a remote model is sent what its budget holds
STATUS_AFTER_SECONDS: Final = 0.3
STILL_WORKING_AFTER_SECONDS: Final = 8.0
PIECE_CHARACTERS: Final = 200  # of an answer that comes all at once, checked before other chats have their turn
WINDOW_SECONDS: Final = 0.03  # deltas are joined into frames this far apart
SAVE_EVERY_SECONDS: Final = 1.0  # at most: the lease's heartbeat and the partial text travel together
DRAIN_SECONDS: Final = 10.0  # what a running turn gets at shutdown
POLL_SECONDS: Final = 2.0
