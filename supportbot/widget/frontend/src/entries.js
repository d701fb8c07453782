/** A form that takes several entries. This is a separate bundle, fetched when a chat first has such a form. */

import { btn, h } from "./dom.js";
import styles from "./entries.css";

/** Draw the entries that were sent, or as many as are needed, with buttons to add and remove. */
export function draw(node, block, context, { group, frame, insert }) {
  const { fields, entries: { minItems, maxItems, title, add, remove } } = block;
  const { answer, reply, isOver, chat, id } = context;
  const sheets = chat.element.shadowRoot.adoptedStyleSheets;
  if (!sheets.includes(sheet)) sheets.push(sheet);
  const texts = reply ? reply.text.split("\n\n").slice(0, maxItems) : Array(minItems).fill();
  let made = 0;
  let groups = [];
  const list = h("div.entries");
  const more = btn("", () => show(append()), add);

  const renumber = () => {
    groups.forEach((one, place) => {
      one.legend.textContent = `${title} ${place + 1}`;
      if (one.away) one.away.hidden = groups.length <= minItems;
    });
    more.hidden = groups.length >= maxItems;
  };
  const append = (text) => {
    const one = group(fields, `${id}-${made++}`, text, chat);
    one.legend = h("legend", { dir: "auto" });
    one.away = !isOver && btn(".sm", () => drop(one), remove);
    one.node = h("fieldset.entry", one.legend, one.rows, one.away);
    groups.push(one);
    list.append(one.node);
    renumber();
    return one;
  };
  const show = ({ node: own }) => own.querySelector("input, select").focus();
  const drop = (one) => {
    const place = groups.indexOf(one);
    groups = groups.filter((other) => other !== one);
    one.node.remove();
    renumber();
    show(groups[Math.min(place, groups.length - 1)]);
  };

  texts.forEach(append);
  const send = () => groups.every((one) => one.isRight()) && answer(groups.map((one) => one.text()).join("\n\n"), { type: "submit", values: groups.map((one) => one.values()) });
  insert(chat, node, () => node.replaceChildren(frame(block, context, send, list, !isOver && h("div", more))));
}

const sheet = new CSSStyleSheet();
sheet.replaceSync(styles);
