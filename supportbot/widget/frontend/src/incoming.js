/** Handles frames and events from the server: updates the log, the announcer and the page. */

import { renewIdentity } from "./auth.js";
import { cardSummary } from "./cards.js";
import { update, updateUnread } from "./chrome.js";
import { plain } from "./markdown.js";
import { markText } from "./people.js";

const TYPING_SHOWN_MS = 6000;

const HANDLERS = {
  welcome(chat, { seq, notice, turn }) {
    // Only events after this one are announced.
    chat.announceAfter ??= seq;
    chat.notice = notice;
    if (turn) chat.log.resume(turn);
    for (const item of chat.log.unsent) chat.transmit(item);
    // A decision sent over a broken connection may not have arrived; the server accepts it only once.
    for (const { deciding } of chat.log.of("card")) if (deciding) chat.connection.send(deciding);
    update(chat);
  },
  delta(chat, delta) {
    const { log, view, element } = chat;
    const { message } = delta;
    if (!log.items.get(message)?.text) element.emit("stream:start", { message });
    log.delta(delta);
    const item = log.items.get(message);
    if (!item.isOver) view.announcer.announceStream(item, "assistant", item.text);
  },
  status({ log }, { message, text }) {
    log.patch(message, { status: text });
  },
  queue(chat, { ticket, place, wait, away }) {
    chat.log.patch(ticket, { place, wait, away });
    update(chat);
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
    const { log, i18n, view, element, connection } = chat;
    element.emit("error", { code });
    if (log.items.has(key)) {
      log.put(key, { state: "failed", reason: code });
      view.announcer.status(`${chat.t("notSent")} ${i18n.error(code)}`);
    } else if (log.items.has(id)) handleCardError(chat, { code, message }, log.items.get(id));
    else if (code === "erased") {
      chat.leave(chat.own);
      chat.tellGone("wasErased");
    }
    // A connection that is refused reconnects by itself.
    else if (connection.state === "open") chat.refuse(code);
  },
};

export function handleFrame(chat, frame) {
  HANDLERS[frame.type]?.(chat, frame);
}

/** If the server wants a fresh identity, get one and confirm again, once; otherwise, reopen the card with the reason. */
async function handleCardError(chat, error, item) {
  const { code } = error;
  const { connection, identity, view } = chat;
  const isIdentity = code.startsWith("identity_");
  // The decision was sent again over a new connection although the first one had arrived: the log has the outcome.
  if (!item.deciding || code === "not_waiting") return;
  if (isIdentity && identity.renew && !item.isProved) {
    item.isProved = true;
    await renewIdentity(chat);
    connection.send(item.deciding);
    return;
  }
  if (isIdentity) chat.element.emit("identity:error", error);
  chat.decide(item, false, isIdentity ? "identity_required" : code);
  view.announcer.status(chat.speaking(item).i18n.error(item.problem));
}

/** Apply one event of the log. */
export function handleEvent(chat, entry) {
  const { log, session, view } = chat;
  // A conversation begins with the notice, which the intro already shows.
  if (entry.payload.source === "system" && entry.payload.text === chat.notice) return;
  log.apply(entry);
  if (entry.seq > chat.announceAfter) announceEvent(chat, entry);
  if (/message|handoff/.test(entry.event)) view.typing.hidden = true;
  chat.keepUnsent();
  session.touch(log.isAwaited);
  updateUnread(chat, entry);
  update(chat);
}

/** Emit and announce an event. Texts are emitted only if the page asked for them. */
function announceEvent(chat, { event, payload }) {
  const { element, log, view } = chat;
  const { message, request: id, action, source, text, author } = payload;
  const item = log.items.get(message || id);
  const own = chat.speaking(item || log);
  const [topic, step] = event.split(".");
  if (topic === "message" && source !== "customer") {
    element.emit(topic, { message, source, ...chat.exposedText(text) });
    view.announcer.announce(item, () => (author ? `${author}: ` : "") + plain(text));
  } else if (step === "final" || event === "assistant.failed") {
    element.emit("stream:end", { message });
    if (step === "final") element.emit("message", { message, source: topic, ...chat.exposedText(text) });
    view.announcer.announceStream(item, topic, text || own.t("brokeOff"), true);
  } else if (topic === "action") {
    const name = { proposed: step, awaiting_approval: "confirmed", queued: "confirmed" }[step] || "result";
    if (step !== "queued" || !item.times.awaiting_approval) element.emit(`action:${name}`, { request: id, action, state: step });
    view.announcer.announce({ ...item }, cardSummary);
  } else if (topic === "handoff") {
    element.emit(`handoff:${step}`, payload);
    view.announcer.status(log.mark ? markText(log.mark, own) : step === "requested" && !payload.away ? own.t("finding") : "");
  }
}
