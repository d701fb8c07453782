/** Puts nodes into a drawn item, with the styles of this bundle. */

import styles from "./blocks.css";

const NEAR = 60;
const EDGE = 16;

/** Insert nodes into a drawn item, with our styles, and keep them in view for readers at the end of the log. */
export function insert({ element, view }, node, put) {
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
