/**
 * What a screen reader hears. The list that is seen is not live: it changes with every word. Here, one polite log gets
 * each finished sentence once, and one status line gets states. The log is emptied when the customer writes again, so
 * that reading on by hand does not meet everything twice.
 */

import { h } from "./dom.js";
import { plain } from "./markdown.js";

export class Speech {
  #spoken = new Map();

  constructor(label) {
    this.log = h("div", { class: "vh", role: "log", "aria-live": "polite", "aria-label": label });
    this.line = h("div", { class: "vh", role: "status" });
  }

  status(text) {
    if (this.line.textContent !== text) this.line.textContent = text;
  }

  clear() {
    this.log.replaceChildren();
    this.#spoken.clear();
  }

  say(text) {
    if (text) this.log.append(h("p", { dir: "auto" }, text));
  }

  /** Speak the finished sentences of a growing text; all that is left once it is over. */
  follow(key, who, text, isOver) {
    const spoken = this.#spoken.get(key) || new Set();
    this.#spoken.set(key, spoken);
    const all = sentences(plain(text));
    const fresh = (isOver ? all : all.slice(0, -1)).filter((sentence) => !spoken.has(sentence));
    if (!fresh.length) return;
    this.say(`${spoken.size ? "" : `${who}: `}${fresh.join(" ")}`);
    for (const sentence of fresh) spoken.add(sentence);
  }
}

function sentences(text) {
  const cut = new Intl.Segmenter(undefined, { granularity: "sentence" });
  return Array.from(cut.segment(text), ({ segment }) => segment.trim().replace(/\s+/g, " ")).filter(Boolean);
}
