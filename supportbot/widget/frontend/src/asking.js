/**
 * What asks the customer for more than words: buttons to choose from, forms, the rating at the end. A bundle of its own,
 * fetched when a chat first needs it.
 */

import styles from "./asking.css";
import { btn, h } from "./dom.js";

const NEAR = 60;
const EDGE = 16;
// What a browser may fill in by itself.
const AUTOFILL = { name: "name", line1: "address-line1", line2: "address-line2", postal_code: "postal-code", city: "address-level2", country: "country" };

const DRAWERS = { choices, form };

/** Draw the blocks of an answer between its words and its tools; they are open until the customer says something. */
export function asks(node, { key, blocks, seq }, chat) {
  const { log, view } = chat;
  const later = [...log.items.values()].filter((other) => other.seq > seq && other.key !== key);
  const said = later.find(({ kind, state }) => kind === "me" && state !== "failed");
  const isOver = Boolean(said) || later.some((other) => other.blocks || other.ends);
  // What stands on the buttons need not stand above them too.
  const labels = blocks.flatMap(({ options = [] }) => options.map(({ label }) => label));
  for (const list of node.text.querySelectorAll("ul")) list.hidden = [...list.children].every(({ textContent }) => labels.includes(textContent));
  const drawn = JSON.stringify([said?.text, isOver, chat.words.language]);
  if (node.drawn === drawn) return;
  node.drawn = drawn;
  const hadFocus = node.asks?.contains(view.focused);
  node.asks ||= h("div.asks", { tabindex: "-1" });
  node.asks.replaceChildren(...blocks.map((block, place) => {
    const answer = (text, frame) => chat.utter(text, { ...frame, block: `${key}:${place}` });
    return DRAWERS[block.type]?.(block, { answer, said, isOver, chat, id: `sb-${key}-${place}` }) || "";
  }));
  added(chat, node, () => node.rest.before(node.asks));
  // The button that was pressed is out of use: who pressed it stays here.
  if (hadFocus) node.asks.focus({ preventScroll: true });
}

function choices({ prompt, options }, { answer, said, isOver }) {
  return h("div.choices", { role: "group", "aria-label": prompt }, options.map(({ id, label }) => btn("", () => answer(label, { type: "choose", option: id }), { disabled: isOver, dir: "auto", "aria-pressed": isOver && String(label === said?.text) }, label)));
}

function form({ prompt, fields }, { answer, said, isOver, chat, id }) {
  const { say } = chat;
  const lines = said ? said.text.split("\n") : [];
  const inputs = fields.map((field) => input(field, `${id}-${field.name}`, lines.find((line) => line.startsWith(`${field.title}: `))?.slice(field.title.length + 2)));
  const rows = fields.map(({ title, required }, index) => h("div.row", h("label", { for: inputs[index].id }, title, !required && h("span", ` ${say("optional")}`)), inputs[index]));
  const send = (event) => {
    event.preventDefault();
    const wrong = fields.findIndex((field, index) => !takes(field, inputs[index].value.trim()));
    if (wrong >= 0) {
      inputs[wrong].setCustomValidity(say("invalid_value"));
      inputs[wrong].reportValidity();
      return;
    }
    const filled = fields.map((field, index) => ({ ...field, value: inputs[index].value.trim().replace(/\s+/g, " ") })).filter(({ value }) => value);
    const values = Object.fromEntries(filled.map(({ name, type, value }) => [name, type === "integer" ? Number(value) : value]));
    answer(filled.map(({ title, value }) => `${title}: ${value}`).join("\n"), { type: "submit", values });
  };
  return h("form", { onsubmit: send, "aria-label": prompt }, h("fieldset", { disabled: isOver }, rows, !isOver && h("div.act-b", h("button.btn.primary.lg", { type: "submit" }, say("send")))));
}

function input({ name, type, required, maxLength, minimum, maximum, enum: choice }, id, value) {
  const common = { id, required, dir: "auto", autocomplete: AUTOFILL[name] };
  const node = choice ? h("select.field", common, !required && h("option"), choice.map((one) => h("option", one))) : h("input.field", { ...common, type: type === "integer" ? "number" : "text", maxlength: maxLength, min: minimum, max: maximum });
  node.value = value || "";
  node.addEventListener("input", () => node.setCustomValidity(""));
  return node;
}

/** Whether the server will take a value: what the browser tells by itself, and the pattern, in the sense it has there. */
function takes({ required, pattern }, value) {
  return value ? !pattern || new RegExp(pattern).test(value) : !required;
}

/** Ask once how it was. */
export function rate(node, item, chat) {
  const { say, log } = chat;
  if (item.given || item.skipped) node.replaceChildren(item.given ? say("thanks") : "");
  if (node.firstChild || item.skipped) return;
  const send = h("button.btn.primary", { disabled: true }, say("send"));
  const choice = (key, value) => h("label", h("input", { type: "radio", name: item.key, value, onchange: () => (send.disabled = false) }), h("span", say(key)));
  const comment = h("textarea.field", { rows: "2", dir: "auto", maxlength: "1000", "aria-label": say("comment"), placeholder: say("comment") });
  send.onclick = () => chat.rate(Number(node.querySelector(":checked").value), comment.value.trim()).then(() => log.put(item.key, { given: true }));
  const all = h("fieldset", h("legend", say("solved")), h("div.five", choice("no", 1), choice("partly", 3), choice("yes", 5)), comment, h("div.act-b", send, btn(".quiet", () => log.put(item.key, { skipped: true }), say("skip"))));
  added(chat, node, () => node.append(all));
}

/** Put something into an item that is there already, in view of who reads at the end, and under our styles. */
function added({ element, view }, node, put) {
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
