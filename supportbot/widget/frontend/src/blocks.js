/**
 * Choice buttons, forms, the rating at the end, and the question about what was wrong with an answer. This is a
 * separate bundle, fetched with its texts (more.js) when a chat first needs it.
 */

import styles from "./blocks.css";
import { btn, h } from "./dom.js";

const NEAR = 60;
const EDGE = 16;
// The fields that browsers can fill in.
const AUTOFILL = { name: "name", line1: "address-line1", line2: "address-line2", postal_code: "postal-code", city: "address-level2", country: "country" };

const REASONS = ["wrong", "off_topic", "incomplete", "unclear"];
const DRAWERS = { choices, form, card: record, receipt: record };
const asks = ({ type }) => type === "choices" || type === "form";

export const draw = (node, item, chat) => (item.blocks ? drawBlocks : drawRating)(node, item, chat);

/** Draw the blocks of an answer between its text and its tools; they stay open until the customer's next message. */
export function drawBlocks(node, { key, blocks, seq }, chat) {
  const { log, view } = chat;
  const later = [...log.items.values()].filter((other) => other.seq > seq && other.key !== key);
  const reply = later.find(({ kind, state }) => kind === "me" && state !== "failed");
  const isOver = Boolean(reply) || later.some((other) => other.blocks?.some(asks) || other.ends);
  // A list that only repeats the buttons or cards is hidden.
  const labels = blocks.flatMap(({ options = [], record }) => (record ? [record.rows.map(({ label, value }) => `${label}: ${value}`).join(", ")] : options.map(({ label }) => label)));
  for (const list of node.text.querySelectorAll("ul")) list.hidden = [...list.children].every(({ textContent }) => labels.includes(textContent));
  const drawn = JSON.stringify([reply?.text, isOver, chat.i18n.language, later.filter(({ undoes }) => undoes)]);
  if (node.drawn === drawn && node.contains(node.blocks)) return;
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

/** Cards and receipts are in a separate bundle. */
function record(block, { chat }) {
  const node = h("div.rec");
  import("./records.js").then((its) => its[block.type](node, block, chat));
  return node;
}

function choices({ prompt, options }, { answer, reply, isOver }) {
  return h("div.choices", { role: "group", "aria-label": prompt }, options.map(({ id, label }) => btn("", () => answer(label, { type: "choose", option: id }), { disabled: isOver, dir: "auto", "aria-pressed": isOver && String(label === reply?.text) }, label)));
}

function form(block, context) {
  if (block.entries) {
    const node = h("div");
    import("./entries.js").then((its) => its.draw(node, block, context, { group, frame, insert }));
    return node;
  }
  const { reply, id, chat } = context;
  const own = group(block.fields, id, reply?.text, chat);
  const send = () => own.isRight() && context.answer(own.text(), { type: "submit", values: own.values() });
  return frame(block, context, send, own.rows);
}

/** A form with its fields; once it has been answered, it is disabled. */
const frame = ({ prompt }, { isOver, chat: { t } }, send, ...parts) => h("form", { onsubmit: (event) => (event.preventDefault(), send()), "aria-label": prompt }, h("fieldset", { disabled: isOver }, parts, !isOver && h("div.act-b", h("button.btn.primary.lg", { type: "submit" }, t("send")))));

/** The fields of a form, or of one of its entries, filled in from the lines of `text`. */
function group(fields, id, text, { t }) {
  const lines = text ? text.split("\n") : [];
  const inputs = fields.map((field) => input(field, `${id}-${field.name}`, lines.find((line) => line.startsWith(`${field.title}: `))?.slice(field.title.length + 2)));
  const rows = fields.map(({ title, type, required }, index) => h("div.row", h(type === "array" ? "span" : "label", type === "array" ? { id: `${inputs[index].id}-l` } : { for: inputs[index].id }, title, !required && h("span", ` ${t("optional")}`)), inputs[index]));
  const filled = () => fields.map((field, index) => ({ ...field, value: valueOf(inputs[index]), chosen: ticked(inputs[index]) })).filter(({ value }) => value);
  return {
    rows,
    text: () => filled().map(({ title, value }) => `${title}: ${value}`).join("\n"),
    values: () => Object.fromEntries(filled().map(({ name, type, value, chosen }) => [name, type === "array" ? chosen : type === "integer" ? +value : value])),
    isRight() {
      const names = filled().map(({ name }) => name);
      const wrong = fields.findIndex((field, index) => !isValid(field, valueOf(inputs[index]), names));
      const node = inputs[wrong]?.querySelector?.("input") || inputs[wrong];
      node?.setCustomValidity(t("invalid_value"));
      node?.reportValidity();
      return !node;
    },
  };
}

function input({ name, type, format, required, maxLength, minimum, maximum, enum: choice, items }, id, value) {
  if (type === "array") return boxes(items.enum, id, value);
  const common = { id, required, dir: "auto", autocomplete: AUTOFILL[name] };
  const node = choice ? h("select.field", common, !required && h("option"), choice.map((one) => h("option", one))) : maxLength > 200 ? h("textarea.field", { ...common, maxlength: maxLength, rows: "4" }) : h("input.field", { ...common, type: (isDay(value) && format) || (type === "integer" ? "number" : "text"), maxlength: maxLength, min: minimum, max: maximum });
  node.value = value || "";
  node.addEventListener("input", () => node.setCustomValidity(""));
  return node;
}

/** Whether a date field can show this value; the form that was sent shows a day in words. */
const isDay = (value) => !value || /^\d{4}-\d\d-\d\d$/.test(value);

/** A list of options, any number of which can be ticked. */
function boxes(options, id, value) {
  const chosen = `, ${value || ""}, `;
  const node = h("div.boxes", { id, role: "group", "aria-labelledby": `${id}-l` }, options.map((one) => h("label", h("input", { type: "checkbox", value: one, checked: chosen.includes(`, ${one}, `) }), h("span", { dir: "auto" }, one))));
  node.addEventListener("change", () => node.querySelectorAll("input").forEach((box) => box.setCustomValidity("")));
  return node;
}

const ticked = (node) => [...node.querySelectorAll("input:checked")].map(({ value }) => value);
const valueOf = (node) => (node.matches(".boxes") ? ticked(node).join(", ") : node.value.trim().replace(/\s+/g, " "));

/**
 * Whether the server will accept a value: as it is, or changed to upper or lower case if only one of these fits (the
 * server then makes this change). Browsers check the rest; they read `pattern` differently from the server.
 */
function isValid({ required, requiredWith, pattern }, value, filled) {
  if (!value) return !(required || requiredWith?.some((name) => filled.includes(name)));
  return value.match(pattern) || !value.toUpperCase().match(pattern) !== !value.toLowerCase().match(pattern);
}

/** Ask once for a rating. */
export async function drawRating(node, item, chat) {
  const { t, log } = chat;
  if (item.given || item.skipped) node.replaceChildren(item.given ? t("thanks") : "");
  if (node.firstChild || item.skipped) return;
  const texts = await more(chat);
  if (node.firstChild) return;
  const send = h("button.btn.primary", { disabled: true }, t("send"));
  const choice = (key, value) => radio(item.key, value, texts[key], () => (send.disabled = false));
  const comment = remark(texts);
  send.onclick = () => chat.rate(+chosen(node), comment.value.trim()).then(() => log.put(item.key, { given: true }));
  const all = h("fieldset", h("legend", texts.solved), h("div.five", choice("no", 1), choice("partly", 3), choice("yes", 5)), comment, h("div.act-b", send, btn(".quiet", () => log.put(item.key, { skipped: true }), texts.skip)));
  insert(chat, node, () => node.append(all));
}

/** Ask what was wrong with an answer that was rated badly; a better score removes the question. */
export async function drawReasons(node, score, message, chat) {
  const { t } = chat;
  node.why ||= h("div.why");
  node.why.hidden = score > 2;
  if (node.why.firstChild) return;
  const texts = await more(chat);
  if (node.why.firstChild) return;
  const send = h("button.btn.primary", { disabled: true }, t("send"));
  const chips = REASONS.map((code) => radio(message, code, texts[code], () => (send.disabled = false)));
  const comment = remark(texts);
  send.onclick = () => {
    chat.rate(1, comment.value.trim(), message, chosen(node.why));
    node.why.replaceChildren(h("p.hint", t("thanks")), btn("", () => chat.human(), t("askHuman")));
  };
  insert(chat, node, () => node.rest.after(node.why));
  node.why.append(h("fieldset", h("legend", texts.why), h("div.five.wrap", chips), comment, h("div.act-b", send, btn(".quiet", () => (node.why.hidden = true), texts.skip))));
}

const radio = (name, value, text, onchange) => h("label", h("input", { type: "radio", name, value, onchange }), h("span", text));
const remark = ({ comment }) => h("textarea.field", { rows: "2", dir: "auto", maxlength: 1000, "aria-label": comment, placeholder: comment });
const chosen = (node) => node.querySelector(":checked").value;

/** Fetch the texts that only this bundle needs. */
async function more({ i18n }) {
  return (await import(new URL(`more-${i18n.language}.js`, import.meta.url))).default;
}

/** Insert nodes into a drawn item, with our styles, and keep them in view for readers at the end of the log. */
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
