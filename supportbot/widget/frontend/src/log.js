/**
 * What the chat shows, made from the log's events: items by key. No page, no network, no clock.
 *
 * Invariants: items stand in the order of their first event, what was not sent yet at the end; an answer's text is what
 * `assistant.final` says, whatever was shown before; a card's state only comes from `action.*` events.
 *
 * @typedef {{key: string, kind: "me"|"bot"|"human"|"note"|"mark"|"wait"|"card"|"rate", seq: number, at?: string}} Item
 */

const NOBODY = { mode: "assistant", agent: "" };

export class Log {
  /** @param {(item: Item) => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.clear();
  }

  /** Forget all but these items. */
  clear(kept = []) {
    /** @type {Map<string, Item>} */
    this.items = new Map(kept.map((item) => [item.key, item]));
    Object.assign(this, NOBODY, { writing: null, isEnded: false, seq: 0 });
  }

  /** Whether something is still on its way to this customer: a person, or the end of an action. */
  get isAwaited() {
    return this.agent || this.of("wait").concat(this.of("card")).some(({ isOver }) => !isOver);
  }

  /** What the customer wrote here and the server does not have yet. */
  get unsent() {
    return this.of("me").filter(({ seq }) => seq === Infinity);
  }

  of(kind) {
    return [...this.items.values()].filter((item) => item.kind === kind);
  }

  /** Change an item, or begin it; its place is that of its first event. */
  put(key, { seq, ...facts }) {
    const item = this.items.get(key) || { key, seq: seq ?? this.seq + 0.5 };
    // Only the server's own number says that it has what was written here.
    if (item.seq === Infinity && seq) item.seq = seq;
    this.items.set(key, Object.assign(item, facts));
    this.changed(item);
    // What is said, or asked anew, closes what was asked before.
    if (item.kind === "me" || item.blocks || item.ends) for (const other of this.items.values()) if (other.blocks && other !== item) this.changed(other);
    return item;
  }

  /** What the customer says here; `frame` is how it is sent. */
  say(key, text, frame = { type: "message", text }) {
    return this.put(key, { kind: "me", seq: Infinity, text, frame, state: "waiting" });
  }

  /** The answer being written, as the welcome found it, or with another piece. */
  resume({ message, attempt, text }) {
    this.writing = message;
    this.put(message, { kind: "bot", message, attempt, text });
  }

  delta({ message, attempt, text }) {
    const { attempt: known = 0, text: before = "", isOver } = this.items.get(message) || {};
    if (!isOver && attempt >= known) this.resume({ message, attempt, text: attempt === known ? before + text : text });
  }

  /** Tell a known item more, such as what an answer is doing or who is next. */
  more(key, facts) {
    if (this.items.has(key)) this.put(key, facts);
  }

  /** @param {{seq: number, event: string, payload: object, created_at: string}} event */
  apply({ seq, event, payload, created_at: at }) {
    this.seq = seq;
    this.mark = null;
    const [topic, step] = event.split(".");
    const entry = { seq, at, ...payload };
    if (topic === "message") this.#message(entry);
    else if (topic === "assistant") this.#answer(entry, step);
    else if (topic === "action") this.#card(entry, step);
    else if (topic === "handoff") this.#handoff(entry, step);
    else if (topic === "read" && payload.who !== "customer") for (const { key, seq: said, readAt } of this.of("me")) if (said <= payload.seq && !readAt) this.put(key, { readAt: at });
  }

  #message({ client_id: clientId, ...entry }) {
    const kind = { customer: "me", agent: "human" }[entry.source] || "note";
    this.put(clientId || entry.message, { ...entry, kind, state: "sent" });
    if (!entry.ends) return;
    Object.assign(this, NOBODY, { isEnded: true, writing: null });
    this.#rating(entry);
  }

  #answer(entry, step) {
    const { message, attempt } = entry;
    if (step === "started") {
      const known = this.items.get(message);
      this.writing = message;
      // The welcome may have brought this attempt's first words before its event.
      this.put(message, { ...entry, kind: "bot", text: known?.attempt === attempt ? known.text : "", isOver: false, status: "" });
      return;
    }
    if (this.writing === message) this.writing = null;
    this.put(message, { citations: [], ...entry, kind: "bot", isOver: true, isFailed: step === "failed" });
    // An answer that says why something is refused says all that the card would.
    for (const { key, state, reason } of this.of("card")) if (state === "refused" && entry.text?.includes(reason?.text)) this.put(key, { isSaid: true });
  }

  #card({ title, reason, ...entry }, state) {
    const { times, title: first = title } = this.items.get(entry.request) || {};
    // Only these come of an answer; the steps of an older card may come while another one is written.
    if (/proposed|refused/.test(state)) this.more(this.writing, { hasCard: true });
    const isOver = !/proposed|awaiting|queued|unknown/.test(state);
    this.put(entry.request, { ...entry, reason, title: first, kind: "card", state, isOver, times: { ...times, [state]: entry.at }, deciding: "", problem: "" });
  }

  #handoff({ ticket, agent, outcome, by, ...entry }, step) {
    if (step === "requested") {
      Object.assign(this, { mode: "waiting", agent: "" });
      this.put(ticket, { ...entry, kind: "wait", isOver: false });
      return;
    }
    const name = agent || this.agent;
    Object.assign(this, step === "joined" ? { mode: "person", agent } : NOBODY);
    this.more(ticket, { isOver: true });
    // The assistant is silent once a person is there: what it had not finished stays as it is.
    if (step === "joined") {
      this.more(this.writing, { citations: [], isOver: true, isCut: true });
      this.writing = null;
    }
    // Whoever ended the chat themselves is told so by the message that follows.
    if (outcome !== "resolved" || !by) this.mark = this.put(entry.seq, { ...entry, kind: "mark", step: outcome || step, name });
    if (outcome === "resolved") this.#rating(entry);
  }

  /** Ask once how it was, below what was said last. */
  #rating({ seq, at }) {
    this.put("rate", { at, kind: "rate" }).seq = seq + 0.5;
  }
}
