/** The languages that the chat speaks: the build defines TEXT_LANGUAGES, English first. */

export const LANGUAGES = TEXT_LANGUAGES.split(",");

/** Return a language's name in that language. */
export function nameOf(language) {
  const name = new Intl.DisplayNames(language, { type: "language" }).of(language);
  return name[0].toLocaleUpperCase(language) + name.slice(1);
}
