/** What the loader fetches when somebody wants to chat: the panel with its words and its styles, put into the shadow root. */

import { Chat } from "./chat.js";
import { Words } from "./words.js";

/**
 * @param {HTMLElement} element the `support-bot` element
 * @param {ShadowRoot} shadow
 * @param {HTMLElement} frame what the loader drew: the panel stands beside the launcher
 * @returns {Promise<Chat>}
 */
export async function start(element, shadow, frame) {
  const [words, styles] = await Promise.all([Words.of(element.language), fetched("panel.css")]);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
  return new Chat(element, frame, words);
}

async function fetched(name) {
  const answer = await fetch(new URL(name, import.meta.url), { credentials: "omit" });
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.text();
}
