/** The element `<support-bot>`: it draws the launcher, and fetches the panel when somebody comes near. */

import STYLE from "./loader.css";
import { h, icon, set } from "./nodes.js";

const SOURCE = new URL(document.currentScript?.src || location.href);
// The build writes the edition in: where the panel and the files beside it are.
const FILES = new URL(EDITION, SOURCE);
const EVENT = "supportbot:";
// Behind the key of what is only this tab's.
const TAB = ".tab";
const OBSERVED = "locale dir theme position layout launcher title greeting suggestions z-index";
const WORDS = {
  en: { open: "Open chat", unread: "unread", failed: "The chat could not be loaded. Try again." },
  de: { open: "Chat öffnen", unread: "ungelesen", failed: "Der Chat konnte nicht geladen werden. Versuchen Sie es noch einmal." },
};

/** The elements in the page, in their order; and who waits for the first one. */
export const elements = new Set();
export const waiting = [];

/** The browser's storage; a page without it keeps nothing, and is served all the same. */
const area = (name) => {
  try {
    return window[name] || {};
  } catch {
    return {};
  }
};

const kept = (name, key) => JSON.parse(area(name).getItem?.(key) || "{}");

export class SupportBotElement extends HTMLElement {
  static observedAttributes = OBSERVED.split(" ");
  // The panel builds its nodes by these.
  static h = h;
  static set = set;
  static icon = icon;

  #tries = 0;
  state = { isReady: false, isOpen: false, unread: 0, connection: "idle", conversation: null };
  /** Who the page says the customer is; asked for a token when a ticket or a confirmation needs one. */
  identity = null;

  connectedCallback() {
    clearTimeout(this.leaving);
    if (this.frame) return this.#tell("wake");
    this.#draw();
    elements.add(this);
    for (const give of waiting.splice(0)) give(this);
    // After the calls that the page made before: they may say who the customer is.
    setTimeout(() => this.#begin());
    return undefined;
  }

  /** A page that swaps its body may bring the element back; only what stays away is put to sleep. */
  disconnectedCallback() {
    this.leaving = setTimeout(() => this.#tell("sleep"), 1000);
  }

  attributeChangedCallback(name) {
    if (!this.frame) return;
    this.#face();
    this.#tell("refresh", name);
  }

  /** Tell the panel, if it is there. */
  #tell(name, ...args) {
    return this.panel?.then((panel) => panel[name](...args));
  }

  /** What the page chose, by attribute. */
  option(name) {
    return this.getAttribute(name) || "";
  }

  get endpoint() {
    return new URL(this.option("endpoint") || SOURCE).origin;
  }

  get layout() {
    return this.option("layout") || "inline";
  }

  get language() {
    const chosen = this.option("locale");
    return chosen && chosen !== "auto" ? chosen : document.documentElement.lang || navigator.language;
  }

  /** The language of the interface: the chosen one, or English where it has no texts in that. */
  get spoken() {
    const tag = this.language.slice(0, 2).toLowerCase();
    return WORDS[tag] ? tag : "en";
  }

  get words() {
    return WORDS[this.spoken];
  }

  get storageKey() {
    return EVENT + this.option("channel");
  }

  get storage() {
    return { session: "sessionStorage", none: "" }[this.option("storage")] ?? "localStorage";
  }

  /** Tell the page; `detail` never holds what was said, unless the page asked for it. */
  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(EVENT + name, { bubbles: true, composed: true, detail }));
  }

  on(name, listener) {
    const heard = ({ detail }) => listener(detail);
    this.addEventListener(EVENT + name, heard);
    if (name === "ready" && this.state.isReady) heard({});
    return () => this.removeEventListener(EVENT + name, heard);
  }

  /** Show how many messages wait. */
  showUnread(count) {
    if (count !== this.state.unread) this.emit("unread", { count });
    this.state.unread = count;
    this.badge.hidden = !count;
    this.badge.textContent = count > 9 ? "9+" : count;
    this.#face();
  }

  /** Run one call of the API; the panel is fetched only for what needs it. */
  async call(name, ...args) {
    const own = OWN[name];
    if (own) own(this, ...args);
    // With nothing on the screen yet, the element alone can answer these.
    if (own && !this.panel) return undefined;
    return (await this.load())[name]?.(...args);
  }

  /** Fetch the panel once, and the texts it starts with beside it; after a failure the next call tries again. */
  load() {
    this.panel ||= this.#fetch().then(
      ([{ start }]) => start(this),
      (error) => {
        this.panel = null;
        this.emit("error", { code: "not_loaded" });
        throw error;
      },
    );
    return this.panel;
  }

  #fetch() {
    // A browser may remember that a file could not be fetched.
    const mark = this.#tries++ ? `?${this.#tries}` : "";
    return Promise.all(["panel", this.spoken].map((name) => import(new URL(`${name}.js${mark}`, FILES))));
  }

  async #begin() {
    const { storage, storageKey } = this;
    const wasOpen = storage && kept("sessionStorage", storageKey + TAB).isOpen && innerWidth > 480;
    this.state.isReady = true;
    this.emit("ready");
    if (this.layout !== "bubble" || this.hasAttribute("open") || wasOpen) await this.call("open", { isQuiet: true });
    else if (kept(storage, storageKey).until > Date.now()) (await this.load()).wake();
  }

  #draw() {
    const shadow = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    const near = () => this.load().catch(() => {});
    this.badge = h("span.badge", { hidden: true });
    this.launcher = h("button.launch", { part: "launcher", onpointerenter: near, onfocus: near, onclick: () => this.#open() }, icon("M3.5 5.5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H9.2L6 16.4v-2.9h-.5a2 2 0 0 1-2-2z"), this.badge);
    this.frame = h("section.sb", this.launcher);
    this.#face();
    shadow.append(this.frame);
  }

  /** Put attributes into effect on what the loader draws. */
  #face() {
    const { words, frame, launcher, language, spoken } = this;
    const { unread, isOpen } = this.state;
    const { classList, style } = frame;
    set(frame, "aria-label", this.option("title") || "Chat");
    set(frame, "lang", spoken);
    set(launcher, "aria-label", unread ? `${words.open}, ${unread} ${words.unread}` : words.open);
    launcher.title = "";
    launcher.hidden = isOpen || this.option("launcher") === "hide";
    classList.toggle("at-start", this.option("position") === "start");
    classList.toggle("placed", this.layout !== "bubble");
    frame.dir = /^(ar|fa|he|ur)/.test(language) ? "rtl" : this.option("locale") ? "ltr" : getComputedStyle(this).direction;
    style.setProperty("--z", parseInt(this.option("z-index"), 10) || "");
  }

  /** The panel says so: the launcher makes room for it. */
  setOpen(isOpen) {
    this.state.isOpen = isOpen;
    this.#face();
    this.emit(isOpen ? "open" : "close");
  }

  #open() {
    this.call("open").catch(() => {
      this.badge.hidden = false;
      this.badge.textContent = "!";
      set(this.launcher, "aria-label", (this.launcher.title = this.words.failed));
    });
  }
}

/** What the element does itself for a call, before the panel, if it is there, does the rest. */
const OWN = {
  show: (element) => set(element, "launcher", "show"),
  hide: (element) => set(element, "launcher", "hide"),
  close() {},
  setLocale: (element, tag) => set(element, "locale", tag),
  setTheme: (element, name) => set(element, "theme", name),
  identify(element, who) {
    if (!who?.token && !who?.getToken) throw new TypeError("identify takes {token} or {getToken}.");
    element.identity = who;
  },
  logout(element) {
    element.identity = null;
    for (const name of ["localStorage", "sessionStorage"]) for (const end of ["", TAB]) area(name).removeItem?.(element.storageKey + end);
  },
  destroy(element) {
    elements.delete(element);
    element.remove();
  },
};
