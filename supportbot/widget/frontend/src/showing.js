/** What stands around the log: head, greeting, foot, the strip for the line, and what waits unread. */

import { h, icon } from "./dom.js";
import { firstName } from "./items.js";
import { plain } from "./markdown.js";
import { askToEnd } from "./menu.js";

const STRIP_AFTER_MS = 2000;

/** Bring everything around the log up to date. */
export function show(chat) {
  const { log, view, say, element, config } = chat;
  const { mode, agent, isEnded } = log;
  const name = chat.title || agent || nameOf(chat);
  const about = say(isEnded ? "ended" : { waiting: "finding", person: "person" }[mode] || "aiAssistant");
  changed(chat, "head", [name, about, chat.words.language], () => view.drawHead(name, about, !chat.title && agent));
  const greeting = element.option("greeting") || config.greeting || say("hello");
  const suggestions = element.option("suggestions").split("|").filter(Boolean);
  intro(chat, greeting, suggestions.length ? suggestions : config.suggestions || []);
  const placeholder = isEnded ? "askAnew" : mode === "person" ? "askPerson" : "ask";
  view.composer.update(say(placeholder, { name: firstName(agent, chat) }), Boolean(log.writing));
  const [text, label, action] = { assistant: ["mistakes", "talk", () => chat.human()], waiting: ["whileWaiting", "stopWaiting", () => chat.connection.deliver({ type: "cancel_human" })], person: ["withPerson", "endChat", () => askToEnd(chat)] }[mode];
  view.drawFoot(say(text), say(label), action);
}

/** Draw only what changed, so that nothing loses its focus for nothing. */
function changed(chat, part, facts, draw) {
  const known = JSON.stringify(facts);
  const before = (chat.drawn ||= {});
  if (before[part] === known) return;
  before[part] = known;
  draw();
}

/** The greeting, and always that one speaks with an AI, before anything it says. */
function intro(chat, greeting, suggestions) {
  const { log, config, say, view } = chat;
  const isEmpty = !log.items.size;
  const notice = chat.notice || config.notice || say("notice");
  const row = (text) => h("li", h("button", { onclick: () => chat.send(text) }, icon("book"), h("span", text), icon("right", "s flip")));
  changed(chat, "intro", [isEmpty, notice, greeting, suggestions], () => {
    if (isEmpty) view.drawIntro(h("div.hello", { dir: "auto" }, h("b", greeting), h("p", notice)), suggestions.length > 0 && h("ul.sugg", suggestions.slice(0, 3).map(row)));
    else view.drawIntro(h("p.hint", { dir: "auto" }, notice));
  });
}

function nameOf({ element, config }) {
  return element.option("title") || config.name || config.channel || "Chat";
}

/** The line's state; words for it only when it lasts. */
export function showLine(chat, state, code) {
  const { element } = chat;
  element.state.connection = state;
  element.emit("connection", { state });
  if (code) element.emit("error", { code });
  if (state === "open" || !chat.view.strip.hidden) strip(chat);
  else chat.stripTimer ||= setTimeout(() => strip(chat), STRIP_AFTER_MS);
}

function strip(chat) {
  const { state } = chat.connection;
  const isBad = state === "offline" || state === "closed";
  clearTimeout(chat.stripTimer);
  chat.stripTimer = 0;
  chat.view.drawStrip(state === "open" || state === "idle" ? "" : chat.say(isBad ? state : "reconnecting"), isBad);
}

/** Count what came while nobody looked, and show a line of it at the launcher. */
export function look(chat, entry) {
  const { element, session, connection, log, view } = chat;
  if (chat.isOpen && !document.hidden) {
    session.keep({ seen: connection.seq });
    element.showUnread(0);
    view.peek.hidden = true;
  } else if (entry && entry.seq > (session.kept.seen || 0) && isForReading(entry)) {
    const { author, text, title } = log.items.get(entry.payload.request || entry.payload.message);
    element.showUnread(element.state.unread + 1);
    view.drawPeek(author || nameOf(chat), plain(text ?? title));
  }
}

function isForReading({ event, payload }) {
  return /final|proposed|succeeded|action.failed/.test(event) || (event === "message" && payload.source !== "customer");
}

/** The workspace's colours, unless the page set its own. */
export function paint({ element }, look) {
  if (getComputedStyle(element).getPropertyValue("--sb-accent")) return;
  for (const name in look?.light) element.frame.style.setProperty(`--${name}`, `light-dark(${look.light[name]}, ${look.dark[name]})`);
}
