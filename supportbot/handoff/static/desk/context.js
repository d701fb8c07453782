// The customer's orders, looked up while the agent already reads: the shop may take its time.

import { byId, el } from "./dom.js";

const KINDS = { delivered: "ok", shipped: "info", cancelled: "", returned: "" };
const MOST_SHOWN = 5;

export async function showOrders() {
  const place = byId("orders");
  if (!place?.dataset.url) return;
  place.replaceChildren(el("p", { class: "muted" }, "Asking the shop"));
  try {
    const answer = await fetch(place.dataset.url);
    const found = await answer.json();
    place.replaceChildren(...(answer.ok ? drawn(found.orders) : [el("p", { class: "muted" }, found.message)]));
  } catch {
    place.replaceChildren(el("p", { class: "muted" }, "The orders could not be asked for."));
  }
}

function drawn(orders) {
  if (!orders.length) return [el("p", { class: "muted" }, "No orders.")];
  const rest = orders.length > MOST_SHOWN ? [el("p", { class: "muted" }, `and ${orders.length - MOST_SHOWN} older ones`)] : [];
  const newest = [...orders].sort((one, other) => (one.placed_on < other.placed_on ? 1 : -1)).slice(0, MOST_SHOWN);
  return [el("div", { class: "ords" }, ...newest.map(card)), ...rest];
}

function card(order) {
  return el("div", { class: "ord" },
    el("div", { class: "oh" }, el("b", {}, el("bdi", {}, order.id)), el("span", { class: "muted" }, day(order.placed_on)),
      el("span", { class: "gap" }), el("span", { class: `tag ${KINDS[order.status] ?? "info"}` }, capital(order.status_text))),
    el("ul", {}, ...order.items.map((item) => el("li", {}, el("span", { class: "muted" }, named(item)))),
      el("li", {}, el("span", { class: "muted" }, total(order)), el("span", { class: "num" }, order.total))));
}

const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

function named({ name, quantity }) {
  return quantity === 1 ? name : `${quantity} × ${name}`;
}

function total({ refunded }) {
  return /[1-9]/.test(refunded) ? `Total, ${refunded} paid back` : "Total";
}

function day(date) {
  return new Date(`${date}T12:00`).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}
