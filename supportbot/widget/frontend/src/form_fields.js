/** The fields of a form: how they are drawn, read and checked. */

import { h } from "./dom.js";

// The fields that browsers can fill in.
const AUTOFILL = { name: "name", line1: "address-line1", line2: "address-line2", postal_code: "postal-code", city: "address-level2", country: "country" };

/** The fields of a form, or of one of its entries, filled in from the lines of `text`. */
export function group(fields, id, text, { t }) {
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
