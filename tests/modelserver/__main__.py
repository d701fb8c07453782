"""Run the scripted server as a separate process until it is stopped."""

import argparse
import asyncio

from tests.modelserver.server import ModelServer


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", action="append", default=[])
    chosen = parser.parse_args()
    async with ModelServer(models=chosen.model or ["scripted"], port=chosen.port) as server:
        print(server.base_url, flush=True)  # noqa: T201  # the caller reads the address from here
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
