/** The way to a person and back: waiting, the lines that mark who joined and left. */

import { h, icon } from "./dom.js";
import { firstName } from "./items.js";

export function wait(node, { place, away, wait: minutes, isOver }, { say }) {
  // A place in line says nothing while nobody of the team is there.
  const n = !away && place;
  node.className = "wait";
  node.hidden = isOver;
  const title = n > 1 ? say("inLine", { n }) : say(n ? "next" : "finding");
  // Minutes come as a range.
  const range = minutes && say("wait", { n: [...new Set([minutes.min, minutes.max])].join("–") });
  node.replaceChildren(h("div.wait-h", n ? h("span.place", { "aria-hidden": "true" }, `${n}`) : icon("person"), h("div", h("b", title), range)), h("p", say("pass")));
}

/** The words for who came or went. */
export function markText({ step, name, at }, chat) {
  const gaps = { name: firstName(name, chat), time: chat.words.time(at) };
  if (step === "joined" || step === "resolved") return chat.say(step, gaps);
  return `${name ? chat.say("returned", gaps) : ""} ${chat.say("aiAgain")}`;
}

export function mark(node, item, chat) {
  node.className = "mark-line";
  node.textContent = markText(item, chat);
}
