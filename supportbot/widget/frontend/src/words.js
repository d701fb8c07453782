/** The interface's words in the reader's language, with numbers and times as that language writes them. */

import { LANGUAGES, WORDS } from "./strings.js";

export class Words {
  /** @param {string} locale English stands in for languages there are no words of */
  constructor(locale) {
    this.index = Math.max(0, LANGUAGES.indexOf(locale.slice(0, 2).toLowerCase()));
    this.language = LANGUAGES[this.index];
    // The reader's region decides how times look, if it speaks the same language.
    this.region = [navigator.language, locale, this.language].find((tag) => tag.startsWith(this.language));
  }

  /** Return the words for a key with `{gaps}` filled; where one has words of its own, `n` = 1 takes them. */
  say(key, gaps = {}) {
    const words = (gaps.n === 1 && WORDS[`${key}1`]) || WORDS[key];
    return words[this.index].replace(/\{(\w+)\}/g, (_, name) => gaps[name]);
  }

  /** A sentence for a refusal's code. */
  error(code) {
    return this.say(code === "expired" ? "expired_card" : WORDS[code] ? code : "other");
  }

  money(amount, currency) {
    return new Intl.NumberFormat(this.region, { style: "currency", currency }).format(amount);
  }

  /** The time of day, with the day unless that is today. */
  time(iso) {
    const date = new Date(iso);
    const day = date.toDateString() === new Date().toDateString() ? {} : { day: "numeric", month: "short" };
    return date.toLocaleString(this.region, { ...day, hour: "2-digit", minute: "2-digit" });
  }
}
