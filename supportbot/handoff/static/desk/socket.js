// The desk's socket: opened again until it holds, and silent about nothing: `live`, `lost` and `gone` say how it stands.

const PING_EVERY = 25_000;
const SILENT_FOR = 60_000;
const LONGEST_PAUSE = 15_000;
const NOT_LOGGED_IN = 4401;
const NOT_WELCOME = 4403;

export class DeskSocket extends EventTarget {
  constructor(path) {
    super();
    this.address = new URL(path, location.href.replace(/^http/, "ws"));
    this.isLive = false;
    this.tries = 0;
    setInterval(() => this.#ping(), PING_EVERY);
    addEventListener("online", () => this.tryNow());
    addEventListener("offline", () => this.#drop()); // the browser itself would notice minutes later
  }

  open() {
    clearTimeout(this.timer);
    const socket = (this.socket = new WebSocket(this.address));
    const whileUsed = (heard) => (event) => socket === this.socket && heard(event);
    socket.addEventListener("open", whileUsed(() => this.#greet()));
    socket.addEventListener("message", whileUsed((message) => this.#take(JSON.parse(message.data))));
    socket.addEventListener("close", whileUsed((closed) => this.#closed(closed.code)));
  }

  #greet() {
    this.heardAt = Date.now(); // its silence counts from here, not from the last word of the line before
    this.send({ type: "hello" });
  }

  /** Give the line up at once: a socket that closes waits for an answer, which nobody brings while there is no network. */
  #drop() {
    const dead = this.socket;
    if (!(dead?.readyState <= WebSocket.OPEN)) return; // the next try is due already, or none
    this.socket = null;
    dead.close();
    this.#closed();
  }

  /** Send a frame; return whether it left. */
  send(frame) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  tryNow() {
    if ((this.socket?.readyState ?? WebSocket.CLOSED) > WebSocket.OPEN && !this.hasGone) this.open();
  }

  on(kind, listener) {
    this.addEventListener(kind, (event) => listener(event.detail));
  }

  #take(frame) {
    this.heardAt = Date.now();
    if (frame.type === "welcome") {
      this.isLive = true;
      this.tries = 0;
      this.#tell("live", frame);
    }
    this.#tell(frame.type, frame);
  }

  #closed(code) {
    this.isLive = false;
    if (code === NOT_LOGGED_IN || code === NOT_WELCOME) {
      this.hasGone = true;
      this.#tell("gone", { code });
      return;
    }
    const pause = Math.min(LONGEST_PAUSE, 1000 * 2 ** this.tries++) * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => this.open(), pause);
    this.#tell("lost", { pause });
  }

  #ping() {
    if (!this.send({ type: "ping" })) return;
    if (Date.now() - this.heardAt > SILENT_FOR) this.#drop();
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
