/**
 * The items the chat shows, built from the log's events. No DOM, no network, no clock.
 *
 * Invariants: items are in the order of their first event, unsent messages last; an answer's text is that of
 * `assistant.final`, whatever was shown before; a card's state comes only from `action.*` events.
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

  /** Drop all but these items. */
  clear(kept = []) {
    /** @type {Map<string, Item>} */
    this.items = new Map(kept.map((item) => [item.key, item]));
    Object.assign(this, NOBODY, { writing: null, isEnded: false, seq: 0, locale: "" });
  }

  /** Whether this customer is still waiting for an agent, or for the outcome of an action. */
  get isAwaited() {
    return this.agent || this.of("wait").concat(this.of("card")).some(({ isOver }) => !isOver);
  }

  /** Whether this customer is waiting while no agent is available. */
  get isTeamAway() {
    return this.of("wait").some(({ isOver, away }) => away && !isOver);
  }

  /** Messages that the server has not confirmed yet. */
  get unsent() {
    return this.of("me").filter(({ seq }) => seq === Infinity);
  }

  of(kind) {
    return [...this.items.values()].filter((item) => item.kind === kind);
  }

  /** Change or add an item; its position is that of its first event. */
  put(key, { seq, ...facts }) {
    const item = this.items.get(key) || { key, seq: seq ?? this.seq + 0.5, shownIn: this.locale };
    // A seq from the server confirms that the message is stored.
    if (item.seq === Infinity && seq) item.seq = seq;
    this.items.set(key, Object.assign(item, facts));
    this.changed(item);
    // A new message, or new blocks, close earlier blocks.
    if (item.kind === "me" || item.blocks || item.ends) for (const other of this.items.values()) if (other.blocks && other !== item) this.changed(other);
    return item;
  }

  /** Add a message the customer writes here; `frame` is how it is sent. */
  addOwn(key, text, frame = { type: "message", text }) {
    return this.put(key, { kind: "me", seq: Infinity, text, frame, state: "waiting" });
  }

  /** Set the answer being written: from the welcome, or extended by a delta. */
  resume({ message, attempt, text }) {
    this.writing = message;
    this.put(message, { kind: "bot", message, attempt, text });
  }

  delta({ message, attempt, text }) {
    const { attempt: known = 0, text: before = "", isOver } = this.items.get(message) || {};
    if (!isOver && attempt >= known) this.resume({ message, attempt, text: attempt === known ? before + text : text });
  }

  /** Change an item if it exists. */
  patch(key, facts) {
    if (this.items.has(key)) this.put(key, facts);
  }

  /** @param {{seq: number, event: string, payload: object, created_at: string}} event */
  apply({ seq, event, payload, created_at: at }) {
    Object.assign(this, { seq, mark: null });
    // Until an event names its language, the language of the log is unknown; earlier items are then shown in the
    // language that the event names. A message does not name its language, so it is shown in that of its answer.
    if (payload.locale) {
      this.locale = payload.locale;
      for (const item of this.items.values()) if (!item.shownIn || (item.kind === "me" && item.seq > this.last)) this.put(item.key, { shownIn: this.locale });
    }
    const [topic, step] = event.split(".");
    const entry = { seq, at, ...payload };
    if (topic === "message") this.#message(entry);
    else if (topic === "assistant") this.#answer(entry, step);
    else if (topic === "action") this.#card(entry, step);
    else if (topic === "handoff") this.#handoff(entry, step);
    else if (topic === "read" && payload.who !== "customer") for (const item of this.of("me")) if (item.seq <= payload.seq && !item.readAt) this.put(item.key, { readAt: at });
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
      // The welcome may have brought this attempt's text before its event.
      this.put(message, { ...entry, kind: "bot", text: known?.attempt === attempt ? known.text : "", isOver: false, status: "" });
      return;
    }
    if (this.writing === message) this.writing = null;
    this.last = entry.seq; // of all answers
    this.put(message, { citations: [], ...entry, kind: "bot", isOver: true, isFailed: step === "failed" });
    // A refused card is hidden if the answer already gives its reason.
    for (const { key, state, reason } of this.of("card")) if (state === "refused" && entry.text?.includes(reason?.text)) this.put(key, { isSaid: true });
  }

  #card({ title, reason, ...entry }, state) {
    const { times, title: first = title } = this.items.get(entry.request) || {};
    // Only these states belong to the answer being written; others may belong to an older card.
    if (/proposed|refused/.test(state)) this.patch(this.writing, { hasCard: true });
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
    this.patch(ticket, { isOver: true });
    // The assistant stops once an agent joins: an unfinished answer stays as it is.
    if (step === "joined") {
      this.patch(this.writing, { citations: [], isOver: true, isCut: true });
      this.writing = null;
    }
    // If the customer ended the chat, the next message in the log reports it.
    if (outcome !== "resolved" || !by) this.mark = this.put(entry.seq, { ...entry, kind: "mark", step: outcome || step, name });
    if (outcome === "resolved") this.#rating(entry);
  }

  /** Ask once for a rating, below the last message. */
  #rating({ seq, at }) {
    this.put("rate", { at, kind: "rate" }).seq = seq + 0.5;
  }
}
