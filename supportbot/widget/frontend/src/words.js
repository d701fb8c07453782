/** The widget's texts in the reader's language, with numbers and times as that language writes them. */

/** The languages there are texts in: a file of each is in `languages/`. English stands in for all others. */
export const LANGUAGES = ["en", "de"];

export class Words {
  /**
   * Fetch the texts for a locale; the loader has asked for the same file already.
   * @param {string} locale
   * @returns {Promise<Words>}
   */
  static async load(locale) {
    const tag = locale.slice(0, 2).toLowerCase();
    const language = LANGUAGES.includes(tag) ? tag : LANGUAGES[0];
    // With the loader's mark of a second try, if there is one: a browser may remember that the first failed.
    const { default: texts } = await import(new URL(`${language}.js${new URL(import.meta.url).search}`, import.meta.url));
    return new Words(locale, language, texts);
  }

  constructor(locale, language, texts) {
    Object.assign(this, { language, texts });
    // The reader's region decides how times look, if it speaks the same language.
    this.region = [navigator.language, locale, language].find((tag) => tag.startsWith(language));
  }

  /** Return the text for a key with `{gaps}` filled; where one has a text of its own, `n` = 1 takes it. */
  say(key, gaps = {}) {
    const text = (gaps.n === 1 && this.texts[`${key}1`]) || this.texts[key];
    return text.replace(/\{(\w+)\}/g, (_, name) => gaps[name]);
  }

  /** Return a sentence for an error code. */
  error(code) {
    return this.say(code === "expired" ? "expired_card" : this.texts[code] ? code : "other");
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
