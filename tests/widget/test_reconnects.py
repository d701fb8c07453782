"""After a restart of the server, browsers reconnect at different times."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from tests.patience import PATIENCE_SECONDS

SCRIPTS = {
    "chat": "supportbot/widget/frontend/src/connection.js",
    "desk": "supportbot/handoff/static/desk/socket.js",
}
# A page in which nothing happens by itself. `chance` is what the next draw returns.
PAGE = """
let chance, socket, pause;
Math.random = () => chance;
Object.assign(globalThis, {
  addEventListener() {}, document: { hidden: false }, location: { href: "http://shop.test/" },
  setInterval() {}, setTimeout: (run, delay) => { pause = delay; },
  WebSocket: class extends EventTarget { constructor() { super(); socket = this; } send() {} close() {} },
});
Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });
const { Connection } = await import("./chat.mjs");
const { DeskSocket } = await import("./desk.mjs");
const pauses = { chat: [], desk: [] };
for (chance of [0, 0.5, 0.99]) {
  const server = { ticket: async () => ({ ws_url: "ws://shop.test/" }) };
  await new Connection(server, { state() {} }).connect();
  socket.onclose({ code: 1012 });
  pauses.chat.push(pause);
  new DeskSocket("/ws/").open();
  socket.dispatchEvent(Object.assign(new Event("close"), { code: 1012 }));
  pauses.desk.push(pause);
}
console.log(JSON.stringify(pauses));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_browsers_reconnect_at_different_times(tmp_path: Path) -> None:
    for name, source in SCRIPTS.items():
        shutil.copy(settings.BASE_DIR / source, tmp_path / f"{name}.mjs")
    (tmp_path / "page.mjs").write_text(PAGE)
    ran = subprocess.run(
        ["node", "page.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stderr
    for name, pauses in json.loads(ran.stdout).items():
        assert pauses == sorted(set(pauses)) and 200 < pauses[0] < pauses[-1] * 0.7, (name, pauses)
