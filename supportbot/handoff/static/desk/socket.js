// The desk's socket. It reconnects by itself and reports its state as `live`, `lost` and `gone`.

const PING_EVERY = 25_000;
const SILENCE_LIMIT = 60_000;
const MAX_DELAY = 15_000;
const NOT_LOGGED_IN = 4401;
const WRONG_ORIGIN = 4403;

export class DeskSocket extends EventTarget {
  constructor(path) {
    super();
    this.address = new URL(path, location.href.replace(/^http/, "ws"));
    this.isLive = false;
    this.attempts = 0;
    setInterval(() => this.#ping(), PING_EVERY);
    addEventListener("online", () => this.tryNow());
    addEventListener("offline", () => this.#drop()); // the browser would only notice minutes later
  }

  open() {
    clearTimeout(this.timer);
    const socket = (this.socket = new WebSocket(this.address));
    const ifCurrent = (handler) => (event) => socket === this.socket && handler(event);
    socket.addEventListener("open", ifCurrent(() => this.#sayHello()));
    socket.addEventListener("message", ifCurrent((message) => this.#receive(JSON.parse(message.data))));
    socket.addEventListener("close", ifCurrent((closed) => this.#closed(closed.code)));
  }

  #sayHello() {
    this.receivedAt = Date.now(); // silence counts from here, not from the previous connection
    this.send({ type: "hello" });
  }

  /** Drop the connection at once: a normal close waits for a response, which never comes if the network is down. */
  #drop() {
    const dead = this.socket;
    if (!(dead?.readyState <= WebSocket.OPEN)) return; // a retry is already scheduled, or there will be none
    this.socket = null;
    dead.close();
    this.#closed();
  }

  /** Send a frame; return whether it was sent. */
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

  #receive(frame) {
    this.receivedAt = Date.now();
    if (frame.type === "welcome") {
      this.isLive = true;
      this.attempts = 0;
      this.#emit("live", frame);
    }
    this.#emit(frame.type, frame);
  }

  #closed(code) {
    this.isLive = false;
    if (code === NOT_LOGGED_IN || code === WRONG_ORIGIN) {
      this.hasGone = true;
      this.#emit("gone", { code });
      return;
    }
    const delay = Math.min(MAX_DELAY, 1000 * 2 ** this.attempts++) * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => this.open(), delay);
    this.#emit("lost", { delay });
  }

  #ping() {
    if (!this.send({ type: "ping" })) return;
    if (Date.now() - this.receivedAt > SILENCE_LIMIT) this.#drop();
  }

  #emit(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
