/**
 * Choice buttons and forms. Together with the ratings, this is a separate bundle, fetched with its texts (more.js) when
 * a chat first needs it.
 */

import { btn, h } from "./dom.js";
import { insert } from "./item_insertion.js";
import { drawRating } from "./ratings.js";
import { group } from "./form_fields.js";

export { drawRating, drawReasons } from "./ratings.js";

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
