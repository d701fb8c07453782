"""A pytest plugin that records which product modules run in a test: `-p scripts.turn_modules` with TURN_MODULES=<file>.

The file gets a JSON object: each module in which a function was called, with the modules that its functions called.
Calls in all threads count. Code at the top of a module, which runs on import, does not, nor does anything that a web
process loads when it starts. The oldest Python that this project supports has no `sys.monitoring`, so every call is
inspected, and a test takes several times as long.
"""

import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("supportbot", "kb", "actions")


class Recorder:
    def __init__(self) -> None:
        self.is_on = False
        self.next_modules: defaultdict[str, set[str]] = defaultdict(set)

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        if not self.is_on or event != "call":
            return
        called = module_of(frame.f_code.co_filename)
        if called is None or any(_is_importing(one) for one in _stack(frame)):
            return
        self.next_modules[called]  # adds the module, even if it calls no other
        callers = (module_of(one.f_code.co_filename) for one in _stack(frame.f_back))
        caller = next((name for name in callers if name is not None), called)
        if caller != called:
            self.next_modules[caller].add(called)


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and its callers."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_importing(frame: FrameType) -> bool:
    """Return whether a frame runs the code at the top of a product module."""
    return frame.f_code.co_name == "<module>" and module_of(frame.f_code.co_filename) is not None


@cache
def module_of(file: str) -> str | None:
    """Return the name of a file's product module, or None for test doubles and all other files."""
    path = Path(file)
    if not path.is_relative_to(ROOT):
        return None
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts) if parts[0] in PACKAGES and parts[-1] != "testing" else None


recorder = Recorder()


def pytest_configure() -> None:
    # Before any thread is started, since only threads that are started later are profiled.
    threading.setprofile(recorder.profile)
    sys.setprofile(recorder.profile)


def pytest_runtest_call() -> None:
    # Imported here because their models need a configured Django.
    from kb.embedders.packaged import PackagedEmbedder
    from supportbot.lifespan import warm_up

    warm_up()
    PackagedEmbedder().load()  # in tests, the index has another embedder
    recorder.is_on = True


def pytest_runtest_teardown() -> None:
    recorder.is_on = False


def pytest_sessionfinish() -> None:
    found = {name: sorted(following) for name, following in sorted(recorder.next_modules.items())}
    Path(os.environ["TURN_MODULES"]).write_text(json.dumps(found), encoding="utf-8")
