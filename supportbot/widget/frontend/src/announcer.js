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

  status(text) {
    this.line.textContent = text;
  }

  announce(text) {
    this.log.append(h("p", { dir: "auto" }, text));
  }

  clear() {
    this.log.replaceChildren();
    this.spoken = {};
  }

  /** Announce the finished sentences of a growing text, and the rest once it is complete; `who` is announced first. */
  announceStream(key, who, text, isOver) {
    const spoken = (this.spoken[key] ||= new Set());
    const cut = new Intl.Segmenter([], { granularity: "sentence" }).segment(plain(text));
    const sentences = Array.from(cut, ({ segment }) => segment.trim());
    const fresh = (isOver ? sentences : sentences.slice(0, -1)).filter((sentence) => sentence && !spoken.has(sentence));
    if (fresh.length) this.announce((spoken.size ? "" : `${who}: `) + fresh.join(" "));
    for (const sentence of fresh) spoken.add(sentence);
  }
}
