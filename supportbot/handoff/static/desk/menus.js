// Menus and sheets: opened by a click or a key, closed by Escape or a click outside, which returns the focus.

import { byId } from "./dom.js";

export function openMenu(id) {
  const menu = byId(id);
  if (!menu) return;
  menu.open = true;
  menu.querySelector(".pop textarea, .pop select, .pop button")?.focus();
}

export function openSheet(id) {
  if (!byId(id).open) byId(id).showModal();
}

/** Close open menus and return whether there were any. */
export function closeMenus() {
  const open = [...document.querySelectorAll("details.menu[open]")];
  for (const menu of open) {
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary").focus();
  }
  return open.length > 0;
}

export function initMenus() {
  for (const button of document.querySelectorAll("[data-opens]")) {
    button.hidden = false;
    button.addEventListener("click", () => openSheet(button.dataset.opens));
  }
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
}
