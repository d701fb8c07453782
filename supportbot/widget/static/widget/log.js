/**
 * What the chat shows, made from the log's events: a list of items, each with a `key`. No page, no network, no clock.
 *
 * Invariants: items stand in the order of their first event, what was not sent yet at the end; an answer's text is what
 * `assistant.final` says, whatever was shown before; a card's state only comes from `action.*` events.
 *
 * @typedef {{key: string, kind: "me"|"bot"|"human"|"note"|"mark"|"card"|"rate", seq: number, at?: string}} Item
 */

export const UNSENT = Infinity;
const ACTION_ENDS = new Set(["succeeded", "failed", "cancelled", "expired", "rejected", "refused"]);

export class Log {
  /** @param {(item: Item, isNew: boolean) => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.clear();
  }

  clear() {
    /** @type {Map<string, Item>} */
    this.items = new Map();
    /** @type {"assistant"|"waiting"|"person"} */
    this.mode = "assistant";
    this.agent = "";
    this.ticket = null;
    this.place = null;
    this.isEnded = false;
    this.writing = null;
    this.seq = 0;
  }

  get isEmpty() {
    return this.items.size === 0;
  }

  /** Whether something is still on its way to this customer. */
  get isAwaited() {
    return this.mode !== "assistant" || [...this.items.values()].some((item) => item.kind === "card" && !ACTION_ENDS.has(item.state));
  }

  /** @param {{seq: number, event: string, payload: object, created_at: string}} event */
  apply({ seq, event, payload, created_at: at }) {
    this.seq = seq;
    const [topic, step] = event.split(".");
    if (topic === "message") this.#message(seq, at, payload);
    else if (topic === "assistant") this.#answer(step, seq, at, payload);
    else if (topic === "action") this.#card(step, seq, at, payload);
    else if (topic === "handoff") this.#handoff(step, seq, at, payload);
    else if (event === "conversation.ended") this.#end(seq, at);
    else if (event === "read") this.#read(payload, at);
  }

  /** Note what the customer wrote here, before the server has it. */
  say(clientId, text) {
    return this.#put(clientId, { kind: "me", seq: UNSENT, text, clientId, state: "waiting" });
  }

  /** A message is on its way (`sending`), waits for a line (`waiting`), or was refused (`failed`, with the reason). */
  mark(clientId, state, reason = "") {
    const item = this.items.get(clientId);
    if (item && item.seq === UNSENT) this.#put(clientId, { state, reason });
  }

  unsent() {
    return [...this.items.values()].filter((item) => item.kind === "me" && item.seq === UNSENT);
  }

  /** The answer that is being written, as the welcome found it. */
  resume({ message, attempt, index, text }) {
    this.writing = message;
    this.#put(message, { kind: "bot", state: "streaming", attempt, next: index, text, seq: this.#seqOf(message) });
  }

  delta({ message, attempt, index, text }) {
    const item = this.items.get(message);
    const before = item && item.attempt === attempt ? item.text : "";
    if (item && (item.attempt > attempt || item.isOver)) return;
    this.writing = message;
    this.#put(message, { kind: "bot", state: "streaming", attempt, next: index + 1, text: before + text, status: "", seq: this.#seqOf(message) });
  }

  status({ message, text }) {
    const item = this.items.get(message);
    if (item && !item.isOver && !item.text) this.#put(message, { status: text });
  }

  queue({ place, wait }) {
    this.place = place;
    this.wait = wait;
    if (this.ticket) this.#put(`wait-${this.ticket}`, { place, wait });
  }

  /** Between the click and the event that tells the outcome; `problem` gives the card back, with the reason. */
  decide(request, state, problem = "") {
    if (this.items.has(request)) this.#put(request, { deciding: state, problem });
  }

  #put(key, facts) {
    const known = this.items.get(key);
    const item = Object.assign(known || { key }, facts);
    this.items.set(key, item);
    this.changed(item, !known);
    return item;
  }

  #seqOf(key) {
    const item = this.items.get(key);
    return item && item.seq !== UNSENT ? item.seq : this.seq + 0.5;
  }

  #message(seq, at, { message, source, author, text, client_id: clientId }) {
    if (source === "customer") {
      this.isEnded = false;
      this.#put(clientId || message, { kind: "me", seq, at, text, state: "sent", reason: "" });
    } else if (source === "agent") this.#put(message, { kind: "human", seq, at, text, author: author || this.agent });
    else this.#put(message, { kind: "note", seq, at, text });
  }

  #answer(step, seq, at, payload) {
    const { message } = payload;
    if (step === "started") {
      this.writing = message;
      this.#put(message, { kind: "bot", seq: this.#seqOf(message), at, state: "working", attempt: payload.attempt, next: 0, text: "", status: "", isOver: false });
      return;
    }
    if (this.writing === message) this.writing = null;
    const text = step === "final" ? payload.text : (this.items.get(message) || { text: "" }).text;
    this.#put(message, { ...payload, kind: "bot", seq: this.#seqOf(message), at, text, state: step, isOver: true });
  }

  #card(step, seq, at, payload) {
    const known = this.items.get(payload.request) || { seq, steps: {} };
    const steps = { ...known.steps, [step]: at };
    const state = step === "proposed" ? "proposed" : step;
    this.#put(payload.request, { ...payload, kind: "card", seq: known.seq, at, title: known.title || payload.title, state, steps, deciding: "", problem: "" });
  }

  #handoff(step, seq, at, { ticket, agent, place, outcome }) {
    const waiting = this.items.get(`wait-${ticket}`);
    if (step === "requested") {
      Object.assign(this, { mode: "waiting", ticket, place, agent: "" });
      this.#put(`wait-${ticket}`, { kind: "wait", seq, at, place, isOver: false });
      return;
    }
    const before = this.agent;
    this.ticket = null;
    Object.assign(this, step === "joined" ? { mode: "person", agent } : { mode: "assistant", agent: "" });
    if (waiting) this.#put(`wait-${ticket}`, { isOver: true });
    if (step === "joined") this.#cutOff();
    this.#put(`mark-${seq}`, { kind: "mark", seq, at, step, agent: agent || before, outcome });
    if (outcome === "resolved") this.#put(`rate-${ticket}`, { kind: "rate", seq: seq + 0.25, at });
  }

  /** The assistant is silent once a person is there: what it had not finished stays as it is. */
  #cutOff() {
    const item = this.items.get(this.writing);
    this.writing = null;
    if (item) this.#put(item.key, { state: "final", isOver: true, isCut: true });
  }

  #end(seq, at) {
    Object.assign(this, { isEnded: true, mode: "assistant", agent: "", writing: null });
    this.#put(`mark-${seq}`, { kind: "mark", seq, at, step: "closed" });
    this.#put(`rate-${seq}`, { kind: "rate", seq: seq + 0.25, at });
  }

  #read({ seq, who }, at) {
    if (who === "customer") return;
    for (const item of this.items.values()) if (item.kind === "me" && item.seq <= seq && !item.readAt) this.#put(item.key, { readAt: at });
  }
}
