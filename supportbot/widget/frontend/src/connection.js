/**
 * One socket that comes back. It asks for a ticket, says hello with the last event seen, notices gaps and dead lines,
 * and waits longer after each failure. What is in the log is the truth: after any doubt, the log is asked again.
 *
 * Invariant: `seq` is the highest event handed on; events are handed on once each, in the order of the log.
 */

const PING_MS = 25_000;
const DEAD_AFTER_MS = 10_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
// Refusals that no waiting mends, and the close codes for them; the pause that a flood is asked for.
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
   * @param {{state: Function, frame: Function, event: Function}} heard
   * @param {AbortSignal} signal
   */
  constructor(server, heard, signal) {
    Object.assign(this, { server, heard });
    for (const name of ["online", "offline", "visibilitychange"]) addEventListener(name, () => this.#nudged(), { signal });
  }

  start() {
    this.isWanted = true;
    if (/idle|waiting/.test(this.state)) this.connect();
  }

  /** Close the socket and stay closed until `start`. */
  stop() {
    this.isWanted = false;
    this.#drop();
    this.#to("idle");
  }

  /** Send a frame; false if there is no line, and nothing was sent. */
  send(frame) {
    if (this.state !== "open") return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** Send a frame now, or as soon as there is a line. */
  deliver(frame) {
    this.send(frame) || this.kept.push(frame);
  }

  /** Somebody is at the chat, or the network is back: do not wait out the rest of the pause. */
  #nudged() {
    if (!this.isWanted || document.hidden) return;
    if (this.state === "open") navigator.onLine ? this.#ping() : this.#ended();
    else if (/waiting|offline/.test(this.state)) this.connect();
  }

  /** Open a line, a new one where there is one. */
  async connect() {
    this.#drop();
    this.#to("connecting");
    const attempt = (this.attempt = {});
    try {
      const ticket = await this.server.ticket();
      if (this.attempt === attempt) this.#open(ticket);
    } catch (error) {
      if (this.attempt === attempt) this.#failed(error);
    }
  }

  #failed(error) {
    this.#ended(error.code);
    if (!error.code) throw error;
  }

  #open({ ticket, ws_url: address }) {
    const socket = (this.socket = new WebSocket(address));
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ticket, last_seq: this.seq }));
    socket.onmessage = this.#here(({ data }) => this.#frame(JSON.parse(data)));
    socket.onclose = this.#here(({ code }) => this.#ended(code));
    this.#watchdog();
  }

  /** Hear something as long as this line is up; what comes later is of a chat that was left. */
  #here(heard) {
    const { socket } = this;
    return (it) => this.socket === socket && heard(it);
  }

  #frame(frame) {
    const { type } = frame;
    clearTimeout(this.dead);
    if (type === "event") this.#event(frame);
    else {
      if (type === "welcome") {
        this.failures = 0;
        this.pinging = setInterval(() => document.hidden || this.#ping(), PING_MS);
        this.#to("open");
      }
      this.heard.frame(frame);
    }
    if (type === "welcome") for (const kept of this.kept.splice(0)) this.send(kept);
    if (type === "reset") this.#read();
    // Something was not sent to this reader: ask for it.
    if (type === "head" && frame.seq > this.seq && !this.isReading) this.connect();
  }

  #event(event) {
    if (this.isReading || event.seq <= this.seq) return;
    if (event.prev_seq > this.seq) this.connect();
    else this.#hand(event);
  }

  #hand(event) {
    this.seq = event.seq;
    this.heard.event(event);
  }

  /** Too much was missed for the socket: read the whole log. What the socket says meanwhile shows as a gap later. */
  #read() {
    const hand = (events) => {
      for (const event of events) this.#hand(event);
      this.isReading = false;
    };
    this.isReading = true;
    this.seq = 0;
    this.server.events(0).then(this.#here(hand), this.#here((error) => this.#failed(error)));
  }

  /** A line that was cut in a tunnel says nothing at all, so silence ends it. */
  #watchdog() {
    clearTimeout(this.dead);
    this.dead = setTimeout(() => this.#ended(), DEAD_AFTER_MS);
  }

  #ping() {
    this.send({ type: "ping" });
    this.#watchdog();
  }

  /** The line is gone, or was refused: come back later, unless that cannot help. */
  #ended(code) {
    this.#drop();
    if (FINAL.includes(code)) this.#to("closed", code);
    else {
      this.#to(navigator.onLine ? "waiting" : "offline");
      // Jitter: after a restart of the server, not everybody comes back in the same second.
      const pause = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures++) * (0.5 + Math.random() / 2);
      this.again = setTimeout(() => this.connect(), pause + (PAUSES_MS[code] || 0));
    }
  }

  #drop() {
    const { socket } = this;
    this.socket = this.attempt = this.isReading = null;
    for (const timer of [this.again, this.dead, this.pinging]) clearTimeout(timer);
    socket?.close();
  }

  #to(state, code) {
    if (state === this.state) return;
    this.state = state;
    this.heard.state(state, code);
  }
}
