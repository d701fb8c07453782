"""Measure how soon a confirmed action starts, compared with a direct dispatch, and the number of actions per second.

    python -m bench.actions [--actions 150] [--parallel 4] [--seconds 120] [--json]

One run starts a temporary instance with its own worker (as `make run` does: threads, all queues) and a merchant in
memory. README.md explains the figures.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.figures import percentile, table
from bench.instance import Instance, temporary_folder, throw_away_instance
from bench.processes import ROOT, cpu_seconds, private_bytes, serving
from supportbot.embedded.free_ports import LOOPBACK, free_port
from supportbot.embedded.product_processes import ChildProcess

NO_MODEL: Final = "http://127.0.0.1:9"  # never called
WARM_UP: Final = 20
MIB: Final = 2**20
Figures = dict[str, Any]


def main() -> None:
    options = _options()
    with temporary_folder() as folder, throw_away_instance(folder, NO_MODEL) as instance, merchant(folder) as port:
        os.environ["SHOP_PORT"] = str(port)  # the port at which the settings allow a merchant on this machine
        with worker(instance) as child:
            starts, throughput = measure(f"http://{LOOPBACK}:{port}", child, options)
    if options.json:
        text = "\n".join(json.dumps(row) for row in [*starts, throughput])
    else:
        text = f"Commit to start:\n{table(starts)}\n\nWhole actions:\n{table([throughput])}"
    sys.stdout.write(text + "\n")


@contextmanager
def merchant(folder: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "bench.local_merchant", "--port", str(port)]
    with serving(command, port, folder / "merchant.log"):
        yield port


@contextmanager
def worker(instance: Instance) -> Iterator[ChildProcess]:
    """Run the product's worker together with the tasks of the benchmark."""
    child = instance.child("worker")
    child.command = [sys.executable, "-m", "bench.measured_worker"]
    child.environment = {**child.environment, "SHOP_PORT": os.environ["SHOP_PORT"], "PYTHONPATH": str(ROOT)}
    child.start()
    try:
        yield child
    finally:
        child.stop()


def measure(merchant_url: str, measured: ChildProcess, options: argparse.Namespace) -> tuple[list[Figures], Figures]:
    import django

    django.setup()
    from bench.confirming import Shopper  # needs the settings of the temporary instance

    shopper = Shopper(merchant_url)
    if not shopper.sees_worker(lambda: measured.is_alive) or measured.pid is None:
        raise SystemExit(f"The worker did not start: {measured.log and measured.log.read_text()[-800:]}")
    worker_pid = measured.pid
    shopper.starts(WARM_UP, options.seconds)
    action, direct = shopper.starts(options.actions, options.seconds)
    began, own_cpu, cpu = shopper.clock(), time.process_time(), cpu_seconds(worker_pid)
    made, confirmed_after, done_after = shopper.many(options.actions, options.parallel, options.seconds)
    return [_row("direct delay()", direct, direct), _row("action", action, direct)], {
        "actions": made,
        "confirmed_per_second": round(made / (confirmed_after - began), 1),
        "done_per_second": round(made / (done_after - began), 1),
        "caller_cpu_ms_per_action": round((time.process_time() - own_cpu) / made * 1000, 1),
        "worker_cpu_ms_per_action": round((cpu_seconds(worker_pid) - cpu) / made * 1000, 1),
        "worker_mib": round(private_bytes(worker_pid) / MIB),
    }


def _row(name: str, values: Sequence[float], bar: Sequence[float]) -> Figures:
    shown = {f"p{percent}_ms": percentile(values, percent) for percent in (50, 95, 99)}
    return {
        "": name,
        "starts": len(values),
        **shown,
        "p50_over_direct": round(percentile(values, 50) / (percentile(bar, 50) or 1), 2),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actions", type=int, default=150)
    parser.add_argument("--parallel", type=int, default=4, help="customers who confirm at once, for actions per second")
    parser.add_argument("--seconds", type=float, default=120.0, help="time limit of each of the two parts")
    parser.add_argument("--json", action="store_true", help="JSON Lines instead of tables")
    return parser.parse_args()


if __name__ == "__main__":
    main()
