/**
 * Buttons to choose from, forms, and the rating at the end. A bundle of its own, fetched when a chat first needs it.
 */

import styles from "./blocks.css";
import { btn, h } from "./dom.js";

const NEAR = 60;
const EDGE = 16;
// What browsers can fill in.
const AUTOFILL = { name: "name", line1: "address-line1", line2: "address-line2", postal_code: "postal-code", city: "address-level2", country: "country" };

const DRAWERS = { choices, form };

/** Draw the blocks of an answer between its text and its tools; they stay open until the customer's next message. */
export function drawBlocks(node, { key, blocks, seq }, chat) {
  const { log, view } = chat;
  const later = [...log.items.values()].filter((other) => other.seq > seq && other.key !== key);
  const reply = later.find(({ kind, state }) => kind === "me" && state !== "failed");
  const isOver = Boolean(reply) || later.some((other) => other.blocks || other.ends);
  // A list that only repeats the buttons is hidden.
  const labels = blocks.flatMap(({ options = [] }) => options.map(({ label }) => label));
  for (const list of node.text.querySelectorAll("ul")) list.hidden = [...list.children].every(({ textContent }) => labels.includes(textContent));
  const drawn = JSON.stringify([reply?.text, isOver, chat.i18n.language]);
  if (node.drawn === drawn) return;
  node.drawn = drawn;
  const hadFocus = node.blocks?.contains(view.focused);
  node.blocks ||= h("div.blocks", { tabindex: "-1" });
  node.blocks.replaceChildren(...blocks.map((block, place) => {
    const answer = (text, frame) => chat.submit(text, { ...frame, block: `${key}:${place}` });
    return DRAWERS[block.type]?.(block, { answer, reply, isOver, chat, id: `sb-${key}-${place}` }) || "";
  }));
  insert(chat, node, () => node.rest.before(node.blocks));
  // The pressed button is disabled now: keep the focus here.
  if (hadFocus) node.blocks.focus({ preventScroll: true });
}

function choices({ prompt, options }, { answer, reply, isOver }) {
  return h("div.choices", { role: "group", "aria-label": prompt }, options.map(({ id, label }) => btn("", () => answer(label, { type: "choose", option: id }), { disabled: isOver, dir: "auto", "aria-pressed": isOver && String(label === reply?.text) }, label)));
}

function form({ prompt, fields }, { answer, reply, isOver, chat, id }) {
  const { t } = chat;
  const lines = reply ? reply.text.split("\n") : [];
  const inputs = fields.map((field) => input(field, `${id}-${field.name}`, lines.find((line) => line.startsWith(`${field.title}: `))?.slice(field.title.length + 2)));
  const rows = fields.map(({ title, required }, index) => h("div.row", h("label", { for: inputs[index].id }, title, !required && h("span", ` ${t("optional")}`)), inputs[index]));
  const send = (event) => {
    event.preventDefault();
    const wrong = fields.findIndex((field, index) => !isValid(field, inputs[index].value.trim()));
    if (wrong >= 0) {
      inputs[wrong].setCustomValidity(t("invalid_value"));
      inputs[wrong].reportValidity();
      return;
    }
    const filled = fields.map((field, index) => ({ ...field, value: inputs[index].value.trim().replace(/\s+/g, " ") })).filter(({ value }) => value);
    const values = Object.fromEntries(filled.map(({ name, type, value }) => [name, type === "integer" ? Number(value) : value]));
    answer(filled.map(({ title, value }) => `${title}: ${value}`).join("\n"), { type: "submit", values });
  };
  return h("form", { onsubmit: send, "aria-label": prompt }, h("fieldset", { disabled: isOver }, rows, !isOver && h("div.act-b", h("button.btn.primary.lg", { type: "submit" }, t("send")))));
}

function input({ name, type, required, maxLength, minimum, maximum, enum: choice }, id, value) {
  const common = { id, required, dir: "auto", autocomplete: AUTOFILL[name] };
  const node = choice ? h("select.field", common, !required && h("option"), choice.map((one) => h("option", one))) : h("input.field", { ...common, type: type === "integer" ? "number" : "text", maxlength: maxLength, min: minimum, max: maximum });
  node.value = value || "";
  node.addEventListener("input", () => node.setCustomValidity(""));
  return node;
}

/** Whether the server will accept a value. Browsers check the rest; they read `pattern` differently than the server. */
function isValid({ required, pattern }, value) {
  return value ? !pattern || new RegExp(pattern).test(value) : !required;
}

/** Ask once for a rating. */
export function drawRating(node, item, chat) {
  const { t, log } = chat;
  if (item.given || item.skipped) node.replaceChildren(item.given ? t("thanks") : "");
  if (node.firstChild || item.skipped) return;
  const send = h("button.btn.primary", { disabled: true }, t("send"));
  const choice = (key, value) => h("label", h("input", { type: "radio", name: item.key, value, onchange: () => (send.disabled = false) }), h("span", t(key)));
  const comment = h("textarea.field", { rows: "2", dir: "auto", maxlength: "1000", "aria-label": t("comment"), placeholder: t("comment") });
  send.onclick = () => chat.rate(Number(node.querySelector(":checked").value), comment.value.trim()).then(() => log.put(item.key, { given: true }));
  const all = h("fieldset", h("legend", t("solved")), h("div.five", choice("no", 1), choice("partly", 3), choice("yes", 5)), comment, h("div.act-b", send, btn(".quiet", () => log.put(item.key, { skipped: true }), t("skip"))));
  insert(chat, node, () => node.append(all));
}

/** Insert nodes into a drawn item under our styles, and keep them in view for readers at the end. */
function insert({ element, view }, node, put) {
  const { list, spacer } = view;
  const sheets = element.shadowRoot.adoptedStyleSheets;
  if (!sheets.includes(sheet)) sheets.push(sheet);
  const before = spacer.offsetTop - list.scrollTop - list.clientHeight;
  put();
  view.flush();
  if (before < NEAR) list.scrollTop = Math.max(list.scrollTop, Math.min(node.offsetTop + node.offsetHeight + EDGE - list.clientHeight, node.offsetTop - EDGE));
}

const sheet = new CSSStyleSheet();
sheet.replaceSync(styles);
