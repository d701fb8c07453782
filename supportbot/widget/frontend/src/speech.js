/**
 * What a screen reader hears. The list that is seen is not live: it changes with every word. Here, one polite log gets
 * each finished sentence once, and one status line gets states. The log is emptied when the customer writes again, so
 * that reading on by hand does not meet everything twice.
 */

import { h } from "./dom.js";
import { plain } from "./markdown.js";

export class Speech {
  spoken = {};
  log = h("div.vh", { role: "log", "aria-live": "polite" });
  line = h("div.vh", { role: "status" });

  status(text) {
    this.line.textContent = text;
  }

  say(text) {
    this.log.append(h("p", { dir: "auto" }, text));
  }

  clear() {
    this.log.replaceChildren();
    this.spoken = {};
  }

  /** Speak the finished sentences of a growing text, all that is left once it is over; `who` before the first. */
  follow(key, who, text, isOver) {
    const spoken = (this.spoken[key] ||= new Set());
    const cut = new Intl.Segmenter([], { granularity: "sentence" }).segment(plain(text));
    const sentences = Array.from(cut, ({ segment }) => segment.trim());
    const fresh = (isOver ? sentences : sentences.slice(0, -1)).filter((sentence) => sentence && !spoken.has(sentence));
    if (fresh.length) this.say((spoken.size ? "" : `${who}: `) + fresh.join(" "));
    for (const sentence of fresh) spoken.add(sentence);
  }
}
