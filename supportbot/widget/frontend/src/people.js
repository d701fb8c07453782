/** Agents in the log: their messages, the wait for an agent, and the lines that mark who joined and left. */

import { h, icon } from "./dom.js";
import { draw } from "./markdown.js";

/** An avatar: the initials of a name. */
export function face(name, size = "") {
  const initials = name.split(" ").map(([letter]) => letter);
  return h(`span.avatar${size}`, { "aria-hidden": "true" }, initials.slice(0, 2));
}

export function firstName(name, { t }) {
  return name ? name.split(" ")[0] : t("person");
}

export function human(node, item, chat) {
  const name = item.author || chat.t("person");
  node.text = h("div.text", { lang: "" });
  draw(node.text, item.text, () => "");
  node.className = "m human";
  node.rest = h("span.meta", `${chat.i18n.isolate(firstName(name, chat))}, ${chat.i18n.time(item.at)}`);
  node.replaceChildren(face(name, ".sm"), h("div", node.text, node.rest));
}

export function wait(node, { place, away, wait: minutes, isOver }, { t, i18n }) {
  // A queue position means little while no agent is available.
  const n = !away && place;
  node.className = "wait";
  node.hidden = isOver;
  const title = n > 1 ? t("inLine", { n }) : t(n ? "next" : "finding");
  // Minutes are a range.
  const range = minutes && t("wait", { n: [...new Set([minutes.min, minutes.max])].map((count) => i18n.number(count)).join("–") });
  node.replaceChildren(h("p", t("pass")));
  // While no agent is available, a notice in the log tells the customer.
  if (!away) node.prepend(h("div.wait-h", n ? h("span.place", { "aria-hidden": "true" }, i18n.number(n)) : icon("person"), h("div", h("b", title), range)));
}

/** Return the text for an agent who joined or left. */
export function markText({ step, name, at }, chat) {
  const gaps = { name: firstName(name, chat), time: chat.i18n.time(at) };
  if (step === "joined" || step === "resolved") return chat.t(step, gaps);
  return `${name ? chat.t("returned", gaps) : ""} ${chat.t("aiAgain")}`;
}

export function mark(node, item, chat) {
  node.className = "mark-line";
  node.textContent = markText(item, chat);
}
