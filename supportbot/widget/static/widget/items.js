/** Drawing what was said. Each function brings an item's node up to date; nodes stay, so nothing jumps while reading. */

import { button, h, icon, iconButton } from "./dom.js";
import { draw, link } from "./markdown.js";
import { card } from "./cards.js";
import { mark, rate, wait } from "./people.js";

const DRAW = { me, bot, human, note, card, mark, wait, rate };

/** Draw an item into its node; `chat` has the words and what buttons do. */
export function drawItem(node, item, chat) {
  node.part = item.kind === "me" || item.kind === "bot" || item.kind === "human" ? "message" : item.kind;
  DRAW[item.kind](node, item, chat);
}

function me(node, item, { say, words, resend }) {
  node.className = `m me ${item.state === "failed" ? "bad" : ""}`;
  const states = {
    sent: () => [item.readAt ? say("read", { time: words.time(item.readAt) }) : say("sent", { time: words.time(item.at) })],
    sending: () => [say("sending")],
    waiting: () => [say("waitingLine")],
    failed: () => [icon("alert", "s"), `${say("notSent")} ${item.reason}`, button("link", () => resend(item), say("tryAgain"))],
  };
  node.replaceChildren(h("p", { dir: "auto" }, item.text), h("span", { class: "meta" }, states[item.state]()));
}

function note(node, item) {
  node.className = "m note";
  node.replaceChildren(h("p", { class: "hint", dir: "auto" }, item.text));
}

/** A face with initials; the colour follows the name, so that a person keeps theirs. */
export function face(name, className) {
  const initials = name.split(/\s+/).filter(Boolean).map((word) => Array.from(word)[0]).slice(0, 2).join("");
  const colour = Array.from(name).reduce((sum, c) => sum + c.codePointAt(0), 0) % 4;
  return h("span", { class: `avatar av-${colour} ${className}`, "aria-hidden": "true" }, initials.toUpperCase());
}

function human(node, item, { words, say }) {
  const name = item.author || say("somebody");
  const text = h("div", { class: "text" });
  draw(text, item.text, () => null);
  node.className = "m human";
  node.replaceChildren(face(name, "sm"), h("div", {}, text, h("span", { class: "meta" }, `${name.split(" ")[0]}, ${words.time(item.at)}`)));
}

/** An answer: who speaks, the text, then what can be done with it. */
function bot(node, item, chat) {
  const { say } = chat;
  if (!node.text) {
    node.text = h("div", { class: "text" });
    node.after_ = h("div", { class: "after" });
    node.className = "m bot";
    node.append(h("div", { class: "by" }, h("span", {}, say("assistant")), h("span", { class: "ai" }, say("ai"))), node.text, node.after_);
  }
  node.text.classList.toggle("quoted", item.by === "builtin" && item.isOver && !item.abstained && Boolean(item.citations?.length));
  if (item.citations !== node.citations || !node.cite) {
    node.citations = item.citations;
    node.cite = citing(node, item, chat);
  }
  draw(node.text, item.text, node.cite);
  node.text.classList.toggle("growing", item.state === "streaming");
  node.after_.replaceChildren(...after(node, item, chat).filter(Boolean));
}

function after(node, item, chat) {
  if (!item.isOver) return [!item.text && doing(item, chat)];
  return [...ending(item, chat), item.state === "final" && tools(node, item, chat), item.offers_human && ways(chat)];
}

function doing(item, { say }) {
  return h("p", { class: "doing" }, h("span", { class: "pulse", "aria-hidden": "true" }), h("span", {}, item.status || say(item.isSlow ? "slow" : "looking")));
}

/** How an answer ended, where that needs a word and a way on. */
function ending(item, { say, retry }) {
  if (item.state === "failed") return [brokeOff(item, say, retry)];
  if (item.isCut) return [h("p", { class: "hint" }, say("cut"))];
  if (item.stopped) return [h("p", { class: "hint" }, `${say("stopped")} `, button("link", () => retry(item), say("goOn")))];
  return item.by === "builtin" && item.citations.length ? [h("p", { class: "hint" }, say("quoted"))] : [];
}

function brokeOff(item, say, retry) {
  const again = item.retry && [" ", button("link", () => retry(item), say("answerAgain"))];
  return h("div", { class: "notice bad" }, icon("alert"), h("span", {}, h("strong", {}, say("brokeOff")), ` ${say(item.text ? "incomplete" : "noAnswer")}`, again));
}

function ways({ say, human: ask, focus }) {
  return h("div", { class: "ways" }, button("btn", () => ask(), icon("person", "s"), say("askPerson")), button("btn quiet", focus, say("askElse")));
}

// --- Sources.

/** Return what draws a source's number: a button once the sources are known. */
function citing(node, item, { say }) {
  const count = item.citations ? item.citations.length : 0;
  return (number) => {
    if (!count || number < 1 || number > count) return count ? "" : h("span", { class: "cite" }, String(number));
    return h("button", { class: "cite", "aria-label": say("source", { n: number }), onclick: () => node.show?.(number) }, String(number));
  };
}

function tools(node, item, chat) {
  const { say } = chat;
  const list = item.citations.length && sources(node, item, chat);
  if (item.request && !list) return null;
  const rated = (score) => (event) => chat.rate(score, "", item.message).then(() => press(event.target.closest("button")));
  const judge = !item.abstained && !item.stopped && [
    iconButton("sm", "good", say("good"), rated(5)),
    iconButton("sm", "bad", say("bad"), rated(1)),
    iconButton("sm", "copy", say("copy"), () => chat.copy(item)),
  ];
  return h("div", { class: "below" }, h("div", { class: "tools" }, list && list.toggle, h("span", { class: "gap" }), judge || ""), list && list.rows);
}

function press(pressed) {
  for (const other of pressed.parentNode.querySelectorAll("[aria-pressed]")) other.removeAttribute("aria-pressed");
  pressed.setAttribute("aria-pressed", "true");
}

/** The row that opens, and the passages as they read when the answer was given. */
function sources(node, item, { say }) {
  const rows = h("ol", { class: "srclist", hidden: !node.isOpen }, item.citations.map((source, index) => row(source, index + 1)));
  const toggle = button("srcs", () => show(rows.hidden ? 0 : -1), icon("book", "s"), say("sources", { n: item.citations.length }), icon("down", "s turn"));
  const show = (number) => {
    node.isOpen = number >= 0;
    rows.hidden = !node.isOpen;
    toggle.setAttribute("aria-expanded", String(node.isOpen));
    [...rows.children].forEach((line, index) => line.classList.toggle("on", index + 1 === number));
    const marked = rows.children[number - 1];
    if (marked) marked.scrollIntoView({ block: "nearest" });
    if (marked) (marked.querySelector("a") || marked).focus({ preventScroll: true });
  };
  toggle.setAttribute("aria-expanded", String(Boolean(node.isOpen)));
  node.show = show;
  return { rows, toggle };
}

function row({ title, url, quote }, number) {
  return h("li", { tabindex: "-1" }, h("span", { class: "n", "aria-hidden": "true" }, String(number)), h("div", {}, (url && link(url, title)) || h("b", {}, title), h("blockquote", { dir: "auto" }, quote)));
}
