"""Measure the memory of an idle socket, with many open and silent sockets in the web process.

    python -m bench.idle [--sockets 500] [--compression] [--json]

Valkey is the channel layer and the cache, as in production. `--compression` offers permessage-deflate, as browsers do.
"""

import argparse
import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import aiohttp

from bench.chats import ProductChat
from bench.figures import table
from bench.instance import Instance, Web, temporary_folder, throw_away_instance
from bench.measuring import open_all
from bench.processes import cpu_seconds, private_bytes, resident_bytes

NO_MODEL: Final = "http://127.0.0.1:9"  # never called
WARM_UP: Final = 40
BATCH: Final = 50  # below the limit per address and minute
QUIET_SECONDS: Final = 10.0


def main() -> None:
    options = _options()
    with temporary_folder() as folder, throw_away_instance(folder, NO_MODEL) as instance, instance.web() as web:
        figures = asyncio.run(_measure(instance, web, options.sockets, options.compression))
    sys.stdout.write((json.dumps(figures) if options.json else table([figures])) + "\n")


async def _measure(instance: Instance, web: Web, sockets: int, offers_compression: bool) -> dict[str, Any]:
    open_chat = partial(ProductChat.open, web=web, channel=instance.channel, offers_compression=offers_compression)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))

        async def open_some(count: int) -> None:
            for opened in range(0, count, BATCH):
                instance.forget_counts()
                await open_all(stack, [open_chat] * min(BATCH, count - opened), client)

        # Pay the one-time cost of connections, caches and code before the measurement.
        await open_some(WARM_UP)
        memory_before, began = private_bytes(web.pid), time.monotonic()
        await open_some(sockets)
        seconds = time.monotonic() - began
        await asyncio.sleep(2)
        memory, cpu = private_bytes(web.pid), cpu_seconds(web.pid)
        await asyncio.sleep(QUIET_SECONDS)
        return {
            "sockets": sockets,
            "kib_per_socket": round((memory - memory_before) / sockets / 1024, 1),
            "opened_per_second": round(sockets / seconds),
            "idle_cpu_percent": round((cpu_seconds(web.pid) - cpu) / QUIET_SECONDS * 100, 1),
            "process_mib": round(resident_bytes(web.pid) / 2**20),
        }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--compression", action="store_true", help="offer permessage-deflate")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
