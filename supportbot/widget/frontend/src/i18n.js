/** The widget's texts in the reader's language, with numbers and times as that language writes them. */

import { LANGUAGES } from "./languages.js";

// The build defines TEXT_KEYS. A language's file contains only its texts, in the order of these keys. The last key is a
// hash of the others, and its text is the same hash.
const KEYS = TEXT_KEYS.split(",");
// Languages whose default region in browsers differs from that of our texts, as in supportbot/formats.py.
const REGIONS = { en: "en-GB", pt: "pt-PT" };

/** The language of a tag: `fr` for `fr-CA`. */
export const base = (tag) => tag.split("-")[0].toLowerCase();

/** The language and the region of a tag, or only its language if it is not a valid tag. */
export function languageAndRegion(tag) {
  try {
    const { language, region } = new Intl.Locale(tag);
    return region ? `${language}-${region}` : language;
  } catch {
    return base(tag);
  }
}

// The query of the files' addresses. Browsers may cache a failure, so a failed attempt changes the next one's address, as
// it does in the loader. The first attempt uses the loader's query.
let mark = new URL(import.meta.url).search;

export class I18n {
  /**
   * Fetch the texts for a locale; the loader has asked for the same file already. Fails if they are not for our keys: a
   * panel that was open during an upgrade gets the new texts.
   * @param {string} locale
   * @returns {Promise<I18n>}
   */
  static async load(locale) {
    const language = LANGUAGES.includes(base(locale)) ? base(locale) : LANGUAGES[0];
    try {
      const { default: texts } = await import(new URL(`${language}.js${mark}`, import.meta.url));
      if (texts.at(-1) !== KEYS.at(-1)) throw Error(language);
      return new I18n(locale, language, texts);
    } catch (error) {
      mark += "?";
      throw error;
    }
  }

  constructor(locale, language, texts) {
    this.language = language;
    this.texts = texts;
    this.writeAs(language);
    this.writeAs(locale);
    this.plurals = new Intl.PluralRules(language);
    this.dir = RIGHT_TO_LEFT.includes(language) ? "rtl" : "ltr";
  }

  /**
   * Format times and numbers as in this locale, if it is in our language. The conversation's texts are in its locale.
   * In some regions, browsers and the platform use different clocks: `hour12` says whether the platform's has 12 hours.
   */
  writeAs(locale, hour12) {
    if (base(locale) !== this.language) return;
    const tag = languageAndRegion(locale);
    this.region = REGIONS[tag] || tag;
    const hasTwelve = hour12 ?? new Intl.DateTimeFormat(this.region, { hour: "numeric" }).resolvedOptions().hour12;
    this.clock = hasTwelve ? { hour: "numeric", hourCycle: "h12" } : { hour: "2-digit", hourCycle: "h23" };
  }

  /** Return the text for a key, with its `{gaps}` filled in, and in the plural form for `n` if it has several. */
  t = (key, gaps = {}) => {
    const text = this.texts[KEYS.indexOf(key)];
    const form = text.other ? text[this.plurals.select(gaps.n)] || text.other : text;
    return form.replace(/\{(\w+)\}/g, (_, name) => (typeof gaps[name] === "number" ? this.number(gaps[name]) : this.isolate(gaps[name])));
  };

  /** Return a sentence for an error code. */
  error(code) {
    return this.t(code === "expired" ? "expired_card" : KEYS.includes(code) ? code : "other");
  }

  /**
   * Return a text to be inserted into one of the widget's texts. In Arabic it is isolated, so that a Latin name does
   * not reorder what follows.
   */
  isolate(text) {
    return this.dir === "rtl" ? `\u2068${text}\u2069` : text;
  }

  number(n) {
    return n.toLocaleString(this.region);
  }

  money(amount, currency) {
    return Number(amount).toLocaleString(this.region, { style: "currency", currency });
  }

  /** The time of day, with the date unless it is today, and with the year unless it is this one. */
  time(iso) {
    const date = new Date(iso);
    const now = new Date();
    const year = date.getFullYear() !== now.getFullYear() && { year: "numeric" };
    const day = date.toDateString() !== now.toDateString() && { day: "numeric", month: "short", ...year };
    return date.toLocaleString(this.region, { ...day, ...this.clock, minute: "2-digit" });
  }
}
