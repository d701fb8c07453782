/** Drawing what was said. Each function brings an item's node up to date; nodes stay, so nothing jumps while reading. */

import { answer } from "./answer.js";
import { card } from "./cards.js";
import { h, icon } from "./dom.js";
import { draw } from "./markdown.js";
import { mark, wait } from "./people.js";

// The rating, and what an answer asks for, come with a script of their own.
const rate = (...facts) => import("./asking.js").then((asking) => asking.rate(...facts));
const DRAWERS = { me, bot: answer, human, note, card, mark, wait, rate };

export function drawItem(node, item, chat) {
  DRAWERS[item.kind](node, item, chat);
  node.part = "message";
}

function me(node, item, chat) {
  const { say, words } = chat;
  const isFailed = item.state === "failed";
  const state = item.state === "sent" ? say(item.readAt ? "read" : "sent", { time: words.time(item.readAt || item.at) }) : isFailed ? `${say("notSent")} ${item.reason} ` : say(item.state);
  const again = isFailed && h("button.link", { onclick: () => chat.post(item) }, say("tryAgain"));
  node.className = isFailed ? "m me bad" : "m me";
  node.replaceChildren(h("p", { dir: "auto" }, item.text), h("span.meta", isFailed && icon("alert", "s"), state, again));
}

function note(node, item) {
  node.className = "m hint";
  node.dir = "auto";
  node.textContent = item.text;
}

/** A face: the initials of a name. */
export function face(name, size = "") {
  const initials = name.split(" ").map(([letter]) => letter);
  return h(`span.avatar${size}`, { "aria-hidden": "true" }, initials.slice(0, 2));
}

export function firstName(name, { say }) {
  return (name || say("somebody")).split(" ")[0];
}

function human(node, item, chat) {
  const name = item.author || chat.say("somebody");
  const text = h("div.text");
  draw(text, item.text, () => "");
  node.className = "m human";
  node.replaceChildren(face(name, ".sm"), h("div", text, h("span.meta", `${firstName(name, chat)}, ${chat.words.time(item.at)}`)));
}
