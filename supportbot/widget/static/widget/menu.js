/** The customer's own data, without an admin: new and earlier chats, language, download, privacy, deletion. */

import { button, h, icon } from "./dom.js";
import { link } from "./markdown.js";
import { languages } from "./words.js";

/** Open the menu under its button, or close it and return there. */
export function toggleMenu(chat) {
  const { view } = chat;
  const open = view.node.querySelector(".menu");
  if (open) return close(chat, open);
  const menu = h("ul", { class: "menu" }, entries(chat).map((entry) => line(chat, entry)));
  menu.addEventListener("focusout", ({ relatedTarget }) => relatedTarget && !menu.contains(relatedTarget) && relatedTarget !== view.menuButton && close(chat, menu, false));
  view.menuButton.setAttribute("aria-expanded", "true");
  view.head.after(menu);
  menu.querySelector("button").focus();
  return undefined;
}

function close({ view }, menu, returnsFocus = true) {
  view.menuButton.setAttribute("aria-expanded", "false");
  if (returnsFocus) view.menuButton.focus();
  menu.remove();
}

function line(chat, [sign, key, action, { about, className = "", isApart } = {}]) {
  const pressed = () => {
    close(chat, chat.view.node.querySelector(".menu"));
    action(chat);
  };
  return h("li", { class: isApart ? "sep" : "" }, h("button", { class: className, onclick: pressed }, icon(sign), chat.say(key), about ? h("span", {}, about) : ""));
}

function entries(chat) {
  const language = languages.find(([code]) => code === chat.words.language);
  return [
    ["plus", "newChat", startAnew],
    ["history", "earlier", earlierPage],
    ["globe", "language", nextLanguage, { about: language[1] }],
    ["download", "download", download, { isApart: true }],
    ["lock", "privacy", privacyPage],
    ["trash", "erase", erasePage, { className: "danger" }],
  ];
}

async function startAnew(chat) {
  chat.page();
  await chat.newConversation();
}

function nextLanguage(chat) {
  const [, [code]] = [...languages, ...languages].slice(languages.findIndex(([known]) => known === chat.words.language));
  chat.element.setAttribute("locale", code);
}

async function earlierPage(chat) {
  const { say, words, session } = chat;
  const rows = await asked(chat, () => (session.conversation ? chat.api.conversations() : []));
  if (!rows) return;
  const others = rows.filter(({ preview }) => preview);
  const list = others.map((row) => h("li", {}, h("button", { onclick: () => chat.goTo(row.id) }, h("span", {}, h("b", { dir: "auto" }, row.preview)), h("time", {}, words.when(row.last_event_at || row.created_at)))));
  chat.page(say("yours"), list.length ? h("ul", { class: "sugg" }, list) : h("p", { class: "hint" }, say("earlierNone")), back(chat));
}

async function download(chat) {
  const blob = await asked(chat, () => chat.api.transcript(chat.session.conversation));
  if (!blob) return;
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: "chat.txt" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function privacyPage(chat) {
  const { say } = chat;
  const address = chat.privacyUrl();
  const more = address && link(address, say("privacyLink"));
  chat.page(say("privacy"), h("p", {}, say("privacyText")), h("p", {}, say("privacyKept")), more ? h("p", {}, more) : "", back(chat));
}

function erasePage(chat) {
  const { say } = chat;
  const sure = button("btn danger", () => erase(chat), icon("trash", "s"), say("eraseNow"));
  chat.page(say("erase"), h("p", {}, say("eraseText")), h("div", { class: "act-b" }, sure, button("btn quiet", () => chat.page(), say("keep"))));
}

async function erase(chat) {
  if (chat.session.conversation && !(await asked(chat, () => chat.api.erase()))) return;
  await chat.erased();
  chat.page(chat.say("erase"), h("p", {}, chat.say("erased")), back(chat));
}

/** Ending a chat with a person is asked for twice: it cannot be taken back. */
export function endPage(chat) {
  const { say } = chat;
  const sure = button("btn primary", async () => (await asked(chat, () => chat.endConversation())) !== null && chat.page(), say("endNow"));
  chat.page(say("endChat"), h("p", {}, say("endText")), h("div", { class: "act-b" }, sure, button("btn quiet", () => chat.page(), say("back"))));
}

function back(chat) {
  return h("div", { class: "act-b" }, button("btn", () => chat.page(), chat.say("back")));
}

/** Run a request; null, and words at the foot of the page, if it was refused. */
async function asked(chat, request) {
  try {
    return (await request()) ?? true;
  } catch (error) {
    const words = chat.words.error(error.code);
    chat.view.speech.status(words);
    if (chat.view.page) chat.view.page.append(h("p", { class: "w-note" }, words));
    else chat.view.composer.refuse(words);
    return null;
  }
}
