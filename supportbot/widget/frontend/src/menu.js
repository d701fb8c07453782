/** The menu: new and earlier conversations, language, and the customer's own data (download, privacy, deletion). */

import { btn, h, icon, set } from "./dom.js";
import { LANGUAGES } from "./i18n.js";
import { link } from "./markdown.js";

/** Open the menu below its button, or close it and return the focus there. */
export function toggleMenu(chat) {
  const { menuButton, node, head } = chat.view;
  const open = node.querySelector(".menu");
  set(menuButton, "aria-expanded", String(!open));
  open?.remove();
  menuButton.focus();
  if (open) return;
  const entry = ([sign, key, action, about]) => h("li", h(sign === "trash" ? "button.danger" : "button", { onclick: () => toggleMenu(chat) || run(chat, action) }, icon(...sign.split(" ")), chat.t(key), about && h("span", about)));
  const menu = h("ul.menu", ENTRIES.map(entry), entry(["right flip", "languageIs", languages, nameOf(chat.i18n.language)]));
  head.after(menu);
  menu.querySelector("button").focus();
}

const ENTRIES = [
  ["plus", "newChat", (chat) => chat.newConversation(chat.page())],
  ["history", "earlier", earlier],
  ["load", "load", download],
  ["lock", "privacy", privacy],
  ["trash", "erase", erase],
];

/** Run a menu action; if it fails, show the reason in the chat. */
async function run(chat, action) {
  try {
    await action(chat);
  } catch (error) {
    if (!error.code) throw error;
    chat.page();
    chat.refuse(error.code);
  }
}

/** A page of the menu, with a button for its action, if it has one, and a back button. */
function page(chat, key, nodes, action) {
  chat.page(chat.t(key), nodes, h("div.act-b", action, btn("", () => chat.back(), chat.t("back"))));
}

/** A language's name in that language. */
function nameOf(language) {
  const name = new Intl.DisplayNames(language, { type: "language" }).of(language);
  return name[0].toLocaleUpperCase(language) + name.slice(1);
}

function languages(chat) {
  const speak = (language) => () => {
    chat.back();
    set(chat.element, "locale", language);
  };
  const row = (language) => h("li", h("button", { lang: language, onclick: speak(language), "aria-current": language === chat.i18n.language && "true" }, h("span", nameOf(language)), language === chat.i18n.language && icon("check", "s")));
  page(chat, "languageIs", h("ul.sugg", [...LANGUAGES].sort((one, other) => nameOf(one).localeCompare(nameOf(other))).map(row)));
}

async function earlier(chat) {
  const { t, i18n, session, own } = chat;
  const { results } = session.kept.conversation ? await chat.ask("conversations") : { results: [] };
  const go = (conversation) => () => chat.leave({ ...own, conversation }, true, chat.page());
  const rows = results.filter(({ preview }) => preview).map(({ id, preview, last_event_at: at }) => h("li", h("button", { onclick: go(id) }, h("span", h("b", { dir: "auto" }, preview)), h("time", i18n.time(at)))));
  page(chat, "earlier", rows.length ? h("ul.sugg", rows) : h("p", t("none")));
}

async function download(chat) {
  const text = await chat.ask(`conversations/${chat.session.kept.conversation}/transcript`);
  const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href, download: "chat.txt" }).click();
  URL.revokeObjectURL(href);
}

function privacy(chat) {
  const { t, element, config } = chat;
  const address = element.option("privacy-url") || config.privacy_url;
  page(chat, "privacy", [h("p", t("privacyText")), link(address, t("privacy"))]);
}

function erase(chat) {
  const { t } = chat;
  const confirmed = async () => {
    await chat.ask("conversations", { method: "DELETE" });
    chat.leave(chat.own);
    page(chat, "erase", h("p", t("erased")));
  };
  page(chat, "erase", h("p", t("eraseText")), btn(".danger", () => run(chat, confirmed), icon("trash", "s"), t("erase")));
}

/** Ending a chat cannot be undone, so ask first. */
export function askToEnd(chat) {
  const { t } = chat;
  const confirmed = () => chat.endConversation().then(() => chat.back());
  page(chat, "endChat", h("p", t("endText")), btn(".primary", () => run(chat, confirmed), t("endChat")));
}
