/** The widget's texts in the reader's language, with numbers and times as that language writes them. */

/** The languages with a file of texts in `languages/`. Others fall back to English. */
export const LANGUAGES = ["en", "de"];

export class I18n {
  /**
   * Fetch the texts for a locale; the loader has asked for the same file already.
   * @param {string} locale
   * @returns {Promise<I18n>}
   */
  static async load(locale) {
    const tag = locale.slice(0, 2).toLowerCase();
    const language = LANGUAGES.includes(tag) ? tag : LANGUAGES[0];
    // After a failed attempt the loader adds a query, since browsers may cache the failure: use the same one.
    const { default: texts } = await import(new URL(`${language}.js${new URL(import.meta.url).search}`, import.meta.url));
    return new I18n(locale, language, texts);
  }

  constructor(locale, language, texts) {
    Object.assign(this, { language, texts });
    // Times are formatted for the reader's region, if that has the same language.
    this.region = [navigator.language, locale, language].find((tag) => tag.startsWith(language));
  }

  /** Return the text for a key with its `{gaps}` filled; if `n` is 1, the singular if there is one. */
  t(key, gaps = {}) {
    const text = (gaps.n === 1 && this.texts[`${key}1`]) || this.texts[key];
    return text.replace(/\{(\w+)\}/g, (_, name) => gaps[name]);
  }

  /** Return a sentence for an error code. */
  error(code) {
    return this.t(code === "expired" ? "expired_card" : this.texts[code] ? code : "other");
  }

  money(amount, currency) {
    return new Intl.NumberFormat(this.region, { style: "currency", currency }).format(amount);
  }

  /** The time of day, with the date unless it is today. */
  time(iso) {
    const date = new Date(iso);
    const day = date.toDateString() === new Date().toDateString() ? {} : { day: "numeric", month: "short" };
    return date.toLocaleString(this.region, { ...day, hour: "2-digit", minute: "2-digit" });
  }
}
