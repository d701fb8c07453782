// The scripts' texts in the language of the page, which contains them as data (handoff/templatetags/desk.py).

const texts = JSON.parse(document.querySelector("meta[name=texts]")?.content ?? "{}");

/** The language of the page; English dates are British, as on the server. */
export const LANGUAGE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const rules = new Intl.PluralRules(LANGUAGE);

/** Return the translation of a text with `{name}` replaced by the value of that name. */
export function gettext(original, values = {}) {
  return filled(texts[original] ?? original, values);
}

/** Return the plural form for this number, with `{number}` replaced. */
export function ngettext(one, many, number, values = {}) {
  const forms = texts[one] ?? {};
  const form = forms[rules.select(number)] ?? forms.other ?? (number === 1 ? one : many);
  return filled(form, { number: number.toLocaleString(LANGUAGE), ...values });
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}
