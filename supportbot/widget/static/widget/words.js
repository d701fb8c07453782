/** The interface's words in the reader's language, with numbers and times as that language writes them. */

const LANGUAGES = { en: "English", de: "Deutsch" };
export const languages = Object.entries(LANGUAGES);

export class Words {
  /** Fetch the words of a locale; English stands in for languages there are none of. */
  static async of(locale) {
    const language = locale.slice(0, 2).toLowerCase();
    const known = LANGUAGES[language] ? language : "en";
    const { default: table } = await import(`./strings/${known}.js`);
    return new Words(known, locale, table);
  }

  constructor(language, locale, table) {
    this.language = language;
    this.table = table;
    // The reader's region decides how times look, as long as it is one of the same language.
    const regional = locale.toLowerCase().startsWith(language) ? locale : navigator.language.startsWith(language) ? navigator.language : language;
    this.clock = new Intl.DateTimeFormat(regional, { hour: "2-digit", minute: "2-digit" });
    this.day = new Intl.DateTimeFormat(regional, { day: "numeric", month: "short" });
    this.region = regional;
    this.plural = new Intl.PluralRules(language);
  }

  /** Return the words for a key, with `{gaps}` filled; a gap `n` also chooses between one and many. */
  say(key, gaps = {}) {
    const entry = this.table[key];
    const text = typeof entry === "string" ? entry : entry[this.plural.select(gaps.n)] || entry.other;
    return text.replace(/\{(\w+)\}/g, (_, name) => gaps[name] ?? "");
  }

  /** Return a sentence for an error's code. */
  error(code) {
    return this.table.errors[code] || this.table.errors.other;
  }

  /** An amount of money, which comes as text so that nothing is rounded on its way. */
  money(amount, currency) {
    try {
      return new Intl.NumberFormat(this.region, { style: "currency", currency }).format(amount);
    } catch {
      return `${amount} ${currency}`;
    }
  }

  /** The time of day, after a day that is not today. */
  time(iso) {
    const date = new Date(iso);
    const isToday = date.toDateString() === new Date().toDateString();
    return isToday ? this.clock.format(date) : `${this.day.format(date)}, ${this.clock.format(date)}`;
  }

  /** The time today, else the day: enough for a list. */
  when(iso) {
    const date = new Date(iso);
    return date.toDateString() === new Date().toDateString() ? this.clock.format(date) : this.day.format(date);
  }
}
