/**
 * Announcements for screen readers. The visible list is not a live region: it changes with every word. Instead, a polite
 * log gets each finished sentence once, and a status line gets states. The log is cleared when the customer writes
 * again, so that people who browse it manually do not hear everything twice.
 */

import { h } from "./dom.js";
import { plain } from "./markdown.js";

export class Announcer {
  spoken = {};
  log = h("div.vh", { role: "log", "aria-live": "polite" });
  line = h("div.vh", { role: "status" });

  constructor(chat) {
    this.chat = chat;
  }

  status(text) {
    this.line.textContent = text;
  }

  /**
   * Announce what `compose` says about an item in its language, after all earlier announcements. An item whose
   * conversation was left meanwhile is not announced: the next customer may be listening.
   */
  announce(item, compose) {
    const { chat, log } = this;
    chat.texts.then(() => chat.log.items.has(item.key) && log.append(h("p", { dir: "auto", lang: item.locale || "" }, compose(item, chat.speaking(item)))));
  }

  clear() {
    this.log.replaceChildren();
    this.spoken = {};
  }

  /** Announce the finished sentences of a growing text, and the rest once it is complete; `who` (a text's key) comes first. */
  announceStream(item, who, text, isOver) {
    const spoken = (this.spoken[item.key] ||= new Set());
    const cut = new Intl.Segmenter([], { granularity: "sentence" }).segment(plain(text));
    const sentences = [...cut].map(({ segment }) => segment.trim());
    if (!isOver) sentences.pop();
    const fresh = sentences.filter((sentence) => sentence && !spoken.has(sentence));
    const isFirst = !spoken.size;
    if (fresh.length) this.announce(item, (_, { t }) => (isFirst ? `${t(who)}: ` : "") + fresh.join(" "));
    for (const sentence of fresh) spoken.add(sentence);
  }
}
