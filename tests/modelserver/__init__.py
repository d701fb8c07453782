"""An OpenAI-compatible server that behaves as a test asks, including faults. Standard library only.

In a test: `async with ModelServer() as server: server.will(Behaviour(text="Hello."))`, then point a client at
`server.base_url`. On its own, for tests that start processes: `python -m tests.modelserver --port 9100`, then
`POST /__will` with a JSON list of behaviours and `GET /__log` for its requests.
"""

from tests.modelserver.behaviour import Behaviour, Call
from tests.modelserver.server import ModelServer

__all__ = ["Behaviour", "Call", "ModelServer"]
