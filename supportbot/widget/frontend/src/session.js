/**
 * What this browser stores of a chat: which conversation it is, and the secret that opens it. Texts are never stored,
 * except drafts and unsent messages. With `storage="none"`, or if the browser refuses, everything stays in memory.
 */

const HALF_HOUR = 1_800_000;
const DAY = 86_400_000;

export class Session {
  /**
   * @param {{storage?: string, storageKey: string}} element
   * @param {AbortSignal} signal
   * @param {(isOther: boolean) => void} moved called when another tab changes the conversation, logs out or deletes it;
   *     `isOther` says whether it signed a customer out
   */
  constructor({ storage, storageKey }, signal, moved) {
    this.keys = { kept: storageKey, tab: `${storageKey}.tab` };
    // `kept` is shared with other tabs and later pages; `tab` has the draft, unsent messages, and whether the panel is open.
    this.areas = { kept: storage, tab: storage && "sessionStorage" };
    this.#read("kept");
    this.#read("tab");
    const handle = ({ key, storageArea }) => {
      const { conversation, sub } = this.kept;
      if (key !== storageKey || storageArea !== window[storage]) return;
      this.#read("kept");
      if (conversation && (this.kept.conversation !== conversation || this.kept.sub !== sub)) moved(sub && this.kept.sub !== sub);
    };
    addEventListener("storage", handle, { signal });
  }

  keep(facts) {
    this.#write("kept", { ...this.kept, ...facts });
  }

  keepForTab(facts) {
    this.#write("tab", { ...this.tab, ...facts });
  }

  /** Record activity. Until the stored time, the loader of a later page resumes the chat by itself. */
  touch(isAwaited) {
    this.keep({ until: Date.now() + (isAwaited ? DAY : HALF_HOUR) });
  }

  /** Leave the conversation; `facts` is kept, such as a visitor's secret for their other chats. */
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
      // The storage is full, forbidden or missing: this page uses memory instead.
    }
  }
}
