/** The rating at the end of a chat, and the question about what was wrong with an answer. */

import { btn, h } from "./dom.js";
import { insert } from "./item_insertion.js";

const REASONS = ["wrong", "off_topic", "incomplete", "unclear"];

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
