/**
 * Action cards. Their content and state come only from the server's record, never from the text of an answer. A click
 * changes nothing by itself: until an event reports the outcome, the card shows "sending".
 */

import { btn, h, icon, set } from "./dom.js";

/** The tag beside the title: the state's colour and icon. */
const TAGS = { awaiting_approval: [".warn", "history"], unknown: [".warn", "history"], succeeded: [".ok", "check"], failed: [".bad", "close"], expired: ["", "history"] };
// The maximum duration of a review.
const REVIEW_HOURS = 24;
const BODIES = { proposed, awaiting_approval: approval, queued, unknown, succeeded, failed };

export function card(node, item, chat) {
  const { state, key, title, reason, problem, locale: lang } = item;
  const hadFocus = node.contains(chat.view.focused);
  const [colour, sign] = TAGS[state] || ["", "close"];
  const body = BODIES[state] || folded;
  const id = `sb-${key}`;
  node.hidden = item.isSaid;
  node.className = body === folded ? "act folded" : "act";
  node.role = "group";
  node.tabIndex = -1;
  set(node, "aria-labelledby", id);
  node.replaceChildren(
    h("div.act-h", icon("card"), h("b", { id, lang }, title), !/proposed|queued/.test(state) && h(`span.tag${colour}`, icon(sign, "s"), chat.t(state))),
    h("div", reason && h("p.act-t", { lang }, reason.text), body(item, chat), problem && h("p.act-t.problem", icon("alert", "s"), chat.i18n.error(problem))),
  );
  // The pressed button is gone: keep the focus on the card.
  if (hadFocus) node.focus({ preventScroll: true });
}

/** One line for screen readers: the title and the state. */
export function cardSummary(item, chat) {
  const { title, state, reason } = item;
  const held = heldUntil(item, chat);
  const where = state === "proposed" ? expiry(item.expires_at, chat) : chat.t(held ? "waiting" : state === "queued" ? "working" : state);
  return [title, where, held, reason?.text].filter(Boolean).join(". ");
}

/** How long the card stays open: the time at which it expires or, in its last minutes, how many are left. */
export function expiry(iso, { t, i18n }) {
  const n = Math.ceil((new Date(iso) - Date.now()) / 60_000);
  return n < 1 ? t("expired_card") : n <= 5 ? t("openFor", { n }) : t("openUntil", { time: i18n.time(iso) });
}

function proposed(item, chat) {
  const { t } = chat;
  const { locale: lang } = item;
  if (item.deciding) return [rows(item), steps(item, chat, "sending")];
  const until = h("p.act-f.until");
  until.count = () => (until.textContent = expiry(item.expires_at, chat));
  until.count();
  return [
    item.note && h("p.act-t", { lang }, item.note),
    rows(item),
    h("div.act-b", btn(".primary.lg", () => chat.confirm(item), chat.isElsewhere ? t("confirmThere", item) : h("span", { lang }, item.button)), btn(".lg", () => chat.decline(item), t("notNow"))),
    until,
  ];
}

function approval(item, chat) {
  return [rows(item), steps(item, chat, "colleague", chat.t("byTime", { n: REVIEW_HOURS })), withdrawal(item, chat)];
}

function queued(item, chat) {
  const until = heldUntil(item, chat);
  return [rows(item), steps(item, chat, until ? "waiting" : "working", until), until ? withdrawal(item, chat) : h("p.act-f", chat.t("closeWindow"))];
}

/** The time at which a confirmed request that is held back will be sent; until then, the customer can withdraw it. */
function heldUntil({ state, held_until: until }, { i18n }) {
  return state === "queued" && new Date(until) > Date.now() && i18n.time(until);
}

function withdrawal(item, chat) {
  return h("div.act-b", item.deciding ? chat.t("sending") : btn(".quiet.sm.danger", () => chat.decline(item), chat.t("withdraw")));
}

function unknown(item, chat) {
  return steps(item, chat, "unknown");
}

/** A defined action has its own labels for its receipt, because its `amount` may not be money. */
function succeeded({ receipt = {}, receipt_rows: own, title }, { t, i18n, human }) {
  const value = (name) => (name === "amount" ? i18n.money(receipt.amount, receipt.currency) : receipt[name]);
  const known = ["order", "amount", "to", "address", "reference"].filter((name) => receipt[name]);
  return [rows({ rows: own || known.map((name) => ({ label: t(name), value: value(name) })) }), h("div.act-b", btn(".quiet.sm", () => human(title), t("askHuman")))];
}

function failed(item, { t, human }) {
  return [rows(item), h("div.act-b", btn(".primary.lg", () => human(item.title), icon("person", "s"), t("askHuman")))];
}

/** A card that ended without effect: small, with the reason and a next step. */
function folded({ state, title, summary }, chat) {
  const { t, human } = chat;
  if (state === "cancelled") return "";
  if (state === "expired") return h("div.act-b", btn(".sm", () => chat.send(summary), icon("history", "s"), t("checkAgain")));
  return h("div.act-b", btn(".sm", () => human(title), icon("person", "s"), t("askHuman")));
}

/** The server says which language its text is in; the words around the text may be in another language. */
function rows({ rows: known, locale: lang }) {
  return known?.length > 0 && h("dl", { lang }, known.flatMap(({ label, value }) => [h("dt", label), h("dd", h("bdi", value))]));
}

/** Completed steps with a tick, and the current one. */
function steps({ times }, { t, i18n }, now, when) {
  const at = times.awaiting_approval || times.queued;
  const sign = now === "colleague" ? icon("person", "s") : h("span.pulse");
  return h("ol.steps", at && h("li", icon("check", "s"), t("confirmed"), h("time", i18n.time(at))), h("li.now", sign, t(now), when && h("time", when)));
}
