/** The panel, which the loader fetches when somebody wants to chat. */

import { Chat } from "./chat.js";
import { I18n } from "./i18n.js";
import styles from "./panel.css";

/**
 * @param {HTMLElement} element the `support-bot` element; `element.frame` is what the loader drew in its shadow root
 * @returns {Promise<Chat>}
 */
export async function start(element) {
  const i18n = await I18n.load(element.language);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  element.shadowRoot.adoptedStyleSheets.push(sheet);
  return new Chat(element, i18n);
}
