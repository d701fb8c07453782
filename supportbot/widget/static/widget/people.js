/** The way to a person and back: waiting, the lines that mark who joined and left, the rating at the end. */

import { button, h, icon } from "./dom.js";

export function wait(node, item, chat) {
  const { say } = chat;
  node.className = "wait";
  node.hidden = Boolean(item.isOver);
  const title = item.place === 1 ? say("next") : item.place ? say("inLine", { n: item.place }) : say("inQueue");
  const sign = item.place ? h("span", { class: "place", "aria-hidden": "true" }, String(item.place)) : icon("person");
  node.replaceChildren(h("div", { class: "wait-h" }, sign, h("div", {}, h("b", {}, title), range(item, chat))), h("p", {}, say("pass")));
}

/** How long it usually takes. The estimate is never made longer in silence: then it says so. */
function range(item, { say }) {
  if (!item.wait) return null;
  const minutes = Math.max(1, Math.ceil(item.wait / 60));
  item.promised = Math.min(item.promised || minutes, minutes);
  return h("span", {}, minutes > item.promised ? say("waitLong") : say("wait", { n: minutes }));
}

/** The words for who came or went. */
export function markText(item, { say, words }) {
  const gaps = { name: (item.agent || say("somebody")).split(" ")[0], time: words.time(item.at) };
  if (item.step === "joined") return say("joined", gaps);
  if (item.step === "closed") return say("ended", gaps);
  return say({ returned: "returned", resolved: "resolved" }[item.outcome] || "gone", gaps);
}

export function mark(node, item, chat) {
  node.className = "mark-line";
  node.replaceChildren(h("span", {}, markText(item, chat)));
}

const SCORES = [["no", 1], ["partly", 3], ["yes", 5]];

export function rate(node, item, chat) {
  const { say } = chat;
  node.className = "rate";
  node.hidden = Boolean(item.isSkipped);
  if (item.isRated) return node.replaceChildren(h("p", { class: "hint" }, say("rated")));
  if (node.firstChild) return undefined;
  const choice = SCORES.map(([key, score]) => h("label", {}, h("input", { type: "radio", name: item.key, value: score, onchange: () => (send.disabled = false) }), h("span", {}, say(key))));
  const comment = h("textarea", { class: "field", rows: "2", dir: "auto", maxlength: "1000", "aria-label": say("comment"), placeholder: say("comment") });
  const send = button("btn primary", () => chat.rated(item, Number(node.querySelector(":checked").value), comment.value.trim()), say("send"));
  send.disabled = true;
  const skip = button("btn quiet", () => chat.rated(item, 0), say("skip"));
  return node.replaceChildren(h("fieldset", {}, h("legend", {}, say("solved")), h("div", { class: "five" }, choice), comment, h("div", { class: "act-b row" }, send, skip)));
}
