/**
 * What the menu's entries do: earlier conversations, language, and the customer's own data (download, privacy,
 * deletion); also the question before a chat is ended. The key of an entry's text is the name of its action. This is a
 * separate bundle, fetched with its texts (pages.js) when an entry is first pressed.
 */

import { btn, drawIcon, h, set } from "./dom.js";
import { LANGUAGES, nameOf } from "./languages.js";
import { link } from "./markdown.js";
import english from "./pages.js";

// As in dom.js, whose other icons this bundle does not need.
const CHECK = "m4 10.5 4 4L16 6";
const TRASH = "M4 5.5h12M8 5V3.5h4V5M5 6l1 11h8l1-11";
const LONGEST_WAIT_MS = 3000;
const LEFT = {};
// The query of the texts' address. Browsers may cache a failure, so a failed attempt changes the next one's address.
let mark = "";

/** Run an action with our texts; if it fails, show the reason in the chat. */
export async function attempt(chat, action) {
  try {
    await action(chat, await textsIn(chat.i18n.language));
  } catch (error) {
    if (error === LEFT) return;
    if (!error.code) throw error;
    chat.page();
    chat.refuse(error.code);
  }
}

/** Make a request as the customer. Fails with `LEFT` if this browser has somebody else's chat when it is answered. */
async function ask(chat, path, options) {
  const { visitor, sub } = chat.own;
  try {
    return await chat.ask(path, options);
  } finally {
    if (chat.own.visitor !== visitor || chat.own.sub !== sub) throw LEFT;
  }
}

/** Fetch our texts in a language. If that fails or takes long, they are in English, and the next press of an entry tries again. */
async function textsIn(language) {
  const late = new Promise((_, refuse) => setTimeout(refuse, LONGEST_WAIT_MS));
  try {
    return (await Promise.race([import(new URL(`pages-${language}.js${mark}`, import.meta.url)), late])).default;
  } catch {
    mark += "?";
    return { ...english, lang: "en" };
  }
}

/** A page of the menu, with a button for its action, if it has one, and a back button. */
function page(chat, { back, lang }, key, nodes, action) {
  chat.page(chat.t(key), nodes, h("div.act-b", action, btn("", () => chat.back(), { lang }, back)));
}

const says = ({ lang }, text) => h("p", { lang }, text);

/** Choose the language. */
export function languageIs(chat, texts) {
  const speak = (language) => () => {
    chat.back();
    set(chat.element, "locale", language);
  };
  const row = (language) => h("li", h("button", { lang: language, onclick: speak(language), "aria-current": language === chat.i18n.language && "true" }, h("span", nameOf(language)), language === chat.i18n.language && drawIcon(CHECK, "s")));
  page(chat, texts, "languageIs", h("ul.sugg", [...LANGUAGES].sort((one, other) => nameOf(one).localeCompare(nameOf(other))).map(row)));
}

export async function earlier(chat, texts) {
  const { i18n, session, own } = chat;
  const { results } = session.kept.conversation ? await ask(chat, "conversations") : { results: [] };
  const go = (conversation) => () => chat.leave({ ...own, conversation }, true);
  const rows = results.filter(({ preview }) => preview).map(({ id, preview, last_event_at: at }) => h("li", h("button", { onclick: go(id) }, h("span", h("b", { dir: "auto" }, preview)), h("time", i18n.time(at)))));
  page(chat, texts, "earlier", rows.length ? h("ul.sugg", rows) : says(texts, texts.none));
}

/** Download the conversation as text. */
export async function load(chat) {
  const text = await ask(chat, `conversations/${chat.session.kept.conversation}/transcript`);
  const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href, download: "chat.txt" }).click();
  URL.revokeObjectURL(href);
}

export function privacy(chat, texts) {
  const { t, element, config } = chat;
  const address = element.option("privacy-url") || config.privacy_url;
  page(chat, texts, "privacy", [says(texts, texts.privacyText), link(address, t("privacy"))]);
}

export function erase(chat, texts) {
  const confirmed = async () => {
    await ask(chat, "conversations", { method: "DELETE" });
    chat.leave(chat.own);
    page(chat, texts, "erase", says(texts, texts.erased));
  };
  page(chat, texts, "erase", says(texts, texts.eraseText), btn(".danger", () => attempt(chat, confirmed), drawIcon(TRASH, "s"), chat.t("erase")));
}

/** Ending a chat cannot be undone, so ask first. */
export function endChat(chat, texts) {
  const confirmed = () => chat.endConversation().then(() => chat.back());
  page(chat, texts, "endChat", says(texts, texts.endText), btn(".primary", () => attempt(chat, confirmed), chat.t("endChat")));
}
