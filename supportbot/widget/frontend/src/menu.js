/** The menu. What its entries do is in menu_pages.js, a separate bundle, fetched when an entry is first pressed. */

import { h, icon } from "./dom.js";
import { nameOf } from "./languages.js";

/** Open the menu below its button, or close it and return the focus there. */
export function toggleMenu(chat) {
  const { menuButton, node, head } = chat.view;
  const open = node.querySelector(".menu");
  menuButton.ariaExpanded = !open;
  open?.remove();
  menuButton.focus();
  if (open) return;
  const entry = ([sign, key, about]) => h("li", h(sign === "trash" ? "button.danger" : "button", { onclick: () => toggleMenu(chat) || press(chat, key) }, icon(...sign.split(" ")), chat.t(key), about && h("span", about)));
  const menu = h("ul.menu", ENTRIES.map(entry), entry(["right flip", "languageIs", nameOf(chat.i18n.language)]));
  head.after(menu);
  menu.querySelector("button").focus();
}

const ENTRIES = [
  ["plus", "newChat"],
  ["history", "earlier"],
  ["load", "load"],
  ["lock", "privacy"],
  ["trash", "erase"],
];

/** Carry out the entry with this text (its key); if that fails, show the reason in the chat. */
export function press(chat, key) {
  if (key === "newChat") return chat.newConversation(chat.page());
  return import("./menu_pages.js").then((pages) => pages.attempt(chat, pages[key]), () => chat.page() || chat.refuse("other"));
}
