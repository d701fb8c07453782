/** The element `<support-bot>`: it draws the launcher, and fetches the panel when the pointer or the focus reaches it. */

import STYLE from "./loader.css";
import { h, icon, set } from "./nodes.js";

const SOURCE = new URL(document.currentScript?.src || location.href);
// The build defines EDITION (the folder of the panel and the files it needs), WORDS (the launcher's texts by language)
// and RIGHT_TO_LEFT (the languages written from right to left).
const FILES = new URL(EDITION, SOURCE);
const EVENT = "supportbot:";
// Suffix of the storage key for data that belongs to this tab only.
const TAB = ".tab";
const OBSERVED = "locale lang dir theme position layout launcher title greeting suggestions z-index";
/** The elements in the page, and the calls that wait for the first one. */
export const elements = new Set();
export const pending = [];

/** The browser's storage; without it, nothing is kept and the chat still works. */
const area = (name) => {
  try {
    return window[name] || {};
  } catch {
    return {};
  }
};

/** The language of a tag: `fr` for `fr-CA`. */
const base = (tag) => tag.split("-")[0].toLowerCase();

const kept = (name, key) => JSON.parse(area(name).getItem?.(key) || "{}");

export class SupportBotElement extends HTMLElement {
  static observedAttributes = OBSERVED.split(" ");
  // The panel uses these too.
  static h = h;
  static set = set;
  static icon = icon;

  #tries = 0;
  state = { isReady: false, isOpen: false, unread: 0, connection: "idle", conversation: null };
  /** The identity the page gave; a token is requested from it when a ticket or a confirmation needs one. */
  identity = null;

  connectedCallback() {
    clearTimeout(this.leaving);
    if (this.frame) return this.#callPanel("wake");
    this.#draw();
    elements.add(this);
    for (const give of pending.splice(0)) give(this);
    // This runs after the calls that the page has queued, because they may identify the customer.
    setTimeout(() => this.#begin());
    return undefined;
  }

  /** A page that swaps its body may bring the element back; if not, put it to sleep. */
  disconnectedCallback() {
    this.leaving = setTimeout(() => this.#callPanel("sleep"), 1000);
  }

  attributeChangedCallback(name) {
    if (!this.frame) return;
    this.#face();
    this.#callPanel("refresh", name);
  }

  /** Call the panel, if it is loaded. */
  #callPanel(name, ...args) {
    return this.panel?.then((panel) => panel[name](...args));
  }

  /** An option the page set by attribute. */
  option(name) {
    return this.getAttribute(name) || "";
  }

  get endpoint() {
    return new URL(this.option("endpoint") || SOURCE).origin;
  }

  get layout() {
    return this.option("layout") || "inline";
  }

  /** The language the page asks for, if it does not leave the choice to us. */
  get chosen() {
    const chosen = this.option("locale") || this.option("lang");
    return chosen === "auto" ? "" : chosen;
  }

  /** The first of these languages that has texts: the one the page asks for, the page's own, the browser's; otherwise English. */
  get language() {
    const tags = [this.chosen, document.documentElement.lang, ...navigator.languages].map((tag) => tag.replaceAll("_", "-"));
    return tags.find((tag) => WORDS[base(tag)]) || "en";
  }

  /** The language of the interface. */
  get uiLanguage() {
    return base(this.language);
  }

  get words() {
    return WORDS[this.uiLanguage];
  }

  get storageKey() {
    return EVENT + this.option("channel");
  }

  get storage() {
    return { session: "sessionStorage", none: "" }[this.option("storage")] ?? "localStorage";
  }

  /** Emit an event for the page. `detail` contains the text of messages only if the page asked for it. */
  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(EVENT + name, { bubbles: true, composed: true, detail }));
  }

  on(name, listener) {
    const handle = ({ detail }) => listener(detail);
    this.addEventListener(EVENT + name, handle);
    if (name === "ready" && this.state.isReady) handle({});
    return () => this.removeEventListener(EVENT + name, handle);
  }

  /** Show the number of unread messages. */
  showUnread(count, shown = "") {
    if (count !== this.state.unread) this.emit("unread", { count });
    this.state.unread = count;
    this.badge.hidden = !count;
    this.badge.textContent = shown;
    this.#face();
  }

  /** Run an API call; the panel is loaded only for calls that need it. */
  async call(name, ...args) {
    const own = OWN[name];
    if (own) own(this, ...args);
    // Without a panel, the element alone handles these.
    if (own && !this.panel) return undefined;
    return (await this.load())[name]?.(...args);
  }

  /** Load the panel once, and its texts in parallel; after a failure, the next call tries again. */
  load() {
    this.panel ||= this.#fetch().then(([{ start }]) => start(this)).catch((error) => {
      this.panel = null;
      this.emit("error", { code: "not_loaded" });
      throw error;
    });
    return this.panel;
  }

  #fetch() {
    // Browsers may cache a module's failure to load.
    const mark = this.#tries++ ? `?${this.#tries}` : "";
    return Promise.all(["panel", this.uiLanguage].map((name) => import(new URL(`${name}.js${mark}`, FILES))));
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
    // The tag's colours override the default ones, which come first.
    sheet.replaceSync(STYLE.replace("#3a50b5", this.option("accent") || "$&").replace("#fff", this.option("on-accent") || "$&"));
    shadow.adoptedStyleSheets = [sheet];
    const near = () => this.load().catch(() => {});
    this.badge = h("span.badge", { hidden: true });
    this.launcher = h("button.launch", { part: "launcher", onpointerenter: near, onfocus: near, onclick: () => this.#open() }, icon("M3.5 5.5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H9.2L6 16.4v-2.9h-.5a2 2 0 0 1-2-2z"), this.badge);
    this.frame = h("section.sb", this.launcher);
    this.#face();
    shadow.append(this.frame);
  }

  /** Apply the attributes to what the loader draws. */
  #face() {
    const { words, frame, launcher, uiLanguage } = this;
    const { unread, isOpen } = this.state;
    const { classList, style } = frame;
    frame.ariaLabel = this.option("title") || words.chat;
    frame.lang = uiLanguage;
    launcher.ariaLabel = unread ? `${words.open}, ${words.unread.replace("{n}", unread.toLocaleString(uiLanguage))}` : words.open;
    launcher.title = "";
    launcher.hidden = isOpen || this.option("launcher") === "hide";
    classList.toggle("at-start", this.option("position") === "start");
    classList.toggle("placed", this.layout !== "bubble");
    frame.dir = RIGHT_TO_LEFT.includes(uiLanguage) ? "rtl" : this.chosen ? "ltr" : getComputedStyle(this).direction;
    style.setProperty("--z", parseInt(this.option("z-index"), 10) || "");
  }

  /** Called by the panel: the launcher makes room for it. */
  setOpen(isOpen) {
    this.state.isOpen = isOpen;
    this.#face();
    this.emit(isOpen ? "open" : "close");
  }

  #open() {
    this.call("open").catch(() => {
      this.badge.hidden = false;
      this.badge.textContent = "!";
      this.launcher.ariaLabel = this.launcher.title = this.words.failed;
    });
  }
}

/** The element's own part of an API call; afterwards, the panel does the rest if it is loaded. */
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
