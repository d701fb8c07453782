// Keyboard shortcuts. Single letters work only outside fields and can be turned off. Approving deliberately has
// no shortcut.

import { announce, byId } from "./dom.js";
import { closeMenus, openMenu, openSheet } from "./menus.js";
import { setting } from "./settings.js";
import { gettext } from "./text.js";

const GO_WITHIN = 1_500;

export class Keys {
  /** `links` returns the rows to move through; the other parts exist only with an open conversation. */
  constructor({ links, badges, composer = null, canned = null, draft = null }) {
    Object.assign(this, { links, badges, composer, canned, draft });
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  #press(event) {
    if (event.defaultPrevented || event.isComposing) return;
    const isDone = event.ctrlKey || event.metaKey ? this.#withControl(event) : this.#plain(event);
    if (isDone) event.preventDefault();
  }

  #withControl(event) {
    const key = event.key.toLowerCase();
    if (key === "k" && byId("search")) byId("search").focus();
    else if (key === "enter" && this.composer) this.#send(event.shiftKey);
    else if (key === "." && this.draft) this.draft.insertOrRequest();
    else return false;
    return true;
  }

  async #send(isToResolve) {
    if (document.activeElement !== this.composer.field) return;
    const isStored = await this.composer.send();
    if (isStored && isToResolve) byId("resolve")?.requestSubmit();
  }

  #plain(event) {
    if (event.key === "Escape") return this.#leave();
    if (event.altKey || isField(event.target) || document.querySelector("dialog[open]")) return false;
    if (event.key === "?") return openSheet("sheet") ?? true;
    if (!setting("letters") || event.repeat) return false;
    return this.#letter(event.key.toLowerCase());
  }

  #leave() {
    if (closeMenus()) return true;
    if (!isField(document.activeElement)) return false;
    document.activeElement.blur();
    return true;
  }

  #letter(key) {
    if (this.goAt && Date.now() - this.goAt < GO_WITHIN) return this.#go(key);
    const shortcuts = {
      g: () => (this.goAt = Date.now()),
      j: () => this.#walk(1),
      k: () => this.#walk(-1),
      n: () => this.#next(),
      t: () => byId("claim")?.requestSubmit(),
      r: () => this.composer?.focus("reply"),
      m: () => this.composer?.focus("note"),
      "/": () => this.canned?.open(),
      e: () => byId("resolve")?.requestSubmit(),
      z: () => openMenu("snooze"),
      b: () => openMenu("return"),
      a: () => openMenu("assign"),
    };
    if (!(key in shortcuts)) return false;
    shortcuts[key]();
    return true;
  }

  /** Claim the next ticket; if the queue is empty, stay on this page. */
  #next() {
    if (this.badges.waiting === 0) announce(gettext("The queue is empty."));
    else byId("next")?.requestSubmit();
  }

  #go(key) {
    this.goAt = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    if (link) location.assign(link.href);
    return Boolean(link);
  }

  #walk(step) {
    const links = this.links();
    const here = links.findIndex((link) => link === document.activeElement);
    const from = here >= 0 ? here : links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = here < 0 && from < 0 ? (step > 0 ? 0 : links.length - 1) : from + step;
    links[Math.min(Math.max(next, 0), links.length - 1)]?.focus();
  }
}

function isField(element) {
  return Boolean(element?.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]"));
}
