/** The way to a person and back: waiting, the lines that mark who joined and left, the rating at the end. */

import { btn, h, icon } from "./dom.js";
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

export function rate(node, item, chat) {
  const { say, log } = chat;
  if (item.isRated || item.isOver) node.replaceChildren(item.isRated ? say("thanks") : "");
  if (node.firstChild || item.isOver) return;
  const send = h("button.btn.primary", { disabled: true }, say("send"));
  const choice = (key, value) => h("label", h("input", { type: "radio", name: item.key, value, onchange: () => (send.disabled = false) }), h("span", say(key)));
  const comment = h("textarea.field", { rows: "2", dir: "auto", maxlength: "1000", "aria-label": say("comment"), placeholder: say("comment") });
  send.onclick = () => chat.rate(Number(node.querySelector(":checked").value), comment.value.trim()).then(() => log.put(item.key, { isRated: true }));
  node.append(h("fieldset", h("legend", say("solved")), h("div.five", choice("no", 1), choice("partly", 3), choice("yes", 5)), comment, h("div.act-b", send, btn(".quiet", () => log.put(item.key, { isOver: true }), say("skip")))));
}
