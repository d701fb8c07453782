/** The customer's own data, without an admin: new and earlier chats, language, download, privacy, deletion. */

import { btn, h, icon, set } from "./dom.js";
import { link } from "./markdown.js";
import { LANGUAGES } from "./words.js";

/** Open the menu under its button, or close it and return there. */
export function toggleMenu(chat) {
  const { menuButton, node, head } = chat.view;
  const open = node.querySelector(".menu");
  set(menuButton, "aria-expanded", String(!open));
  open?.remove();
  menuButton.focus();
  if (open) return;
  const entry = ([sign, key, action, about]) => h("li", h(sign === "trash" ? "button.danger" : "button", { onclick: () => toggleMenu(chat) || asked(chat, action) }, icon(sign), chat.say(key), about && h("span", about)));
  const menu = h("ul.menu", ENTRIES.map(entry), entry(["right", "languageIs", nextLanguage, chat.say("language")]));
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

/** Run what was pressed; where it is refused, words where the customer looks. */
async function asked(chat, action) {
  try {
    await action(chat);
  } catch (error) {
    if (!error.code) throw error;
    chat.page();
    chat.refuse(error.code);
  }
}

/** A page of the menu: at its end what one came for, if that is to be pressed, and the way back. */
function page(chat, key, nodes, action) {
  chat.page(chat.say(key), nodes, h("div.act-b", action, btn("", () => chat.back(), chat.say("back"))));
}

function nextLanguage({ element, words }) {
  set(element, "locale", LANGUAGES[(LANGUAGES.indexOf(words.language) + 1) % LANGUAGES.length]);
}

async function earlier(chat) {
  const { say, words, session, own } = chat;
  const { results } = session.kept.conversation ? await chat.ask("conversations") : { results: [] };
  const go = (conversation) => () => chat.leave({ ...own, conversation }, true, chat.page());
  const rows = results.filter(({ preview }) => preview).map(({ id, preview, last_event_at: at }) => h("li", h("button", { onclick: go(id) }, h("span", h("b", { dir: "auto" }, preview)), h("time", words.time(at)))));
  page(chat, "earlier", rows.length ? h("ul.sugg", rows) : h("p", say("none")));
}

async function download(chat) {
  const text = await chat.ask(`conversations/${chat.session.kept.conversation}/transcript`);
  const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href, download: "chat.txt" }).click();
  URL.revokeObjectURL(href);
}

function privacy(chat) {
  const { say, element, config } = chat;
  const address = element.option("privacy-url") || config.privacy_url;
  page(chat, "privacy", [h("p", say("privacyText")), link(address, say("privacy"))]);
}

function erase(chat) {
  const { say } = chat;
  const sure = async () => {
    await chat.ask("conversations", { method: "DELETE" });
    chat.leave(chat.own);
    page(chat, "erase", h("p", say("erased")));
  };
  page(chat, "erase", h("p", say("eraseText")), btn(".danger", () => asked(chat, sure), icon("trash", "s"), say("erase")));
}

/** Ending a chat is asked for twice: it cannot be taken back. */
export function askToEnd(chat) {
  const { say } = chat;
  const sure = () => chat.endConversation().then(() => chat.back());
  page(chat, "endChat", h("p", say("endText")), btn(".primary", () => asked(chat, sure), say("endChat")));
}
