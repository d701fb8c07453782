/**
 * The loader: all that a shop's page pays for until somebody wants to chat.
 *
 * It draws the launcher, keeps the calls that come before the panel is there, and fetches the panel's modules when a
 * hand comes near the launcher or a chat is under way. It opens no socket and stores nothing. docs/embedding.md has the
 * attributes, calls and events. Loaded twice, it does nothing: some sites run a page's scripts again at each navigation.
 */
(() => {
  "use strict";
  const early = window.SupportBot;
  if (early && early.version) return early.attach();

  const VERSION = "1.0.0";
  const script = document.currentScript;
  const SOURCE = new URL(script ? script.src : location.href);
  // The server writes the address of today's modules here.
  const MODULES = new URL("edition/", SOURCE);
  const NAME = "support-bot";
  const CALLS = "open close toggle show hide identify logout setLocale setTheme send prefill requestHuman newConversation endConversation rate destroy";
  const WORDS = {
    en: { chat: "Chat", open: "Open chat", unread: ["1 unread message", "{n} unread messages"], dismiss: "Dismiss preview", failed: "The chat could not be loaded. Check the connection and try again." },
    de: { chat: "Chat", open: "Chat öffnen", unread: ["1 ungelesene Nachricht", "{n} ungelesene Nachrichten"], dismiss: "Vorschau schließen", failed: "Der Chat konnte nicht geladen werden. Prüfen Sie die Verbindung und versuchen Sie es noch einmal." },
  };
  const STYLE = `
:host { all: initial; display: contents; color-scheme: light dark; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]) { display: none; }
*, *::before, *::after { box-sizing: border-box; }
.sb {
  --u: calc(var(--sb-size, max(1rem, 16px)) / 16);
  --font: var(--sb-font, -apple-system, "Segoe UI", Roboto, Inter, "Noto Sans", system-ui, sans-serif);
  --accent: var(--sb-accent, var(--look-accent, #3a50b5));
  --on-accent: var(--sb-on-accent, var(--look-on-accent, #fff));
  --accent-solid: light-dark(var(--accent), color-mix(in oklab, var(--accent) 86%, #fff));
  --accent-hover: color-mix(in oklab, var(--accent) 90%, light-dark(#000, #fff));
  --accent-ink: light-dark(color-mix(in oklab, var(--accent) 92%, #000), color-mix(in oklab, var(--accent) 46%, #fff));
  --surface: var(--sb-bg, light-dark(#fff, #1c1b19));
  --raised: light-dark(#fff, #252321);
  --hover: light-dark(#f4f1ec, #272522);
  --line: light-dark(#e6e2da, #322f2b);
  --ink: var(--sb-fg, light-dark(#1e1c19, #eeebe5));
  --ink-2: light-dark(#55514a, #bdb8ae);
  --bad-solid: light-dark(#b02a26, #c2413b);
  --shadow-2: 0 0 0 1px light-dark(transparent, rgb(255 255 255 / .05)), 0 6px 20px -4px light-dark(rgb(45 38 25 / .16), rgb(0 0 0 / .55));
  position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: var(--z, 2147483000);
  font: 400 calc(15 * var(--u)) / 1.53 var(--font); color: var(--ink); text-align: start; -webkit-font-smoothing: antialiased;
}
.sb.at-start { inset-inline: 20px auto; }
.sb.placed { position: static; block-size: 100%; }
.placed > .launch, .placed > .peek { display: none; }
button { font: inherit; color: inherit; }
.i { inline-size: 20px; block-size: 20px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; display: block; }
.launch { position: relative; inline-size: 56px; block-size: 56px; border-radius: 50%; border: 1px solid transparent; background: var(--accent-solid); color: var(--on-accent); display: grid; place-items: center; cursor: pointer; margin-inline-start: auto; box-shadow: 0 2px 6px rgb(30 28 25 / .16), 0 10px 28px -6px rgb(30 28 25 / .34); transition: transform 180ms cubic-bezier(.2, .7, .2, 1); }
.at-start .launch { margin-inline: 0 auto; }
.launch .i { inline-size: 26px; block-size: 26px; }
.launch:hover { transform: translateY(-1px); }
.launch:focus-visible { outline: 3px solid var(--accent-ink); outline-offset: 3px; box-shadow: 0 0 0 3px var(--surface); }
.badge { position: absolute; inset-block-start: -3px; inset-inline-end: -3px; min-inline-size: 22px; padding: 0 6px; border-radius: 11px; background: var(--bad-solid); color: #fff; border: 2px solid var(--surface); font-size: 12px; font-weight: 600; line-height: 18px; }
.peek { position: absolute; inset-block-end: 68px; inset-inline-end: 0; display: flex; inline-size: 300px; max-inline-size: calc(100vw - 40px); padding: 4px; border-radius: 14px; background: var(--raised); border: 1px solid var(--line); box-shadow: var(--shadow-2); font-size: calc(13 * var(--u)); line-height: 1.4; }
.at-start .peek { inset-inline: 0 auto; }
.peek button { border: 0; background: none; border-radius: 10px; cursor: pointer; padding: 8px; }
.peek button:hover { background: var(--hover); }
.peek .go { flex: 1; min-inline-size: 0; text-align: start; }
.peek b { display: block; font-weight: 600; }
.peek span { display: block; color: var(--ink-2); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.peek .go:not(:has(b)) span { white-space: normal; color: var(--ink); }
.peek .x { align-self: start; padding: 6px; }
.peek .i { inline-size: 16px; block-size: 16px; }
:focus-visible { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
[hidden] { display: none !important; }
@media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation: none !important; transition: none !important; } }
@media (forced-colors: active) { .launch, .peek, .badge { border: 1px solid ButtonBorder; } }
@media print { .sb { display: none; } }`;
  const CHAT = "M3.5 5.5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H9.2L6 16.4v-2.9h-.5a2 2 0 0 1-2-2z";
  const CROSS = "m5 5 10 10M15 5 5 15";

  const make = (tag, className, ...children) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (tag === "button") node.type = "button";
    node.append(...children);
    return node;
  };

  const icon = (path) => {
    const drawn = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
    drawn[0].append(drawn[1]);
    drawn[0].setAttribute("viewBox", "0 0 20 20");
    drawn[0].setAttribute("class", "i");
    drawn[0].setAttribute("aria-hidden", "true");
    drawn[1].setAttribute("d", path);
    return drawn[0];
  };

  /** A value kept in the browser; a page in a frame without storage has none, and is served all the same. */
  const kept = (area, key) => {
    try {
      return JSON.parse(window[area].getItem(key)) || {};
    } catch {
      return {};
    }
  };

  class SupportBotElement extends HTMLElement {
    static observedAttributes = ["locale", "dir", "theme", "position", "layout", "launcher", "title", "greeting", "suggestions", "z-index"];

    #shadow;
    #panel;
    #tries = 0;
    #unread = 0;
    #listeners = new Set();
    /** Who the page says the customer is; asked for a token when a ticket or a confirmation needs one. */
    identity = null;
    isDestroyed = false;

    connectedCallback() {
      clearTimeout(this.leaving);
      if (this.isDestroyed) return;
      if (this.#shadow) return this.#panel && this.#panel.then((panel) => panel.wake());
      this.#draw();
      elements.add(this);
      settle(this);
      // A page that was swapped may bring the element back; only what stays away is put to sleep.
      queueMicrotask(() => this.#begin());
    }

    disconnectedCallback() {
      this.leaving = setTimeout(() => !this.isConnected && this.#panel && this.#panel.then((panel) => panel.sleep()), 1000);
    }

    attributeChangedCallback(name) {
      if (!this.#shadow) return;
      this.#face();
      if (this.#panel) this.#panel.then((panel) => panel.refresh(name));
    }

    /** What the page chose, by attribute; `fallback` where it chose nothing. */
    option(name, fallback = "") {
      return this.getAttribute(name) ?? fallback;
    }

    get endpoint() {
      return new URL(this.option("endpoint", SOURCE.origin)).origin;
    }

    get layout() {
      return this.option("layout", "inline");
    }

    get language() {
      const chosen = this.option("locale", "auto");
      return chosen === "auto" ? document.documentElement.lang || navigator.language || "en" : chosen;
    }

    get words() {
      return WORDS[this.language.slice(0, 2).toLowerCase()] || WORDS.en;
    }

    get storageKey() {
      return `supportbot:${this.option("channel")}`;
    }

    get storage() {
      return { local: "localStorage", session: "sessionStorage" }[this.option("storage", "local")];
    }

    /** Tell the page; `detail` never holds what was said, unless the page asked for it. */
    emit(name, detail = {}) {
      this.dispatchEvent(new CustomEvent(`supportbot:${name}`, { bubbles: true, composed: true, detail }));
    }

    on(name, listener) {
      const heard = (event) => listener(event.detail, event);
      const off = () => {
        this.removeEventListener(`supportbot:${name}`, heard);
        this.#listeners.delete(off);
      };
      this.addEventListener(`supportbot:${name}`, heard);
      this.#listeners.add(off);
      if (name === "ready" && this.isReady) queueMicrotask(() => heard({ detail: {} }));
      return off;
    }

    get unread() {
      return this.#unread;
    }

    /** Show how many messages wait, and a line of the last: of whom, and what. */
    showUnread(count, who = "", line = "") {
      if (count !== this.#unread) this.emit("unread", { count });
      this.#unread = count;
      this.badge.hidden = !count;
      this.badge.textContent = count > 9 ? "9+" : count;
      this.#peek(count ? who : "", count ? line : "");
      this.#face();
    }

    /** Run one call of the API; the panel is fetched only for what needs it. */
    async call(name, ...args) {
      if (this.isDestroyed) throw new Error("This chat was destroyed: load the script again.");
      const own = this[`_${name}`];
      if (own && !(await own.apply(this, args))) return undefined;
      const panel = await this.load();
      return panel[name](...args);
    }

    // Calls that the panel need not be fetched for: they return true when it has to hear of them as well.
    _show() {
      this.setAttribute("launcher", "show");
    }

    _hide() {
      this.setAttribute("launcher", "hide");
      return this.#panel;
    }

    _close() {
      return this.#panel;
    }

    _setLocale(tag) {
      this.setAttribute("locale", tag);
      return this.#panel;
    }

    _setTheme(name) {
      this.setAttribute("theme", name);
    }

    _identify(who) {
      if (!who || !(who.token || who.getToken)) throw new TypeError("identify takes {token} or {getToken}.");
      this.identity = who;
      return this.#panel || this.#isUnderWay();
    }

    _logout() {
      this.identity = null;
      if (this.#panel) return true;
      for (const area of ["localStorage", "sessionStorage"]) {
        try {
          window[area].removeItem(this.storageKey);
        } catch {
          continue;
        }
      }
      return false;
    }

    _destroy() {
      const panel = this.#panel;
      this.isDestroyed = true;
      elements.delete(this);
      for (const off of this.#listeners) off();
      if (panel) panel.then((loaded) => loaded.destroy());
      this.remove();
    }

    /** Fetch the panel once; after a failure the next wish tries again. */
    load() {
      if (!this.#panel) {
        const again = this.#tries++ ? `?${this.#tries}` : "";
        this.#panel = import(new URL(`panel.js${again}`, MODULES)).then((module) => module.start(this, this.#shadow, this.frame));
        this.#panel.catch(() => {
          this.#panel = null;
          this.emit("error", { code: "not_loaded" });
        });
      }
      return this.#panel;
    }

    #isUnderWay() {
      const session = this.storage ? kept(this.storage, this.storageKey) : {};
      return session.until > Date.now();
    }

    async #begin() {
      this.isReady = true;
      this.emit("ready");
      const wasOpen = this.storage && kept("sessionStorage", this.storageKey).isOpen && innerWidth > 480;
      if (this.layout !== "bubble" || this.hasAttribute("open") || wasOpen) await this.call("open", { isQuiet: true });
      else if (this.#isUnderWay()) await this.load().then((panel) => panel.wake());
    }

    #draw() {
      this.#shadow = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.#shadow.adoptedStyleSheets = [sheet];
      this.badge = make("span", "badge");
      this.badge.hidden = true;
      this.launcher = make("button", "launch", icon(CHAT), this.badge);
      this.launcher.part = "launcher";
      this.preview = make("div", "peek");
      this.preview.hidden = true;
      this.frame = make("section", "sb", this.preview, this.launcher);
      const near = () => this.load().catch(() => {});
      this.launcher.addEventListener("pointerenter", near);
      this.launcher.addEventListener("focus", near);
      this.launcher.addEventListener("click", () => this.#open());
      this.#face();
      this.#shadow.append(this.frame);
    }

    /** Put attributes into effect on what the loader draws. */
    #face() {
      const { words, frame, launcher } = this;
      const unread = words.unread[this.#unread === 1 ? 0 : 1].replace("{n}", this.#unread);
      frame.setAttribute("aria-label", this.option("title") || words.chat);
      frame.lang = words === WORDS.de ? "de" : "en";
      launcher.setAttribute("aria-label", this.#unread ? `${words.open}, ${unread}` : words.open);
      launcher.hidden = this.isOpen || this.option("launcher") === "hide";
      frame.classList.toggle("at-start", this.option("position") === "start");
      frame.classList.toggle("placed", this.layout !== "bubble");
      frame.dir = this.#direction();
      if (this.option("z-index")) frame.style.setProperty("--z", parseInt(this.option("z-index"), 10));
    }

    #direction() {
      const chosen = this.option("locale", "auto");
      if (chosen !== "auto") return /^(ar|fa|he|ur)\b/.test(chosen) ? "rtl" : "ltr";
      return getComputedStyle(this).direction;
    }

    /** The panel says so: the launcher makes room for it. */
    setOpen(isOpen) {
      this.isOpen = isOpen;
      if (isOpen) this.#peek("", "");
      this.#face();
      this.emit(isOpen ? "open" : "close");
    }

    #peek(who, line) {
      const go = make("button", "go");
      if (who) go.append(make("b", "", who));
      go.append(make("span", "", line));
      go.addEventListener("click", () => this.#open());
      const dismiss = make("button", "x", icon(CROSS));
      dismiss.setAttribute("aria-label", this.words.dismiss);
      dismiss.addEventListener("click", () => {
        this.preview.hidden = true;
        this.launcher.focus();
      });
      this.preview.replaceChildren(go, dismiss);
      this.preview.hidden = !line || this.isOpen;
    }

    #open() {
      this.call("open").catch(() => this.#peek("", this.words.failed));
    }
  }

  // --- What the page calls.

  const elements = new Set();
  let waiting = [];
  let made = null;

  /** Hand the calls that came too early to the first element of the page. */
  const settle = (element) => {
    for (const give of waiting.splice(0)) give(element);
  };

  const first = () => {
    const [element] = elements;
    return element ? Promise.resolve(element) : new Promise((give) => waiting.push(give));
  };

  const api = {
    version: VERSION,
    push: ([name, ...args]) => (name === "on" ? api.on(...args) : api[name](...args)),
    on(name, listener) {
      const [element] = elements;
      if (element) return element.on(name, listener);
      let off = () => {
        off = null;
      };
      first().then((there) => off && (off = there.on(name, listener)));
      return () => off && off();
    },
    /** Put the script's own element back after a page swapped its body. */
    attach() {
      if (made && !made.isDestroyed && !made.isConnected) document.body.append(made);
    },
    get element() {
      return [...elements][0] || null;
    },
    get state() {
      const [element] = elements;
      return { isReady: Boolean(element), isOpen: Boolean(element && element.isOpen), unread: element ? element.unread : 0, connection: (element && element.connection) || "idle", conversation: (element && element.conversation) || null };
    },
  };
  for (const name of CALLS.split(" ")) api[name] = async (...args) => (await first()).call(name, ...args);

  const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

  const create = () => {
    if (!script || !script.dataset.channel || document.querySelector(NAME)) return;
    made = document.createElement(NAME);
    made.setAttribute("layout", "bubble");
    for (const [name, value] of Object.entries(script.dataset)) made.setAttribute(kebab(name), value);
    document.body.append(made);
    // A later task, not at once: a page that takes out what it did not put in must not be fought with.
    const swapped = new MutationObserver(() => setTimeout(() => api.attach(watch())));
    const watch = () => swapped.observe(document.body, { childList: true });
    swapped.observe(document.documentElement, { childList: true });
    watch();
  };

  customElements.define(NAME, SupportBotElement);
  window.SupportBot = api;
  for (const call of Array.isArray(early) ? early : []) Promise.resolve(api.push(call)).catch((error) => console.error(error));
  if (document.body) create();
  else addEventListener("DOMContentLoaded", create);
})();
