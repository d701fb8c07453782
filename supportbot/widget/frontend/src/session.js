/**
 * What this browser remembers of a chat: which conversation it is and by what right it may be read. Texts are never
 * stored, except what was typed and not sent. With `storage="none"`, or where the browser refuses, it lives in memory.
 */

const HALF_HOUR = 1_800_000;
const DAY = 86_400_000;

export class Session {
  /**
   * @param {{storage?: string, storageKey: string}} element
   * @param {AbortSignal} signal
   * @param {() => void} moved another tab changed conversation, logged out or deleted it
   */
  constructor({ storage, storageKey }, signal, moved) {
    this.keys = { kept: storageKey, tab: `${storageKey}.tab` };
    // `kept` is shared with other tabs and later pages; `tab` is the draft, what was not sent, whether the panel is open.
    this.areas = { kept: storage, tab: storage && "sessionStorage" };
    this.#read("kept");
    this.#read("tab");
    const heard = ({ key, storageArea }) => {
      const { conversation, sub } = this.kept;
      if (key !== storageKey || storageArea !== window[storage]) return;
      this.#read("kept");
      if (conversation && (this.kept.conversation !== conversation || this.kept.sub !== sub)) moved();
    };
    addEventListener("storage", heard, { signal });
  }

  keep(facts) {
    this.#write("kept", { ...this.kept, ...facts });
  }

  keepHere(facts) {
    this.#write("tab", { ...this.tab, ...facts });
  }

  /** Something happened: until then the loader of a next page takes up the chat by itself. */
  touch(isAwaited) {
    this.keep({ until: Date.now() + (isAwaited ? DAY : HALF_HOUR) });
  }

  /** Leave the conversation; `facts` is what stays, such as a visitor's right to their other chats. */
  forget(facts) {
    this.#write("kept", facts);
    this.#write("tab", { isOpen: this.tab.isOpen });
  }

  #read(area) {
    try {
      this[area] = JSON.parse(window[this.areas[area]].getItem(this.keys[area])) || {};
    } catch {
      this[area] ||= {};
    }
  }

  #write(area, facts) {
    this[area] = facts;
    try {
      window[this.areas[area]].setItem(this.keys[area], JSON.stringify(facts));
    } catch {
      // Full, forbidden or none: what is in memory serves this page.
    }
  }
}
