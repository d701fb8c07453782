/** Cards of records and receipts. This is a separate bundle, fetched when a chat first has one. */

import { btn, h } from "./dom.js";
import { link } from "./markdown.js";
import styles from "./records.css";

const NEAR = 60;
const EDGE = 16;

/** A record that was looked up. A picture is left out if it does not load or if the page's policy forbids it. */
export function card(node, { record: { title, rows, link: href, picture } }, chat) {
  const image = /^https?:/.test(picture) && h("img", { src: picture, alt: "", loading: "lazy", referrerpolicy: "no-referrer", onerror: () => image.remove() });
  fill(node, chat, image, h("div", h("b", { dir: "auto" }, link(href, title) || title), table(rows)));
}

/**
 * A receipt, with a button if the request can still be undone. Its rows are left out if this chat has the card of the
 * action, which shows them already.
 */
export function receipt(node, { request, title, rows, link: page, undo }, chat) {
  const isShown = chat.log.items.has(request);
  const isUndone = chat.log.of("card").some(({ undoes, state }) => undoes === request && state === "succeeded");
  const back = undo && !isUndone && new Date(undo.until) > Date.now() && btn(".sm", () => chat.connection.send({ type: "undo", request }), undo.label);
  fill(node, chat, h("div", !isShown && h("b", { dir: "auto" }, title), !isShown && table(rows), page && link(page.url, page.label), back));
}

/** Draw a card or a receipt. A reader at the end of the log sees all of it, although it loads after its message. */
function fill(node, { element, view: { list, spacer } }, ...parts) {
  const sheets = element.shadowRoot.adoptedStyleSheets;
  if (!sheets.includes(sheet)) sheets.push(sheet);
  const isAtEnd = spacer.offsetTop - list.scrollTop - list.clientHeight < NEAR;
  node.replaceChildren(...parts.filter(Boolean));
  const end = node.offsetTop + node.offsetHeight + EDGE;
  if (isAtEnd) list.scrollTop = Math.max(list.scrollTop, Math.min(end - list.clientHeight, node.offsetTop - EDGE));
}

const table = (rows) => h("dl", rows.flatMap(({ label, value }) => [h("dt", label), h("dd", h("bdi", value))]));

const sheet = new CSSStyleSheet();
sheet.replaceSync(styles);
