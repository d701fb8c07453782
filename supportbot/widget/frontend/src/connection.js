/**
 * A socket that reconnects. It requests a ticket, sends `hello` with the last event seen, detects gaps and dead
 * connections, and waits longer after each failure. The log is authoritative: when in doubt, it is read again.
 *
 * Invariant: `seq` is the last event handed on; each event is handed on once, in the order of the log.
 */

const PING_MS = 25_000;
const DEAD_AFTER_MS = 10_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
// Errors that retrying cannot fix, and their close codes; the extra pause after flooding.
const FINAL = ["origin_refused", "unknown_channel", "invalid", 4403, 4404];
const PAUSES_MS = { 4429: 5000 };

export class Connection {
  seq = 0;
  /** @type {"idle"|"connecting"|"open"|"waiting"|"offline"|"closed"} */
  state = "idle";
  kept = [];
  failures = 0;

  /**
   * @param {{ticket: () => Promise<object>, events: (after: number) => Promise<object[]>}} server
   * @param {{state: Function, frame: Function, event: Function}} handlers
   * @param {AbortSignal} signal
   */
  constructor(server, handlers, signal) {
    Object.assign(this, { server, handlers });
    for (const name of ["online", "offline", "visibilitychange"]) addEventListener(name, () => this.#resume(), { signal });
  }

  start() {
    this.isWanted = true;
    if (/idle|waiting/.test(this.state)) this.connect();
  }

  /** Close the socket and stay closed until `start`. */
  stop() {
    this.isWanted = false;
    this.#closeSocket();
    this.#setState("idle");
  }

  /** Send a frame; return false if there is no connection. */
  send(frame) {
    if (this.state !== "open") return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** Send a frame now, or as soon as there is a connection. */
  deliver(frame) {
    this.send(frame) || this.kept.push(frame);
  }

  /** The page is visible again, or the network is back: reconnect without waiting any longer. */
  #resume() {
    if (!this.isWanted || document.hidden) return;
    if (this.state === "open") navigator.onLine ? this.#ping() : this.#disconnected();
    else if (/waiting|offline/.test(this.state)) this.connect();
  }

  /** Open a connection, replacing the current one. */
  async connect() {
    this.#closeSocket();
    this.#setState("connecting");
    const attempt = (this.attempt = {});
    try {
      const ticket = await this.server.ticket();
      if (this.attempt === attempt) this.#open(ticket);
    } catch (error) {
      if (this.attempt === attempt) this.#failed(error);
    }
  }

  #failed(error) {
    this.#disconnected(error.code);
    if (!error.code) throw error;
  }

  #open({ ticket, ws_url: address }) {
    const socket = (this.socket = new WebSocket(address));
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ticket, last_seq: this.seq }));
    socket.onmessage = this.#whileCurrent(({ data }) => this.#frame(JSON.parse(data)));
    socket.onclose = this.#whileCurrent(({ code }) => this.#disconnected(code));
    this.#watchdog();
  }

  /** Wrap a callback so that it runs only while this socket is the current one. */
  #whileCurrent(callback) {
    const { socket } = this;
    return (it) => this.socket === socket && callback(it);
  }

  #frame(frame) {
    const { type } = frame;
    clearTimeout(this.dead);
    if (type === "event") this.#event(frame);
    else {
      if (type === "welcome") {
        this.failures = 0;
        this.pinging = setInterval(() => document.hidden || this.#ping(), PING_MS);
        this.#setState("open");
      }
      this.handlers.frame(frame);
    }
    if (type === "welcome") for (const kept of this.kept.splice(0)) this.send(kept);
    if (type === "reset") this.#readLog();
    // An event is missing: reconnect to get it.
    if (type === "head" && frame.seq > this.seq && !this.isReading) this.connect();
  }

  #event(event) {
    if (this.isReading || event.seq <= this.seq) return;
    if (event.prev_seq > this.seq) this.connect();
    else this.#handOn(event);
  }

  #handOn(event) {
    this.seq = event.seq;
    this.handlers.event(event);
  }

  /** Too much was missed for the socket: read the whole log. Events that arrive meanwhile show up as a gap later. */
  #readLog() {
    const replay = (events) => {
      for (const event of events) this.#handOn(event);
      this.isReading = false;
    };
    this.isReading = true;
    this.seq = 0;
    this.server.events(0).then(this.#whileCurrent(replay), this.#whileCurrent((error) => this.#failed(error)));
  }

  /** A broken connection may not report an error, so silence ends it. */
  #watchdog() {
    clearTimeout(this.dead);
    this.dead = setTimeout(() => this.#disconnected(), DEAD_AFTER_MS);
  }

  #ping() {
    this.send({ type: "ping" });
    this.#watchdog();
  }

  /** The connection is lost or was refused: retry later, unless that cannot help. */
  #disconnected(code) {
    this.#closeSocket();
    if (FINAL.includes(code)) this.#setState("closed", code);
    else {
      this.#setState(navigator.onLine ? "waiting" : "offline");
      // Jitter: after a restart of the server, clients do not all reconnect in the same second.
      const pause = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures++) * (0.5 + Math.random() / 2);
      this.again = setTimeout(() => this.connect(), pause + (PAUSES_MS[code] || 0));
    }
  }

  #closeSocket() {
    const { socket } = this;
    this.socket = this.attempt = this.isReading = null;
    for (const timer of [this.again, this.dead, this.pinging]) clearTimeout(timer);
    socket?.close();
  }

  #setState(state, code) {
    if (state === this.state) return;
    this.state = state;
    this.handlers.state(state, code);
  }
}
