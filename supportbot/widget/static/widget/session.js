/**
 * What this browser remembers of a chat: which conversation it is and by what right it may be read. Texts are never
 * stored, except what was typed and not sent. With `storage="none"`, or where the browser refuses, it lives in memory.
 *
 * `until` tells the loader of the next page how long the chat counts as under way.
 */

const MINUTES = 60_000;
const FOR_A_PERSON = 24 * 60 * MINUTES;

export class Session {
  /** @param {{storage?: string, storageKey: string}} element */
  constructor(element) {
    this.key = element.storageKey;
    this.areas = element.storage ? { kept: element.storage, tab: "sessionStorage" } : {};
    this.kept = this.#read("kept");
    this.tab = this.#read("tab");
  }

  get conversation() {
    return this.kept.conversation || null;
  }

  /** Note facts that other tabs and later pages share. */
  keep(facts) {
    Object.assign(this.kept, facts);
    this.#write("kept");
  }

  /** Note facts of this tab: the draft, what was not sent yet, whether the panel is open. */
  keepHere(facts) {
    Object.assign(this.tab, facts);
    this.#write("tab");
  }

  /** Something happened in the chat: pages opened soon go on with it by themselves. */
  touch(isForAPerson) {
    this.keep({ until: Date.now() + (isForAPerson ? FOR_A_PERSON : 30 * MINUTES) });
  }

  /** Begin anew: nothing of the conversation stays here. `who` is a visitor's right to their other chats. */
  forget({ keepsVisitor = false } = {}) {
    const { visitor, sub } = this.kept;
    this.kept = keepsVisitor ? { visitor, sub } : {};
    this.tab = { isOpen: this.tab.isOpen };
    this.#write("kept");
    this.#write("tab");
  }

  /** Call back when another tab changed conversation, logged out or deleted it. */
  watch(listener) {
    const heard = (event) => {
      if (event.key !== this.key || event.storageArea !== window[this.areas.kept]) return;
      const before = this.conversation;
      this.kept = this.#read("kept");
      if (before && this.conversation !== before) listener(this.conversation);
    };
    addEventListener("storage", heard);
    return () => removeEventListener("storage", heard);
  }

  #read(area) {
    try {
      return JSON.parse(window[this.areas[area]].getItem(this.key)) || {};
    } catch {
      return {};
    }
  }

  #write(area) {
    const facts = JSON.stringify(this[area]);
    try {
      window[this.areas[area]].setItem(this.key, facts);
    } catch {
      // Full, forbidden or none: what is in memory serves this page.
    }
  }
}
