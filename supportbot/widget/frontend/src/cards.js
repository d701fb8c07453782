/**
 * Action cards. What they say comes from the server's record alone, never from an answer's words; what they look like
 * follows the state of that record. A click changes nothing by itself: until an event tells, the card says "sending".
 */

import { btn, h, icon, set } from "./dom.js";

/** What stands beside the title: colour and icon of the state's word. */
const TAGS = { awaiting_approval: [".warn", "history"], unknown: [".warn", "history"], succeeded: [".ok", "check"], failed: [".bad", "close"], expired: ["", "history"] };
const BODIES = { proposed, awaiting_approval: approval, queued, unknown, succeeded, failed };

export function card(node, item, chat) {
  const { state, key, title, reason, problem } = item;
  const hadFocus = node.contains(chat.view.focused);
  const [colour, sign] = TAGS[state] || ["", "close"];
  const body = BODIES[state] || folded;
  const id = `sb-${key}`;
  node.hidden = Boolean(item.isSaid);
  node.className = body === folded ? "act folded" : "act";
  node.role = "group";
  node.tabIndex = -1;
  set(node, "aria-labelledby", id);
  node.replaceChildren(
    h("div.act-h", icon("card"), h("b", { id }, title), !/proposed|queued/.test(state) && h(`span.tag${colour}`, icon(sign, "s"), chat.say(state))),
    h("div", reason && h("p.act-t", reason.text), body(item, chat), problem && h("p.act-t.problem", icon("alert", "s"), problem)),
  );
  // The button that was pressed is gone: who pressed it stays at the card.
  if (hadFocus) node.focus({ preventScroll: true });
}

/** One line for the ear: what the card is and where it stands. */
export function spoken({ title, state, reason, expires_at: until }, chat) {
  const where = state === "proposed" ? expiry(until, chat) : chat.say(state === "queued" ? "working" : state);
  return [title, where, reason?.text].filter(Boolean).join(". ");
}

/** How long the card is open: the hour, and at the end the minutes that are left. */
export function expiry(iso, { say, words }) {
  const n = Math.ceil((new Date(iso) - Date.now()) / 60_000);
  return n < 1 ? say("expired_card") : n <= 5 ? say("openFor", { n }) : say("openUntil", { time: words.time(iso) });
}

function proposed(item, chat) {
  const { say } = chat;
  if (item.deciding) return [rows(item.rows), steps(item, chat, "sending")];
  return [
    rows(item.rows),
    h("div.act-b", btn(".primary.lg", () => chat.confirm(item), chat.isElsewhere ? say("confirmThere", item) : item.button), btn(".lg", () => chat.decline(item), say("notNow"))),
    h("p.act-f", { "data-expires": item.expires_at }, expiry(item.expires_at, chat)),
  ];
}

function approval(item, chat) {
  const withdraw = item.deciding ? chat.say("sending") : btn(".quiet.sm.danger", () => chat.decline(item), chat.say("withdraw"));
  return [rows(item.rows), steps(item, chat, "colleague", "byTime"), h("div.act-b", withdraw)];
}

function queued(item, chat) {
  return [rows(item.rows), steps(item, chat, "working"), h("p.act-f", chat.say("closeWindow"))];
}

function unknown(item, chat) {
  return steps(item, chat, "unknown");
}

function succeeded({ receipt = {}, title }, { say, words, human }) {
  const facts = { ...receipt, amount: receipt.amount && words.money(receipt.amount, receipt.currency) };
  const known = ["order", "amount", "to", "address", "reference"].filter((name) => facts[name]);
  return [rows(known.map((name) => ({ label: say(name), value: facts[name] }))), h("div.act-b", btn(".quiet.sm", () => human(title), say("askHuman")))];
}

function failed({ rows: known, title }, { say, human }) {
  return [rows(known), h("div.act-b", btn(".primary.lg", () => human(title), icon("person", "s"), say("askHuman")))];
}

/** What is over without effect takes little room, says why, and offers a way on. */
function folded({ state, title, summary }, chat) {
  const { say } = chat;
  if (state === "cancelled") return "";
  const isExpired = state === "expired";
  return h("div.act-b", btn(".sm", () => (isExpired ? chat.send(summary) : chat.human(title)), icon(isExpired ? "history" : "person", "s"), say(isExpired ? "checkAgain" : "askHuman")));
}

function rows(known) {
  return known?.length > 0 && h("dl", known.map(({ label, value }) => h("div", h("dt", label), h("dd", { dir: "auto" }, value))));
}

/** What is done with a tick, and what is at work. */
function steps({ times }, { say, words }, now, when) {
  const at = times.awaiting_approval || times.queued;
  const sign = now === "colleague" ? icon("person", "s") : h("span.pulse");
  return h("ol.steps", at && h("li", icon("check", "s"), say("confirmed"), h("time", words.time(at))), h("li.now", sign, say(now), when && h("time", say(when))));
}
