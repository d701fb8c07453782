/** The parts around the log: header, greeting, footer, connection strip, and the count of unread messages. */

import { h, icon } from "./dom.js";
import { firstName } from "./people.js";
import { plain } from "./markdown.js";
import { press } from "./menu.js";

const STRIP_AFTER_MS = 2000;

/** Update everything around the log. */
export function update(chat) {
  const { log, view, t, element, config } = chat;
  const { mode, agent, isEnded } = log;
  const name = chat.title || agent || nameOf(chat);
  const about = t(isEnded ? "ended" : { waiting: log.isTeamAway ? "aiAssistant" : "finding", person: "person" }[mode] || "aiAssistant");
  drawIfChanged(chat, "head", [name, about, chat.i18n.language, config.logo], () => view.drawHead(name, about, !chat.title && agent));
  const greeting = element.option("greeting") || config.greeting || t("hello");
  const suggestions = element.option("suggestions").split("|").filter(Boolean);
  intro(chat, greeting, suggestions.length ? suggestions : config.suggestions || []);
  const placeholder = isEnded ? "askAnew" : mode === "person" ? "askPerson" : "ask";
  view.composer.update(t(placeholder, { name: firstName(agent, chat) }), log.writing);
  const [text, label, action] = { assistant: ["mistakes", "talk", () => chat.human()], waiting: ["whileWaiting", "stopWaiting", () => chat.connection.deliver({ type: "cancel_human" })], person: ["withPerson", "endChat", () => press(chat, "endChat")] }[mode];
  view.drawFoot(t(text), t(label), action);
}

/** Draw only what changed, so that focus is not lost needlessly. */
function drawIfChanged(chat, part, facts, draw) {
  const known = JSON.stringify(facts);
  const before = (chat.drawn ||= {});
  if (before[part] !== known) draw((before[part] = known));
}

/** The greeting and, always before the first answer, the notice that an AI answers. */
function intro(chat, greeting, suggestions) {
  const { log, config, t, view } = chat;
  const isEmpty = !log.items.size;
  const notice = chat.notice || config.notice || t("notice");
  const row = (text) => h("li", h("button", { onclick: () => chat.send(text) }, icon("book"), h("span", text), icon("right", "s flip")));
  const gone = chat.gone && t(chat.gone);
  drawIfChanged(chat, "intro", [isEmpty, notice, greeting, suggestions, gone], () => {
    if (isEmpty) view.drawIntro(gone && h("p.hint", { dir: "auto" }, gone), h("div.hello", { dir: "auto" }, h("b", greeting), h("p", notice)), suggestions.length > 0 && h("ul.sugg", suggestions.slice(0, 3).map(row)));
    else view.drawIntro(h("p.hint", { dir: "auto" }, notice));
  });
}

function nameOf({ element, config }) {
  return element.option("title") || config.name || config.channel || "Chat";
}

/** Show the connection's state; a text appears only if a problem lasts. */
export function updateConnection(chat, state, code) {
  const { element } = chat;
  element.state.connection = state;
  element.emit("connection", { state });
  if (code) element.emit("error", { code });
  if (state === "open" || !chat.view.strip.hidden) strip(chat);
  else chat.stripTimer ||= setTimeout(() => strip(chat), STRIP_AFTER_MS);
}

function strip(chat) {
  const { state } = chat.connection;
  const isBad = /offline|closed/.test(state);
  clearTimeout(chat.stripTimer);
  chat.stripTimer = 0;
  chat.view.drawStrip(state === "open" || state === "idle" ? "" : chat.t(isBad ? state : "reconnecting"), isBad);
}

/** Count messages that arrive while the chat is not visible, and preview the last one next to the launcher. */
export function updateUnread(chat, entry) {
  const { element, session, connection, log, view } = chat;
  if (chat.isOpen && !document.hidden) {
    session.keep({ seen: connection.seq });
    element.showUnread(0);
    view.peek.hidden = true;
  } else if (entry && entry.seq > (session.kept.seen || 0) && isMessage(entry)) {
    const { author, text, title } = log.items.get(entry.payload.request || entry.payload.message);
    const count = element.state.unread + 1;
    element.showUnread(count, chat.i18n.number(Math.min(count, 9)) + (count > 9 ? "+" : ""));
    view.drawPeek(author || nameOf(chat), plain(text ?? title));
  }
}

function isMessage({ event, payload }) {
  return /final|proposed|succeeded|action.failed/.test(event) || (event === "message" && payload.source !== "customer");
}

/** Apply the channel's colours, unless the page sets its own. */
export function applyTheme({ element }, look) {
  if (getComputedStyle(element).getPropertyValue("--sb-accent")) return;
  for (const name in look?.light) element.frame.style.setProperty(`--${name}`, `light-dark(${look.light[name]}, ${look.dark[name]})`);
}
