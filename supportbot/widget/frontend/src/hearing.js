/** What the server says: into the log, to the ear, to the page. */

import { renewed } from "./admission.js";
import { spoken } from "./cards.js";
import { plain } from "./markdown.js";
import { markText } from "./people.js";
import { look, show } from "./showing.js";

const TYPING_SHOWN_MS = 6000;

const HEARERS = {
  welcome(chat, { seq, notice, turn }) {
    // What came before this page is shown; only what comes now is told.
    chat.newsAfter ??= seq;
    chat.notice = notice;
    if (turn) chat.log.resume(turn);
    for (const item of chat.log.unsent) chat.post(item);
    // What was pressed over a line that was cut: nobody knows whether it arrived, and the server takes it once.
    for (const { deciding } of chat.log.of("card")) if (deciding) chat.connection.send(deciding);
    show(chat);
  },
  delta(chat, delta) {
    const { log, view, element } = chat;
    const { message } = delta;
    if (!log.items.get(message)?.text) element.emit("stream:start", { message });
    log.delta(delta);
    const { text, isOver } = log.items.get(message);
    if (!isOver) view.speech.follow(message, chat.say("assistant"), text);
  },
  status({ log }, { message, text }) {
    log.more(message, { status: text });
  },
  queue({ log }, { ticket, place, wait, away }) {
    log.more(ticket, { place, wait, away });
  },
  typing(chat, { who }) {
    const { view, log } = chat;
    clearTimeout(chat.typingTimer);
    if (log.mode === "person") view.drawTyping(who);
    chat.typingTimer = setTimeout(() => (view.typing.hidden = true), TYPING_SHOWN_MS);
  },
  reset({ log, view }) {
    log.clear(log.unsent);
    view.rebuild(log.unsent);
  },
  error(chat, { code, message, client_id: key, request: id }) {
    const { log, words, view, element, connection } = chat;
    element.emit("error", { code });
    if (log.items.has(key)) {
      const reason = words.error(code);
      log.put(key, { state: "failed", reason });
      view.speech.status(`${chat.say("notSent")} ${reason}`);
    } else if (log.items.has(id)) refusedCard(chat, { code, message }, log.items.get(id));
    else if (code === "erased") chat.leave(chat.own);
    // A line that is refused comes back by itself.
    else if (connection.state === "open") chat.refuse(code);
  },
};

export function hear(chat, frame) {
  HEARERS[frame.type]?.(chat, frame);
}

/** The server wants a fresh identity: fetch one, once, and confirm again. */
async function refusedCard(chat, why, item) {
  const { code } = why;
  const { connection, identity, view } = chat;
  const isIdentity = code.startsWith("identity_");
  // Sent once more over a new line, when the first had arrived: the log tells what became of it.
  if (!item.deciding || code === "not_waiting") return;
  if (isIdentity && identity.renew && !item.isProved) {
    item.isProved = true;
    await renewed(chat);
    connection.send(item.deciding);
    return;
  }
  if (isIdentity) chat.element.emit("identity:error", why);
  chat.decide(item, false, isIdentity ? "identity_required" : code);
  view.speech.status(item.problem);
}

/** One entry of the log. */
export function tell(chat, entry) {
  const { log, session, view } = chat;
  // A conversation begins with the notice, which stands above everything already.
  if (entry.payload.source === "system" && entry.payload.text === chat.notice) return;
  log.apply(entry);
  if (entry.seq > chat.newsAfter) news(chat, entry);
  if (/message|handoff/.test(entry.event)) view.typing.hidden = true;
  chat.keepUnsent();
  session.touch(log.isAwaited);
  look(chat, entry);
  show(chat);
}

/** Tell the page and the ear. What was said is only told to a page that asked for it. */
function news(chat, { event, payload }) {
  const { element, say, log, view } = chat;
  const { speech } = view;
  const { message, request: id, action, source, text, author } = payload;
  const item = log.items.get(id || message);
  const [topic, step] = event.split(".");
  if (topic === "message" && source !== "customer") {
    element.emit(topic, { message, source, ...chat.exposed(text) });
    speech.say((author ? `${author}: ` : "") + plain(text));
  } else if (step === "final" || event === "assistant.failed") {
    element.emit("stream:end", { message });
    if (step === "final") element.emit("message", { message, source: topic, ...chat.exposed(text) });
    speech.follow(message, say(topic), text || say("brokeOff"), true);
  } else if (topic === "action") {
    const name = { proposed: step, awaiting_approval: "confirmed", queued: "confirmed" }[step] || "result";
    if (step !== "queued" || !item.times.awaiting_approval) element.emit(`action:${name}`, { request: id, action, state: step });
    speech.say(spoken(item, chat));
  } else if (topic === "handoff") {
    element.emit(`handoff:${step}`, payload);
    speech.status(step === "requested" ? say("finding") : log.mark ? markText(log.mark, chat) : "");
  }
}
