/**
 * One socket that comes back. It asks for a ticket, says hello with the last event seen, notices gaps and dead lines,
 * and waits longer after each failure. What is in the log is the truth: after any doubt, the log is asked again.
 *
 * Invariant: `seq` is the highest event handed on, and events are handed on once each, in the order of the log.
 */

import { Refusal } from "./api.js";

const PING_MS = 25_000;
const DEAD_AFTER_MS = 10_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
// Refusals that no waiting mends.
const FINAL = new Set(["origin_refused", "unknown_channel", "invalid"]);
const ORIGIN = 4403;
const UNKNOWN_ADDRESS = 4404;
const IDLE = 4408;
const SLOW = 4429;

export class Connection {
  #socket = null;
  #failures = 0;
  #timers = {};
  #isCatchingUp = false;
  #isBehind = false;
  #isWanted = false;

  seq = 0;
  /** @type {"idle"|"connecting"|"open"|"waiting"|"offline"|"refused"} */
  state = "idle";

  /**
   * @param {{ticket: () => Promise<object>, events: (after: number) => Promise<object[]>}} server
   * @param {{state: Function, opened: Function, frame: Function, event: Function, reset: Function, refused: Function}} heard
   */
  constructor(server, heard) {
    this.server = server;
    this.heard = heard;
    this.stopListening = listen({
      online: () => this.#hurry(),
      offline: () => this.#isWanted && this.#to("offline"),
      visibilitychange: () => !document.hidden && this.#hurry(),
    });
  }

  get isOpen() {
    return this.state === "open";
  }

  start() {
    this.#isWanted = true;
    if (["idle", "waiting", "refused"].includes(this.state)) this.#connect();
  }

  /** Close the socket and stay closed until `start`. */
  stop() {
    this.#isWanted = false;
    this.#drop();
    this.#to("idle");
  }

  /** Go on with another conversation, from its first event. */
  async restart() {
    this.#drop();
    this.seq = 0;
    this.state = "idle";
    this.#failures = 0;
    this.#isWanted = true;
    await this.#connect();
  }

  destroy() {
    this.stop();
    this.stopListening();
  }

  /** Send a frame; false if there is no line, and nothing was sent. */
  send(frame) {
    if (this.state !== "open") return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Somebody is at the chat: do not wait out the rest of the pause. */
  #hurry() {
    if (!this.#isWanted) return;
    if (this.state === "open") this.#ping();
    else if (this.state !== "connecting" && this.state !== "refused") this.#connect();
  }

  async #connect() {
    clearTimeout(this.#timers.again);
    this.#to(navigator.onLine ? "connecting" : "offline");
    const attempt = {};
    this.attempt = attempt;
    try {
      const ticket = await this.server.ticket();
      if (this.attempt === attempt) this.#open(ticket);
    } catch (error) {
      if (this.attempt === attempt) this.#failed(error);
    }
  }

  #failed(error) {
    if (!(error instanceof Refusal)) throw error;
    if (!FINAL.has(error.code)) return this.#later(error.retryAfterSeconds * 1000);
    this.#to("refused");
    this.heard.refused(error);
  }

  #open({ ticket, ws_url }) {
    const socket = new WebSocket(ws_url);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ticket, last_seq: this.seq }));
    socket.onmessage = ({ data }) => this.#socket === socket && this.#frame(JSON.parse(data));
    socket.onclose = ({ code }) => this.#socket === socket && this.#closed(code);
    this.#watchdog();
  }

  #frame(frame) {
    clearTimeout(this.#timers.dead);
    if (frame.type === "event") return this.#event(frame);
    if (frame.type === "welcome") this.#welcome(frame);
    if (frame.type === "head" && frame.seq > this.seq) this.#catchUp();
    if (frame.type === "reset") {
      this.seq = 0;
      this.heard.reset();
      this.#catchUp();
    }
    this.heard.frame(frame);
  }

  #welcome(welcome) {
    this.#failures = 0;
    this.#timers.ping = setInterval(() => document.hidden || this.#ping(), PING_MS);
    this.#to("open");
    this.heard.opened(welcome);
  }

  #event(event) {
    if (event.seq <= this.seq) return;
    // Something came between that this reader was not sent.
    if (event.prev_seq > this.seq) return this.#catchUp();
    this.#hand(event);
  }

  #hand(event) {
    if (event.seq <= this.seq) return;
    this.seq = event.seq;
    this.heard.event(event);
  }

  /** Ask the log. What the socket says meanwhile is behind a gap: then it is asked once more. */
  async #catchUp() {
    this.#isBehind = true;
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    try {
      while (this.#isBehind) {
        this.#isBehind = false;
        for (const event of await this.server.events(this.seq)) this.#hand(event);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (this.#socket) this.#socket.close();
    } finally {
      this.#isCatchingUp = false;
    }
  }

  #ping() {
    if (this.send({ type: "ping" })) this.#watchdog();
  }

  /** A line that was cut in a tunnel says nothing at all, so silence ends it. */
  #watchdog() {
    const socket = this.#socket;
    clearTimeout(this.#timers.dead);
    this.#timers.dead = setTimeout(() => this.#socket === socket && this.#lost(), DEAD_AFTER_MS);
  }

  #lost() {
    this.#drop();
    this.#later();
  }

  #closed(code) {
    this.#drop();
    if (code === ORIGIN || code === UNKNOWN_ADDRESS) {
      this.#to("refused");
      return this.heard.refused(new Refusal("origin_refused"));
    }
    // Nobody was there for half an hour: the next sign of life opens the line again.
    if (code === IDLE && document.hidden) return this.#to("waiting");
    return this.#later(code === SLOW ? 5000 : 0);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.attempt = null;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    if (socket) socket.close();
  }

  #later(leastMs = 0) {
    if (!this.#isWanted) return this.#to("idle");
    this.#to(navigator.onLine ? "waiting" : "offline");
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures++);
    // Jitter: after a restart of the server, not everybody comes back in the same second.
    this.#timers.again = setTimeout(() => this.#connect(), leastMs + longest * (0.5 + Math.random() / 2));
    return undefined;
  }

  #to(state) {
    if (state === this.state) return;
    this.state = state;
    this.heard.state(state);
  }
}

function listen(listeners) {
  const target = (name) => (name === "visibilitychange" ? document : window);
  for (const [name, listener] of Object.entries(listeners)) target(name).addEventListener(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) target(name).removeEventListener(name, listener);
  };
}
