/**
 * The loader: all that a shop's page pays for until somebody wants to chat.
 *
 * It draws the launcher, keeps the calls that come before the panel is there, and fetches the panel when a hand comes
 * near the launcher or a chat is under way. It opens no socket and stores nothing. docs/embedding.md has the attributes,
 * calls and events. Run again, it does nothing, unless the chat was destroyed: some sites run a page's scripts again at
 * each navigation.
 */
(() => {
  const early = window.SupportBot;
  if (early?.version) return early.attach(true);

  const script = document.currentScript;
  const SOURCE = new URL(script?.src || location.href);
  // The server writes the panel's address here.
  const PANEL = new URL("edition/", SOURCE);
  const NAME = "support-bot";
  const EVENT = "supportbot:";
  // Behind the key of what is only this tab's.
  const TAB = ".tab";
  const CALLS = "open close toggle show hide identify logout setLocale setTheme send prefill requestHuman newConversation endConversation rate destroy";
  const OBSERVED = "locale dir theme position layout launcher title greeting suggestions z-index";
  const WORDS = {
    en: { open: "Open chat", unread: "unread", failed: "The chat could not be loaded. Try again." },
    de: { open: "Chat öffnen", unread: "ungelesen", failed: "Der Chat konnte nicht geladen werden. Versuchen Sie es noch einmal." },
  };
  const STYLE = `
:host { all: initial; display: contents; color-scheme: light dark; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
*, ::before, ::after { box-sizing: border-box; }
.sb {
--u: calc(var(--sb-size, max(1rem, 16px)) / 16);
--accent: var(--sb-accent, #3a50b5);
--on-accent: var(--sb-on-accent, #fff);
--accent-solid: light-dark(var(--accent), color-mix(in oklab, var(--accent) 86%, #fff));
--accent-ink: light-dark(color-mix(in oklab, var(--accent) 92%, #000), color-mix(in oklab, var(--accent) 46%, #fff));
--surface: var(--sb-bg, light-dark(#fff, #1c1b19));
--ink: var(--sb-fg, light-dark(#1e1c19, #eeebe5));
position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: var(--z, 2147483000);
font: 400 calc(15 * var(--u))/1.53 var(--sb-font, Inter, system-ui, sans-serif);
color: var(--ink); text-align: start;
}
.sb.at-start { inset-inline: 20px auto; }
.sb.placed { position: static; block-size: 100%; }
.placed > .launch, [hidden] { display: none !important; }
button { font: inherit; color: inherit; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
.i { inline-size: 20px; block-size: 20px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; display: block; }
.launch { position: relative; inline-size: 56px; block-size: 56px; border-radius: 50%; border: 1px solid #0000; background: var(--accent-solid); color: var(--on-accent); display: grid; place-items: center; box-shadow: 0 2px 6px #1e1c1929, 0 10px 28px -6px #1e1c1957; }
.launch .i { inline-size: 26px; block-size: 26px; }
.launch:focus-visible { outline-width: 3px; outline-offset: 3px; box-shadow: 0 0 0 3px var(--surface); }
.badge { position: absolute; inset-block-start: -3px; inset-inline-end: -3px; min-inline-size: 22px; border-radius: 11px; background: #b02a26; color: #fff; border: 2px solid var(--surface); font: 600 12px/18px sans-serif; }
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { animation: none !important; transition: none !important; } }`;

  /**
   * Make an element. What follows `tag.class.class`, lists flattened: plain objects are attributes (`onclick` and the
   * like are listeners), nodes and texts are children, anything false is nothing.
   */
  const h = (name, ...parts) => {
    const [tag, ...classes] = name.split(".");
    const node = document.createElement(tag);
    if (tag === "button") node.type = tag;
    node.className = classes.join(" ");
    for (const part of parts.flat(3)) {
      if (part?.constructor === Object) for (const key in part) set(node, key, part[key]);
      else if (part) node.append(part);
    }
    return node;
  };

  const set = (node, name, value) => {
    if (value === false || value === undefined) node.removeAttribute(name);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  };

  const icon = (d, size = "") => {
    const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
    set(path, "d", d);
    set(svg, "viewBox", "0 0 20 20");
    set(svg, "class", `i ${size}`);
    set(svg, "aria-hidden", "true");
    svg.append(path);
    return svg;
  };

  /** The browser's storage; a page without it keeps nothing, and is served all the same. */
  const area = (name) => {
    try {
      return window[name] || {};
    } catch {
      return {};
    }
  };

  const kept = (name, key) => JSON.parse(area(name).getItem?.(key) || "{}");

  class SupportBotElement extends HTMLElement {
    static observedAttributes = OBSERVED.split(" ");
    // The panel builds its nodes by the same hand.
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

    get words() {
      return WORDS[this.language.slice(0, 2).toLowerCase()] || WORDS.en;
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

    /** Fetch the panel once; after a failure the next wish tries again. */
    load() {
      this.panel ||= import(new URL(this.#tries++ ? `panel.js?${this.#tries}` : "panel.js", PANEL)).then(
        ({ start }) => start(this),
        (error) => {
          this.panel = null;
          this.emit("error", { code: "not_loaded" });
          throw error;
        },
      );
      return this.panel;
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
      const { words, frame, launcher, language } = this;
      const { unread, isOpen } = this.state;
      const { classList, style } = frame;
      set(frame, "aria-label", this.option("title") || "Chat");
      set(frame, "lang", words === WORDS.de ? "de" : "en");
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

  // --- What the page calls.

  const elements = new Set();
  const waiting = [];
  let made;

  const first = () => [...elements][0] || null;
  const there = () => first() || new Promise((give) => waiting.push(give));

  const api = {
    version: "1.0.0",
    push: async ([name, ...args]) => api[name](...args),
    on(name, listener) {
      const off = Promise.resolve(there()).then((element) => element.on(name, listener));
      return () => off.then((stop) => stop());
    },
    /** Put the script's own element back after a page swapped its body; make another where the script runs again. */
    attach(isAgain) {
      if (made && !made.isConnected && elements.has(made)) document.body.append(made);
      else if (isAgain) create();
    },
    get element() {
      return first();
    },
    get state() {
      return { ...first()?.state };
    },
  };
  for (const name of CALLS.split(" ")) api[name] = async (...args) => (await there()).call(name, ...args);

  const create = () => {
    if (!script?.dataset.channel || document.querySelector(NAME)) return;
    made = h(NAME, { layout: "bubble" });
    for (const { name, value } of script.attributes) if (name.startsWith("data-")) set(made, name.slice(5), value);
    document.body.append(made);
    // A later task, not at once: a page that takes out what it did not put in must not be fought with.
    const swapped = new MutationObserver(() => setTimeout(() => api.attach(watch())));
    const watch = () => swapped.observe(document.body, { childList: true });
    swapped.observe(document.documentElement, { childList: true });
    watch();
  };

  customElements.define(NAME, SupportBotElement);
  window.SupportBot = api;
  for (const call of early || []) api.push(call).catch(console.error);
  if (document.body) create();
  else addEventListener("DOMContentLoaded", create);
})();
