// The customer's orders, loaded after the page because the shop may be slow.

import { byId, el } from "./dom.js";
import { LANGUAGE, gettext, ngettext } from "./text.js";

const KINDS = { delivered: "ok", shipped: "info", cancelled: "", returned: "" };
const MAX_ORDERS = 5;

export async function showOrders() {
  const place = byId("orders");
  if (!place?.dataset.url) return;
  place.replaceChildren(el("p", { class: "muted" }, gettext("Loading orders")));
  try {
    const answer = await fetch(place.dataset.url);
    const found = await answer.json();
    place.replaceChildren(...(answer.ok ? render(found.orders) : [el("p", { class: "muted" }, found.message)]));
  } catch {
    place.replaceChildren(el("p", { class: "muted" }, gettext("The orders could not be loaded.")));
  }
}

function render(orders) {
  if (!orders.length) return [el("p", { class: "muted" }, gettext("No orders."))];
  const older = orders.length - MAX_ORDERS;
  const rest = older > 0 ? [el("p", { class: "muted" }, ngettext("and {number} older order", "and {number} older orders", older))] : [];
  const newest = [...orders].sort((one, other) => (one.placed_on < other.placed_on ? 1 : -1)).slice(0, MAX_ORDERS);
  return [el("div", { class: "ords" }, ...newest.map(card)), ...rest];
}

function card(order) {
  return el("div", { class: "ord" },
    el("div", { class: "oh" }, el("b", {}, el("bdi", {}, order.id)), el("span", { class: "muted" }, day(order.placed_on)),
      el("span", { class: "gap" }), el("span", { class: `tag ${KINDS[order.status] ?? "info"}` }, capitalize(order.status_text))),
    el("ul", {}, ...order.items.map((item) => el("li", {}, el("span", { class: "muted" }, itemLabel(item)))),
      el("li", {}, el("span", { class: "muted" }, totalLabel(order)), el("span", { class: "num" }, order.total))));
}

const capitalize = (words) => words.charAt(0).toUpperCase() + words.slice(1);

function itemLabel({ name, quantity }) {
  return quantity === 1 ? name : `${quantity} × ${name}`;
}

function totalLabel({ refunded }) {
  return /[1-9]/.test(refunded) ? gettext("Total, {amount} refunded", { amount: refunded }) : gettext("Total");
}

function day(date) {
  return new Date(`${date}T12:00`).toLocaleDateString(LANGUAGE, { day: "numeric", month: "short" });
}
