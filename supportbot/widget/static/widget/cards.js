/**
 * Action cards. What they say comes from the server's record alone, never from an answer's words; what they look like
 * follows the state of that record. A click changes nothing by itself: until an event tells, the card says "sending".
 */

import { button, h, icon } from "./dom.js";

const ICONS = { refund_order: "card", change_shipping_address: "truck", cancel_order: "x" };
const RECEIPT = ["order", "to", "address", "reference"];
const FOLDED = new Set(["refused", "cancelled", "expired", "rejected"]);

/** What stands beside the title: colour, icon, word. */
const TAGS = {
  awaiting_approval: ["warn", "clock", "beingChecked"],
  unknown: ["info", "refresh", "checking"],
  succeeded: ["ok", "ok", "tagDone"],
  failed: ["bad", "x", "tagFailed"],
  refused: ["", "x", "tagRefused"],
  cancelled: ["", "x", "tagCancelled"],
  expired: ["", "clock", "tagExpired"],
  rejected: ["", "x", "tagRejected"],
};

const BODIES = { proposed, awaiting_approval: approval, queued, unknown, succeeded, failed };

export function card(node, item, chat) {
  const hadFocus = node.contains(node.getRootNode().activeElement);
  const title = h("b", { id: `t-${item.key}` }, item.title);
  node.className = `act ${FOLDED.has(item.state) ? "folded" : ""}`;
  node.setAttribute("role", "group");
  node.setAttribute("aria-labelledby", title.id);
  node.tabIndex = -1;
  const head = h("div", { class: "act-h" }, icon(ICONS[item.action] || "card"), title, tag(TAGS[item.state], chat));
  node.replaceChildren(head, ...(BODIES[item.state] || folded)(item, chat).filter(Boolean));
  // The button that was pressed is gone: who pressed it stays at the card.
  if (hadFocus) node.focus({ preventScroll: true });
}

/** One line for the screen reader: what the card is and where it stands. */
export function spoken(item, { say }) {
  const about = TAGS[item.state] ? say(TAGS[item.state][2]) : item.state === "proposed" ? say("confirmHere") : say("working");
  return [item.title, about, item.reason?.text].filter(Boolean).join(". ");
}

function tag(known, { say }) {
  return known && h("span", { class: `tag ${known[0]}` }, icon(known[1], "s"), say(known[2]));
}

function proposed(item, chat) {
  const { say, confirm, decline, isElsewhere } = chat;
  if (item.deciding) return [rows(item.rows), steps([[say(item.deciding), "now", say("now")]])];
  const label = isElsewhere() ? say("confirmThere", { title: item.button }) : item.button;
  return [
    rows(item.rows),
    item.problem && h("p", { class: "act-t problem" }, icon("alert", "s"), item.problem),
    h("div", { class: "act-b" }, button("btn primary lg", () => confirm(item), label), button("btn lg", () => decline(item), say("notNow"))),
    h("p", { class: "act-f", "data-expires": item.expires_at }, expiry(item.expires_at, chat)),
  ];
}

/** How long the card is open: the hour, and at the end the minutes that are left. */
export function expiry(iso, { say, words }) {
  const minutes = Math.ceil((new Date(iso) - Date.now()) / 60_000);
  if (minutes <= 0) return say("openNoMore");
  return minutes <= 5 ? say("openFor", { n: minutes }) : say("openUntil", { time: words.time(iso) });
}

function approval(item, chat) {
  const { say, decline } = chat;
  return [
    rows(item.rows),
    steps([confirmed(item, chat), [say("colleague"), "person", say("byTime")], [say("later")]]),
    item.problem && h("p", { class: "act-t problem" }, icon("alert", "s"), item.problem),
    h("div", { class: "act-b row" }, item.deciding ? h("span", { class: "hint" }, say(item.deciding)) : button("btn quiet sm danger", () => decline(item), say("withdraw"))),
  ];
}

function queued(item, chat) {
  const { say } = chat;
  return [rows(item.rows), steps([confirmed(item, chat), approved(item, chat), [say("working"), "now", say("now")]]), h("p", { class: "act-f" }, say("closeWindow"))];
}

function unknown(item, chat) {
  const { say, words } = chat;
  return [reason(item), steps([confirmed(item, chat), approved(item, chat), [say("sentToShop"), "check", words.time(item.at)], [say("checkingResult"), "now", ""]])];
}

function succeeded(item, { say, words, human }) {
  const { amount, currency, ...facts } = item.receipt || {};
  const known = RECEIPT.filter((name) => facts[name]).map((name) => ({ label: say(name), value: facts[name] }));
  if (amount) known.splice(1, 0, { label: say("amount"), value: words.money(amount, currency) });
  return [rows(known.length ? known : item.rows), h("div", { class: "act-b row" }, button("btn quiet sm", () => human(item.title), say("lookAt")))];
}

function failed(item, { say, human }) {
  return [reason(item), rows(item.rows), h("div", { class: "act-b" }, button("btn primary lg", () => human(item.title), icon("person", "s"), say("otherWay")))];
}

/** What is over without effect takes little room, says why, and offers a way on. */
function folded(item, { say, send, human }) {
  const again = item.state === "expired" && item.summary && button("btn sm", () => send(item.summary), icon("refresh", "s"), say("checkAgain"));
  const ask = (item.state === "refused" || item.state === "rejected") && button("btn sm", () => human(item.title), icon("person", "s"), say("askDecide"));
  return [reason(item), (again || ask) && h("div", { class: "act-b row" }, again, ask)];
}

function reason(item) {
  return item.reason && h("p", { class: "act-t" }, item.reason.text);
}

function rows(known = []) {
  return known.length > 0 && h("dl", {}, known.map(({ label, value }) => h("div", {}, h("dt", {}, label), h("dd", { dir: "auto" }, value))));
}

function confirmed({ steps: at }, { say, words }) {
  return [say("youConfirmed"), "check", words.time(at.awaiting_approval || at.queued || at.proposed)];
}

function approved({ steps: at }, { say, words }) {
  return at.awaiting_approval && at.queued && [say("approved"), "check", words.time(at.queued)];
}

/** A list of steps: done ones with a tick, the one at work, those to come with a ring. */
function steps(known) {
  return h("ol", { class: "steps" }, known.filter(Boolean).map(([text, sign, time]) => {
    const drawn = { now: h("span", { class: "pulse", "aria-hidden": "true" }), undefined: h("span", { class: "ring", "aria-hidden": "true" }) }[sign] || icon(sign, "s");
    return h("li", { class: sign === "now" || sign === "person" ? "now" : "" }, drawn, h("span", {}, text), time && h("time", {}, time));
  }));
}
