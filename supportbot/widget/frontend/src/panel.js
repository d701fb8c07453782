/** What the loader fetches when somebody wants to chat: the panel and its styles, put into the shadow root. */

import { Chat } from "./chat.js";
import styles from "./panel.css";
import { Words } from "./words.js";

/**
 * @param {HTMLElement} element the `support-bot` element; `element.frame` is what the loader drew in its shadow root
 * @returns {Promise<Chat>}
 */
export async function start(element) {
  const words = await Words.load(element.language);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  element.shadowRoot.adoptedStyleSheets.push(sheet);
  return new Chat(element, words);
}
