/** What the loader fetches when somebody wants to chat: the panel and its styles, put into the shadow root. */

// The texts first: what is like something before it costs least to send.
import { Words } from "./words.js";
import { Chat } from "./chat.js";
import styles from "./panel.css";

/**
 * @param {HTMLElement} element the `support-bot` element; `element.frame` is what the loader drew in its shadow root
 * @returns {Chat}
 */
export function start(element) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  element.shadowRoot.adoptedStyleSheets.push(sheet);
  return new Chat(element, new Words(element.language));
}
