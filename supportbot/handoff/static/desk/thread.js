// The open conversation: each event once and in order, typing indicators, and colleagues who have it open.

import { announce, byId, el, icon } from "./dom.js";
import { gettext } from "./text.js";
import { clock } from "./times.js";

const TYPING_FOR = 6_000;
const COLLEAGUE_FOR = 25_000;
const NEAR_THE_END = 120;
const RELOAD_AFTER = 1_000;
const ACTIVITIES = {
  reading: (name) => gettext("{name} also has this open", { name }),
  replying: (name) => gettext("{name} is writing a reply", { name }),
  noting: (name) => gettext("{name} is writing a note", { name }),
};

export class Thread {
  constructor(socket, desk) {
    this.socket = socket;
    this.conversation = desk.dataset.conversation;
    this.seq = Number(desk.dataset.seq);
    this.list = byId("thread");
    this.scroll = this.list.closest(".scroll");
    this.colleagues = new Map();
    socket.on("live", () => this.#subscribe());
    socket.on("event", (frame) => this.#receive(frame));
    socket.on("typing", () => this.#showTyping());
    socket.on("presence", (frame) => this.#showColleague(frame));
    setInterval(() => this.#drawColleagues(), 5_000);
    this.toEnd();
    this.scroll.addEventListener("scroll", () => (this.isAtEnd = this.#nearTheEnd()), { passive: true });
    new ResizeObserver(() => this.isAtEnd && this.toEnd()).observe(this.scroll); // for example when a draft or an on-screen keyboard appears
  }

  toEnd() {
    this.isAtEnd = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  /** Show one of the agent's own messages that is not stored yet. */
  addWaiting({ client_id: clientId, type, text }) {
    const line = { kind: type === "note" ? "note" : "me", speaker: gettext("You"), initials: "", hue: 0, text, sources: [] };
    const shown = lineOf(line, gettext("sending"));
    shown.classList.add("waiting");
    shown.dataset.client = clientId;
    this.#append(shown);
  }

  markWaiting(clientId) {
    const time = this.list.querySelector(`[data-client="${clientId}"] time`);
    if (time) time.textContent = gettext("not sent yet");
  }

  dropWaiting(clientId) {
    this.list.querySelector(`[data-client="${clientId}"]`)?.remove();
  }

  #subscribe() {
    this.socket.send({ type: "subscribe", conversation: this.conversation, last_seq: this.seq });
  }

  #receive(frame) {
    if (frame.conversation !== this.conversation || frame.seq <= this.seq) return;
    if (frame.prev_seq !== this.seq) {
      this.#subscribe(); // an event is missing: read it from the log
      return;
    }
    this.seq = frame.seq;
    if (frame.payload.client_id) this.dropWaiting(frame.payload.client_id);
    if (frame.line) this.#show(frame);
    if (frame.event === "handoff.joined" || frame.event === "handoff.ended" || frame.event === "handoff.requested") {
      byId("moved").querySelector("[data-words]").textContent = `${frame.line.text}.`;
      byId("moved").hidden = false;
      if (frame.event === "handoff.joined") this.#reloadIfMine(frame.payload);
    }
  }

  /**
   * Reload a page without a reply field once its reader has the ticket, because it was reopened or assigned to them. A
   * form that was just sent usually leads to the new page by itself; if its response is late, the reload comes first
   * and shows the same page.
   */
  #reloadIfMine({ person }) {
    if (person !== document.body.dataset.user || byId("composer")?.dataset.mayReply || byId("text")?.value) return;
    setTimeout(() => location.reload(), RELOAD_AFTER);
  }

  #show({ line }) {
    byId("typing").hidden = true;
    this.#append(lineOf(line, clock(line.said_at)));
    if (line.kind !== "me" && line.kind !== "rule") announce(`${line.speaker}: ${line.text}`);
  }

  /** Append a line without moving a reader who has scrolled up. */
  #append(line) {
    this.list.append(line);
    if (this.isAtEnd) this.toEnd();
  }

  #nearTheEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroll;
    return scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
  }

  #showTyping() {
    byId("typing").hidden = false;
    clearTimeout(this.typingTimer);
    this.typingTimer = setTimeout(() => (byId("typing").hidden = true), TYPING_FOR);
  }

  #showColleague({ user, who, doing }) {
    if (doing === "gone") this.colleagues.delete(user);
    else this.colleagues.set(user, { who, doing, at: Date.now() });
    this.#drawColleagues();
  }

  #drawColleagues() {
    for (const [user, one] of this.colleagues) {
      if (Date.now() - one.at > COLLEAGUE_FOR) this.colleagues.delete(user);
    }
    const words = [...this.colleagues.values()].map((one) => ACTIVITIES[one.doing](one.who)).join("; ");
    byId("colleague").hidden = !words;
    const place = byId("colleague").querySelector("[data-words]");
    if (place.textContent !== words) place.textContent = words;
  }
}

function lineOf(line, time) {
  const when = el("time", line.said_at ? { datetime: line.said_at } : {}, time);
  if (line.kind === "rule") {
    return el("li", { class: "sys" }, el("span", {}, icon(line.icon), el("span", {}, line.text), " ", when));
  }
  const said = line.html ? answerOf(line.html) : el("p", { class: "said", dir: "auto" }, line.text);
  if (line.kind === "note") {
    const who = line.speaker === gettext("You")
      ? gettext("Your note: only your team sees it")
      : gettext("Note from {name}: only your team sees it", { name: line.speaker });
    return el("li", { class: "note" }, el("p", { class: "who" }, icon("lock"), el("span", {}, who), " ", when), said);
  }
  const face = { class: line.hue ? `avatar av-${line.hue}` : "avatar", "aria-hidden": "true" };
  const mark = line.kind === "assistant" ? el("span", { class: "ai" }, gettext("AI")) : null;
  return el("li", { class: `t ${line.kind}` },
    el("span", face, line.initials || icon({ assistant: "assist", system: "info" }[line.kind] ?? "person", "s")),
    el("div", {}, el("p", { class: "who" }, el("b", { dir: "auto" }, line.speaker), " ", mark, when), said,
      line.sources.length ? sourcesOf(line.sources) : null));
}

/** An answer of the assistant: HTML that the server made from Markdown and cleaned. */
function answerOf(html) {
  const read = new DOMParser().parseFromString(html, "text/html");
  return el("div", { class: "said answer", dir: "auto" }, ...read.body.childNodes);
}

function sourcesOf(sources) {
  const titles = sources.flatMap(({ title, url }, place) => [
    place ? ", " : null,
    url ? el("a", { href: url, dir: "auto" }, title) : el("span", { dir: "auto" }, title),
  ]);
  return el("p", { class: "srcl" }, icon("book"), el("span", {}, ...titles.filter(Boolean)));
}
