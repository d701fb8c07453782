/** Building nodes. The only doors to the page's tree are here: elements, attributes and text nodes, never markup. */

const PATHS = {
  alert: "M10 3.2 17.4 16H2.6zM10 8.2v3.6M10 13.9v.01",
  assist: "M4 6.25A2.25 2.25 0 0 1 6.25 4h7.5A2.25 2.25 0 0 1 16 6.25v5a2.25 2.25 0 0 1-2.25 2.25H10l-3.5 2.75V13.5h-.25A2.25 2.25 0 0 1 4 11.25zM7.75 8v1.75M12.25 8v1.75",
  book: "M10 5.2C8.6 4 6.6 3.6 3.25 3.75v11.3c3.35-.15 5.35.25 6.75 1.45 1.4-1.2 3.4-1.6 6.75-1.45V3.75C13.4 3.6 11.4 4 10 5.2zM10 5.2v11.3",
  card: "M4.75 4.75h10.5a2 2 0 0 1 2 2v6.5a2 2 0 0 1-2 2H4.75a2 2 0 0 1-2-2v-6.5a2 2 0 0 1 2-2zM2.75 8.25h14.5M5.75 12.25h2.5",
  check: "m4.25 10.5 3.9 3.9 7.6-8.4",
  clock: "M17.25 10a7.25 7.25 0 1 1-14.5 0 7.25 7.25 0 0 1 14.5 0zM10 5.9V10l2.8 1.9",
  close: "m5 5 10 10M15 5 5 15",
  copy: "M8.75 7h6a1.75 1.75 0 0 1 1.75 1.75v6a1.75 1.75 0 0 1-1.75 1.75h-6A1.75 1.75 0 0 1 7 14.75v-6A1.75 1.75 0 0 1 8.75 7zM13 4.5a1 1 0 0 0-1-1H5.25A1.75 1.75 0 0 0 3.5 5.25V12a1 1 0 0 0 1 1",
  down: "m5 7.75 5 5 5-5",
  bad: "M13.5 11V3.75h2.75V11zM13.5 11l-3 6c-1.4 0-2.2-1-2-2.4l.4-2.6H4.8c-1 0-1.7-.9-1.5-1.9l1-5c.2-.8.8-1.35 1.6-1.35h7.6",
  download: "M10 3.5V13M6 9.25 10 13l4-3.75M3.5 13.5v2a1.25 1.25 0 0 0 1.25 1.25h10.5a1.25 1.25 0 0 0 1.25-1.25v-2",
  globe: "M17.25 10a7.25 7.25 0 1 1-14.5 0 7.25 7.25 0 0 1 14.5 0zM2.9 10h14.2M10 2.75c4 4.3 4 10.2 0 14.5M10 2.75c-4 4.3-4 10.2 0 14.5",
  good: "M6.5 9v7.25H3.75V9zM6.5 9l3-6c1.4 0 2.2 1 2 2.4L11.1 8h4.1c1 0 1.7.9 1.5 1.9l-1 5c-.2.8-.8 1.35-1.6 1.35H6.5",
  history: "M3.5 10a6.6 6.6 0 1 0 2-4.7L3.5 7.2M3.5 3.6v3.6h3.6M10 6.5V10l2.5 1.6",
  lock: "M6 8.75h8a1.75 1.75 0 0 1 1.75 1.75V15A1.75 1.75 0 0 1 14 16.75H6A1.75 1.75 0 0 1 4.25 15v-4.5A1.75 1.75 0 0 1 6 8.75zM6.75 8.5V6.25a3.25 3.25 0 0 1 6.5 0V8.5",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  offline: "M3 3l14 14M10 15.5v.01M7.5 12.8a3.6 3.6 0 0 1 3.6-.8M4.9 10a7.5 7.5 0 0 1 3-1.8M12.3 8.2a7.5 7.5 0 0 1 2.8 1.8M2.5 7.3a11 11 0 0 1 3.3-2.1M9.3 4.3a11 11 0 0 1 8.2 3",
  ok: "M17.25 10a7.25 7.25 0 1 1-14.5 0 7.25 7.25 0 0 1 14.5 0zM6.75 10.3l2.3 2.3 4.2-4.8",
  person: "M13.25 6.75a3.25 3.25 0 1 1-6.5 0 3.25 3.25 0 0 1 6.5 0zM3.75 16.75c.6-3 3-4.5 6.25-4.5s5.65 1.5 6.25 4.5",
  plus: "M10 4v12M4 10h12",
  refresh: "M16.2 8.2A6.5 6.5 0 0 0 4.4 6.7M3.8 11.8a6.5 6.5 0 0 0 11.8 1.5M4.2 3.4v3.5h3.5M15.8 16.6v-3.5h-3.5",
  right: "m7.75 5 5 5-5 5",
  send: "M10 16V4.5M5 9.25 10 4.5l5 4.75",
  stop: "M7.25 5.75h5.5a1.5 1.5 0 0 1 1.5 1.5v5.5a1.5 1.5 0 0 1-1.5 1.5h-5.5a1.5 1.5 0 0 1-1.5-1.5v-5.5a1.5 1.5 0 0 1 1.5-1.5z",
  trash: "M3.75 5.5h12.5M8 5.25V3.5h4v1.75M5.25 5.75l.75 11h8l.75-11M8.4 8.75v5M11.6 8.75v5",
  truck: "M2.5 5.25h9v8.5h-9zM11.5 8.25h3.2l2.8 2.9v2.6h-6zM7.6 14.5a1.6 1.6 0 1 1-3.2 0M15.6 14.5a1.6 1.6 0 1 1-3.2 0",
  x: "M17.25 10a7.25 7.25 0 1 1-14.5 0 7.25 7.25 0 0 1 14.5 0zM7.5 7.5l5 5m0-5-5 5",
};

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element: attributes by name, listeners as `onclick: fn`; children are nodes or text, nothing else is drawn.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node|string|false|null|undefined|Array<Node|string>)} children
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  if (tag === "button") node.type = "button";
  for (const [name, value] of Object.entries(attributes)) set(node, name, value);
  node.append(...children.flat().filter((child) => child || child === 0));
  return node;
}

function set(node, name, value) {
  if (value === false || value === null || value === undefined) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? "" : value);
}

/** An icon of our own drawing; it always stands beside a word or in a named button. */
export function icon(name, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", `i ${className}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

/** A button with words; `label` names one that has only an icon. */
export function button(className, onclick, ...children) {
  return h("button", { class: className, onclick }, ...children);
}

export function iconButton(className, name, label, onclick, attributes = {}) {
  return h("button", { class: `btn quiet icon ${className}`, "aria-label": label, title: label, onclick, ...attributes }, icon(name, className.includes("sm") ? "s" : ""));
}
