"""Kill the product's processes while customers chat, then look for lost, doubled and failed answers.

    python -m bench.storm [--seconds 160] [--chats 100] [--pause 12] [--seed 1] [--json]

It starts `manage.py up` with two web processes and the paced model. During the storm, it kills a web process six times,
the worker three times, Valkey three times, PostgreSQL three times and beat once, at even intervals and in random order;
the supervisor starts them again. Every chat also cuts its own connection about once in 100 seconds. After the last
kill, nobody asks anything new. Then each customer's view is compared with the log.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import redis

from bench.figures import percentile
from bench.instance import temporary_folder
from bench.processes import ROOT, paced_model
from bench.stubborn_chats import Failure, Problems, StubbornChat
from supportbot.embedded.child_processes import stop
from supportbot.embedded.free_ports import LOOPBACK, free_port

BLOWS: Final = {"web": 6, "worker": 3, "valkey": 3, "postgres": 3, "beat": 1}
START_SECONDS: Final = 300.0
END_SECONDS: Final = 300.0  # after the last kill; an answer that has not ended by this time is lost
WEB_PROCESSES: Final = 2


@dataclass(frozen=True)
class Running:
    """An instance of `make run`."""

    data: Path
    channel: str
    origin: str
    base: str

    def kill(self, kind: str, rng: random.Random) -> bool:
        """Kill a process of this kind, as a crash would. If all of them are down at the moment, say so and return
        False.
        """
        registry = json.loads((self.data / "processes.json").read_text())["processes"]
        found = [known["pid"] for name, known in sorted(registry.items()) if name.partition("-")[0] == kind]
        try:
            os.kill(rng.choice(found), signal.SIGKILL)
        except (IndexError, ProcessLookupError):
            sys.stderr.write(f"{kind} was already down\n")
            return False
        return True

    def forget_counts(self) -> None:
        """Reset the rate limits: all customers share one IP address, which may open only so many chats per minute."""
        known = json.loads((self.data / "runtime.json").read_text())
        try:
            with redis.Redis.from_url(f"{known['redis_url']}/2") as cache:
                cache.flushdb()
        except redis.RedisError:  # it was killed
            return


@contextmanager
def running(folder: Path, model_url: str) -> Iterator[Running]:
    data, port, shop_port = folder / "data", free_port(), free_port()
    settings = {
        "DATA_DIR": str(data),
        "PORT": str(port),
        "SHOP_PORT": str(shop_port),
        "WEB_PROCESSES": str(WEB_PROCESSES),
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "OPENAI_API_KEY": "bench",
        "OPENAI_MODEL": "paced",
    }
    with (folder / "up.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up", "--json"],
            env={**os.environ, **settings},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise SystemExit(f"The instance did not start: {(folder / 'up.log').read_text()[-800:]}")
        demo = json.loads(line)
        yield Running(data, demo["channel"], f"http://{LOOPBACK}:{shop_port}", f"http://{LOOPBACK}:{port}")
    finally:
        stop(server, (signal.SIGTERM, 60.0))


async def storm(instance: Running, options: argparse.Namespace) -> dict[str, Any]:
    rng = random.Random(options.seed)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        chats = [
            StubbornChat(client, instance.base, instance.origin, instance.channel, options.pause, random.Random(number))
            for number in range(options.chats)
        ]
        is_over = asyncio.Event()
        forgetting = asyncio.create_task(_keep_forgetting(instance))
        chatting = [asyncio.create_task(chat.chat_until(is_over)) for chat in chats]
        kills = await _strike(instance, rng, options.seconds)
        last_kill = time.monotonic()
        is_over.set()
        _, late = await asyncio.wait(chatting, timeout=END_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        found = [await chat.problems() for chat in chats]
        forgetting.cancel()
    return _report(chats, found, kills, last_kill)


async def _strike(instance: Running, rng: random.Random, seconds: float) -> list[tuple[datetime, str]]:
    """Spread the kills evenly over the time; the first comes after one interval, the last at the end."""
    done = []
    kinds = [kind for kind, count in BLOWS.items() for _ in range(count)]
    rng.shuffle(kinds)
    for kind in kinds:
        await asyncio.sleep(seconds / len(kinds))
        if instance.kill(kind, rng):
            done.append((datetime.now(UTC), kind))
    return done


async def _keep_forgetting(instance: Running) -> None:
    while True:
        await asyncio.to_thread(instance.forget_counts)
        await asyncio.sleep(2)


def _report(
    chats: list[StubbornChat], found: list[Problems], kills: list[tuple[datetime, str]], last_kill: float
) -> dict[str, Any]:
    waits = [seconds for chat in chats for seconds in chat.ack_seconds]
    return {
        "kills": dict(Counter(kind for _, kind in kills)),
        "messages": sum(len(chat.asked) for chat in chats),
        "acknowledged": len(waits),
        "answered": sum(one.answered for one in found),
        "lost": sum(one.lost for one in found),
        "doubled": sum(one.doubled for one in found),
        "gaps": sum(one.gaps for one in found),
        "different_text": sum(one.different for one in found),
        "failed": [_story(failure, kills) for one in found for failure in one.failures],
        "last_answer_seconds": round(max(max(chat.last_end for chat in chats) - last_kill, 0.0), 1),
        "ack_seconds_p50": percentile(waits, 50),
        "ack_seconds_p95": percentile(waits, 95),
        "closes": dict(sum((chat.closes for chat in chats), Counter[str]())),
    }


def _story(failure: Failure, kills: list[tuple[datetime, str]]) -> str:
    """Describe a failed answer: when each attempt began, and which kills happened in the meantime, in seconds."""
    began = failure.attempts[0] if failure.attempts else failure.at
    attempts = ", ".join(f"{(at - began).total_seconds():.1f}" for at in failure.attempts)
    met = ", ".join(
        f"{kind} at {(at - began).total_seconds():.1f}"
        for at, kind in kills
        if began - timedelta(seconds=2) <= at <= failure.at
    )
    return f"{failure.code} after {(failure.at - began).total_seconds():.1f} s; attempts at {attempts}; killed: {met}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=160, help="length of the storm")
    parser.add_argument("--chats", type=int, default=100, help="number of concurrent chats")
    parser.add_argument("--pause", type=float, default=12, help="mean seconds between an answer and the next question")
    parser.add_argument("--seed", type=int, default=1, help="seed of the order of kills")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a list")
    options = parser.parse_args()
    with temporary_folder() as folder, paced_model(folder) as model_url, running(folder, model_url) as instance:
        report = asyncio.run(storm(instance, options))
    lines = [json.dumps(report)] if options.json else [f"{name:<20} {value}" for name, value in report.items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
