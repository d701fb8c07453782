/**
 * The chat: it joins what the customer does, the line to the server, the log and the view. It decides nothing about
 * money or people; it sends what was pressed and shows what the log says.
 */

import { Api, Refusal } from "./api.js";
import { expiry, spoken } from "./cards.js";
import { Connection } from "./connection.js";
import { h, icon } from "./dom.js";
import { Identity, subjectOf } from "./identity.js";
import { Log } from "./log.js";
import { plain } from "./markdown.js";
import { markText } from "./people.js";
import { Screen } from "./screen.js";
import { Session } from "./session.js";
import { View } from "./view.js";
import { Words } from "./words.js";

const STRIP_AFTER_MS = 2000;
const SLOW_AFTER_MS = 8000;
const TYPING_EVERY_MS = 2000;
const TYPING_SHOWN_MS = 6000;
const TICK_MS = 15_000;

export class Chat {
  #timers = {};
  #newsAfter = null;
  #config = {};
  #confirmedAgain = new Set();

  constructor(element, frame, words) {
    this.element = element;
    this.words = words;
    this.say = (key, gaps) => this.words.say(key, gaps);
    this.session = new Session(element);
    this.identity = new Identity();
    this.identity.set(element.identity);
    this.api = new Api(element.endpoint, async () => (await this.#token()) || this.session.kept.visitor);
    this.log = new Log((item) => this.view.stale(item));
    this.#bind();
    this.view = new View(this);
    this.connection = this.#connection();
    this.screen = new Screen(element, this.view.node, (isFull) => this.#full(isFull));
    frame.append(this.view.node);
    this.#restore();
    this.#show();
    this.stopWatching = this.session.watch((conversation) => this.#elsewhere(conversation));
    this.#timers.tick = setInterval(() => this.#tick(), TICK_MS);
    this.seen = () => document.hidden || this.#look();
    document.addEventListener("visibilitychange", this.seen);
  }

  /** Buttons call these without knowing the chat. */
  #bind() {
    for (const name of ["send", "confirm", "decline", "retry", "resend", "human", "rate", "rated", "copy", "close", "menu", "focus", "isElsewhere"]) this[name] = this[name].bind(this);
  }

  #connection() {
    const server = { ticket: () => this.#ticket(), events: (after) => this.api.events(this.session.conversation, after) };
    return new Connection(server, {
      state: (state) => this.#line(state),
      opened: (welcome) => this.#opened(welcome),
      frame: (frame) => this.#heard(frame),
      event: (event) => this.#event(event),
      reset: () => this.#clear(),
      refused: (error) => this.element.emit("error", { code: error.code }),
    });
  }

  // --- The API of the page.

  async open({ isQuiet = false } = {}) {
    if (!this.isOpen) {
      this.isOpen = true;
      this.view.node.hidden = false;
      this.session.keepHere({ isOpen: true });
      this.element.setOpen(true);
      this.screen.fit();
      this.view.flush();
      this.#look();
    }
    if (!isQuiet) this.focus();
    this.connection.start();
  }

  async close() {
    if (!this.isOpen) return;
    const root = this.view.node.getRootNode();
    const hadFocus = this.view.node.contains(root.activeElement);
    this.isOpen = false;
    this.view.node.hidden = true;
    this.session.keepHere({ isOpen: false });
    this.screen.fit();
    this.element.setOpen(false);
    if (hadFocus) this.element.launcher.focus();
  }

  toggle() {
    return this.isOpen ? this.close() : this.open();
  }

  hide() {
    return this.close();
  }

  /** Say something as the customer; resolves with the message's client id. */
  async send(text, { silent = false } = {}) {
    const said = String(text).trim();
    if (!said) throw new TypeError("send takes a text.");
    if (!silent && !this.isOpen) await this.open({ isQuiet: true });
    this.view.drawPage();
    const clientId = uid();
    this.view.speech.clear();
    const item = this.log.say(clientId, said);
    this.#show();
    this.view.follow(item);
    if (this.log.isEnded) await this.newConversation({ keeps: true });
    this.connection.start();
    this.#post(item);
    return clientId;
  }

  async prefill(text) {
    await this.open();
    this.view.composer.text = String(text);
    this.draft(String(text));
  }

  async requestHuman(reason = "") {
    await this.open({ isQuiet: true });
    this.human(reason);
  }

  /** Begin anew; the old chat stays among the earlier ones. */
  async newConversation({ keeps = false } = {}) {
    const unsent = keeps ? this.log.unsent() : [];
    this.session.forget({ keepsVisitor: true });
    this.#clear();
    for (const { clientId, text } of unsent) this.log.say(clientId, text);
    this.#newsAfter = null;
    this.#show();
    if (this.isOpen || keeps) await this.connection.restart();
  }

  async endConversation() {
    if (!this.session.conversation) return;
    await this.api.end(this.session.conversation);
  }

  async rate(score, comment = "", message = undefined) {
    if (!this.connection.send({ type: "rate", score, ...(comment && { comment }), ...(message && { message }) })) throw new Refusal("offline");
    this.view.speech.status(this.say("thanks"));
    this.element.emit("rating", { score });
  }

  async identify(who) {
    this.identity.set(who);
    const token = await this.#token();
    if (!token) return;
    const { sub } = this.session.kept;
    if (sub && sub !== subjectOf(token)) {
      // Somebody else is signed in now: nothing of the other's chat stays on this screen.
      this.session.forget();
      this.#clear();
      this.#newsAfter = null;
      if (this.connection.state !== "idle") await this.connection.restart();
    } else if (this.connection.isOpen) await this.#prove(token);
    else if (this.isOpen || this.session.kept.until > Date.now()) this.connection.start();
    this.#show();
  }

  async logout() {
    this.identity.set(null);
    this.connection.send({ type: "logout" });
    this.connection.stop();
    this.session.forget();
    this.#clear();
    this.#newsAfter = null;
    this.element.showUnread(0);
    this.#show();
    if (this.isOpen) this.connection.start();
  }

  async setLocale(locale) {
    this.words = await Words.of(locale);
    this.view.composer.update({ placeholder: "ask" });
    this.view.rebuild(this.log.items.values());
    this.#show();
  }

  /** An attribute of the element changed. */
  refresh(name) {
    if (name === "locale") this.setLocale(this.element.language);
    else this.#show();
  }

  /** The element is in the page again, or a chat is under way: go on listening. */
  wake() {
    const isSomebodys = this.session.kept.sub && !this.identity.isKnown;
    if (this.isOpen || (this.session.conversation && !isSomebodys)) this.connection.start();
  }

  sleep() {
    this.connection.stop();
  }

  destroy() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    document.removeEventListener("visibilitychange", this.seen);
    this.stopWatching();
    this.connection.destroy();
    this.screen.destroy();
  }

  // --- What the customer presses.

  escape() {
    if (this.view.node.querySelector(".menu")) return this.menu();
    if (this.view.page) return this.page();
    return this.close();
  }

  async menu() {
    const { toggleMenu } = await import("./menu.js");
    toggleMenu(this);
  }

  /** Show a page of the menu, or the chat again. */
  page(title, ...nodes) {
    this.view.drawPage(...nodes);
    this.pageTitle = title;
    this.#show();
    if (this.view.page) this.view.page.focus();
    else this.focus();
  }

  focus() {
    if (matchMedia("(pointer: coarse)").matches) this.view.node.focus({ preventScroll: true });
    else this.view.composer.focus();
  }

  stop() {
    this.connection.send({ type: "stop" });
  }

  retry(item) {
    if (!this.connection.send({ type: "retry", message: item.message })) this.#tell("offline");
  }

  resend(item) {
    this.log.mark(item.clientId, "waiting");
    this.connection.start();
    this.#post(item);
  }

  human(reason = "") {
    this.connection.start();
    const frame = { type: "request_human", ...(reason && { reason: String(reason).slice(0, 500) }) };
    if (!this.connection.send(frame)) this.asksForHuman = frame;
    this.view.drawPage();
    this.#show();
  }

  typing() {
    if (this.log.mode !== "person" || Date.now() - (this.typedAt || 0) < TYPING_EVERY_MS) return;
    this.typedAt = Date.now();
    this.connection.send({ type: "typing" });
  }

  draft(text) {
    this.session.keepHere({ draft: text });
  }

  /** A file was pasted or dropped. */
  file() {
    this.view.composer.refuse(this.say("noFiles"));
    this.view.speech.status(this.say("noFiles"));
  }

  async copy(item) {
    await navigator.clipboard.writeText(plain(item.text));
    this.view.speech.status(this.say("copied"));
  }

  rated(item, score, comment) {
    if (!score) return this.#mark(item, { isSkipped: true });
    return this.rate(score, comment).then(() => this.#mark(item, { isRated: true }), () => this.#tell("offline"));
  }

  #mark(item, facts) {
    Object.assign(item, facts);
    this.view.stale(item);
  }

  isElsewhere() {
    return Boolean(this.#config.confirm_on_hosted_page) && this.element.layout !== "fullscreen";
  }

  /** Send a card's confirmation, with a fresh identity if the old one has run out. */
  async confirm(item) {
    if (this.isElsewhere()) return this.#confirmThere(item);
    this.log.decide(item.key, "asking");
    if (this.identity.isExpired && this.identity.canRenew) await this.#renew();
    if (!this.connection.send({ type: "confirm", request: item.request, digest: item.digest })) this.log.decide(item.key, "", this.words.error("offline"));
    return undefined;
  }

  decline(item) {
    this.log.decide(item.key, "declining");
    if (!this.connection.send({ type: "decline", request: item.request })) this.log.decide(item.key, "", this.words.error("offline"));
  }

  /** The channel wants confirmations on our own page, which the shop's scripts cannot press. */
  async #confirmThere(item) {
    const there = window.open("about:blank", "_blank");
    try {
      const { url } = await this.api.code({ channel: this.element.option("channel"), ...(await this.#proof()), conversation: this.session.conversation });
      there.opener = null;
      there.location = url;
    } catch (error) {
      if (there) there.close();
      this.log.decide(item.key, "", this.words.error(error.code));
    }
  }

  /** Go on with an earlier chat. */
  async goTo(conversation) {
    this.session.keepHere({ draft: "", unsent: [] });
    this.session.keep({ conversation, seen: 0 });
    this.#clear();
    this.#newsAfter = null;
    this.page();
    await this.connection.restart();
  }

  privacyUrl() {
    return this.element.option("privacy-url") || this.#config.privacy_url || "";
  }

  /** All chats are deleted: nothing of them stays here either. */
  async erased() {
    this.#erased();
    this.connection.stop();
  }

  // --- Who asks.

  async #token(options) {
    try {
      return await this.identity.token(options);
    } catch (error) {
      this.element.emit("identity:error", { code: "no_token", message: String(error && error.message) });
      return "";
    }
  }

  async #proof() {
    const token = await this.#token();
    return token ? { token } : { visitor: this.session.kept.visitor };
  }

  async #renew() {
    const token = await this.#token({ isFresh: true });
    if (token) this.connection.send({ type: "identify", token });
  }

  /** Sign in on the open line; there is no frame for success, but frames are answered in order. */
  #prove(token) {
    return new Promise((resolve, reject) => {
      this.proving = { resolve, reject, token };
      this.connection.send({ type: "identify", token });
      this.connection.send({ type: "ping" });
    });
  }

  async #ticket() {
    for (let tries = 0; ; tries++) {
      try {
        return this.#admitted(await this.api.ticket(await this.#asked()));
      } catch (error) {
        if (tries === 3 || !(error instanceof Refusal) || !(await this.#mended(error))) throw error;
      }
    }
  }

  async #asked() {
    const token = await this.#token();
    const { sub } = this.session.kept;
    if (sub && sub !== subjectOf(token)) {
      this.session.forget();
      this.#clear();
    }
    const { conversation, visitor } = this.session.kept;
    this.token = token;
    return { channel: this.element.option("channel"), ...(token && { token }), ...(visitor && { visitor }), ...(conversation && { conversation }) };
  }

  #admitted(answer) {
    const { conversation, visitor, config } = answer;
    this.session.keep({ conversation, ...(visitor && { visitor }), ...(this.token && { sub: subjectOf(this.token), visitor: undefined }) });
    this.element.conversation = conversation;
    this.#config = config;
    this.#look_(config.look || {});
    this.#show();
    return answer;
  }

  /** Clear away what was refused; true if asking again makes sense. */
  async #mended({ code }) {
    if (code === "invalid_token") {
      if (this.identity.canRenew && !this.hasRenewed && (this.hasRenewed = true) && (await this.#token({ isFresh: true }))) return true;
      this.#refusedIdentity(code);
      return true;
    }
    if (code === "invalid_visitor" || code === "not_found") {
      this.session.forget({ keepsVisitor: code === "not_found" });
      this.#clear();
      return true;
    }
    return false;
  }

  #refusedIdentity(code) {
    this.identity.set(null);
    this.element.emit("identity:error", { code, message: this.words.error(code) });
  }

  /** The workspace's colour, unless the page set one. */
  #look_({ accent, accent_ink: onAccent }) {
    const { style } = this.element.frame;
    if (/^#[\da-f]{6}$/i.test(accent)) style.setProperty("--look-accent", accent);
    if (/^#[\da-f]{6}$/i.test(onAccent)) style.setProperty("--look-on-accent", onAccent);
  }

  // --- What the server says.

  #opened(welcome) {
    this.#newsAfter ??= welcome.seq;
    this.notice = welcome.notice;
    this.limits = welcome.limits;
    if (welcome.turn) this.log.resume(welcome.turn);
    if (this.asksForHuman) this.connection.send(this.asksForHuman);
    this.asksForHuman = null;
    for (const item of this.log.unsent()) this.#post(item);
    this.#show();
  }

  #post(item) {
    const isSent = this.connection.send({ type: "message", client_id: item.clientId, text: item.text });
    this.log.mark(item.clientId, isSent ? "sending" : "waiting");
    this.#keepUnsent();
    if (isSent) this.element.emit("message:sent", { client_id: item.clientId, ...this.#exposed(item.text) });
  }

  #keepUnsent() {
    this.session.keepHere({ unsent: this.log.unsent().map(({ clientId, text }) => ({ clientId, text })) });
  }

  #exposed(text) {
    return this.element.hasAttribute("expose-messages") ? { text } : {};
  }

  #heard(frame) {
    if (frame.type === "delta") this.#delta(frame);
    else if (frame.type === "status") this.log.status(frame);
    else if (frame.type === "queue") this.log.queue(frame);
    else if (frame.type === "typing") this.#typingNow(frame.who);
    else if (frame.type === "error") this.#error(frame);
    else if (frame.type === "head" && this.proving) {
      this.session.keep({ sub: subjectOf(this.proving.token), visitor: undefined });
      this.proving.resolve();
      this.proving = null;
    }
  }

  #delta(delta) {
    const known = this.log.items.get(delta.message);
    if (!known || !known.text) this.element.emit("stream:start", { message: delta.message });
    this.log.delta(delta);
    const item = this.log.items.get(delta.message);
    if (this.isOpen) this.view.speech.follow(item.key, this.say("assistant"), item.text, false);
  }

  #typingNow(who) {
    const name = (who || this.log.agent || this.say("somebody")).split(" ")[0];
    this.view.drawTyping(this.log.mode === "person" ? name : "");
    clearTimeout(this.#timers.typing);
    this.#timers.typing = setTimeout(() => this.view.drawTyping(""), TYPING_SHOWN_MS);
  }

  #error(error) {
    const text = this.words.error(error.code);
    if (this.proving && (error.field === "token" || error.code === "invalid_token" || error.code === "other_subject")) {
      this.proving.reject(new Refusal(error.code, error.message));
      this.proving = null;
      this.#refusedIdentity(error.code);
    } else if (error.client_id) {
      this.log.mark(error.client_id, "failed", text);
      this.view.speech.status(`${this.say("notSent")} ${text}`);
    } else if (error.request) this.#refusedCard(error, text);
    else if (error.code === "erased") this.#erased();
    else this.#tell(error.code);
    this.element.emit("error", { code: error.code });
  }

  async #refusedCard({ code, request }, text) {
    if (code === "identity_required" && this.identity.canRenew && !this.#confirmedAgain.has(request)) {
      this.#confirmedAgain.add(request);
      await this.#renew();
      const item = this.log.items.get(request);
      this.connection.send({ type: "confirm", request, digest: item.digest });
      return;
    }
    if (code === "identity_required") this.element.emit("identity:error", { code, message: text });
    const words = code === "identity_required" && this.identity.isKnown ? this.say("signIn") : text;
    this.log.decide(request, "", words);
    this.view.speech.status(words);
  }

  #tell(code) {
    this.view.composer.refuse(this.words.error(code));
    this.view.speech.status(this.words.error(code));
  }

  /** One entry of the log. What was there before this page is shown without telling the page or the ear. */
  #event(event) {
    this.log.apply(event);
    const isNews = this.#newsAfter !== null && event.seq > this.#newsAfter;
    if (event.event === "message") this.#keepUnsent();
    if (isNews) this.#news(event);
    if (event.event.startsWith("handoff") || event.event === "message") this.view.drawTyping("");
    this.session.touch(this.log.isAwaited);
    this.#look(event);
    this.#show();
  }

  #news({ event, payload }) {
    const emit = (name, detail) => this.element.emit(name, detail);
    const item = this.log.items.get(payload.request || payload.message);
    const [topic, step] = event.split(".");
    if (event === "message" && payload.source !== "customer") emit("message", { message: payload.message, source: payload.source, ...this.#exposed(payload.text) });
    if (topic === "assistant" && step !== "started") {
      emit("stream:end", { message: payload.message });
      if (step === "final") emit("message", { message: payload.message, source: "assistant", ...this.#exposed(payload.text) });
    }
    if (topic === "action") this.#tellPageOf(step, payload, item);
    if (topic === "handoff") emit(event.replace(".", ":"), { ...payload });
    this.#speak(event, payload, item);
  }

  #tellPageOf(step, { request, action }, item) {
    const detail = { request, action };
    if (step === "proposed") this.element.emit("action:proposed", detail);
    else if (step === "awaiting_approval" || (step === "queued" && !item.steps.awaiting_approval)) this.element.emit("action:confirmed", detail);
    else if (step !== "queued") this.element.emit("action:result", { ...detail, state: step });
  }

  #speak(event, payload, item) {
    const { speech } = this.view;
    if (event === "message" && payload.source !== "customer") speech.say(`${payload.author ? `${payload.author}: ` : ""}${plain(payload.text)}`);
    if (event === "assistant.final") speech.follow(payload.message, this.say("assistant"), payload.text, true);
    if (event === "assistant.failed") speech.status(this.say("brokeOff"));
    if (event.startsWith("action.")) speech.say(spoken(item, this));
    if (event.startsWith("handoff.") && event !== "handoff.requested") speech.status(markText([...this.log.items.values()].findLast(({ kind }) => kind === "mark"), this));
    if (event === "handoff.requested") speech.status(this.say("finding"));
  }

  // --- What is shown.

  /** Count what came while nobody looked. */
  #look(event) {
    if (this.isOpen && !document.hidden) {
      this.session.keep({ seen: this.connection.seq });
      this.missed = 0;
      return this.element.showUnread(0);
    }
    const item = event && event.seq > (this.session.kept.seen || 0) && this.#shownItem(event);
    if (!item) return undefined;
    this.missed = (this.missed || 0) + 1;
    return this.element.showUnread(this.missed, item.author || this.#name(), plain(item.text || item.title || ""));
  }

  #shownItem({ event, payload }) {
    const isForCustomer = event === "assistant.final" || event === "action.proposed" || (event === "message" && payload.source !== "customer");
    return isForCustomer && this.log.items.get(payload.request || payload.message);
  }

  #name() {
    return this.element.option("title") || this.#config.name || this.#config.channel || this.say("title");
  }

  isWriting() {
    return this.log.writing !== null;
  }

  #show() {
    if (!this.view) return;
    this.#showHead();
    this.#showIntro();
    const { mode, agent, isEnded } = this.log;
    const first = agent.split(" ")[0];
    const placeholder = isEnded ? "reopen" : { waiting: "addMore", person: "writeTo" }[mode] || "ask";
    this.view.composer.update({ placeholder, gaps: { name: first || this.say("somebody") }, isWriting: this.isWriting(), limit: this.limits && this.limits.message_characters });
    const foot = { assistant: ["mistakes", "talk", () => this.human()], waiting: ["whileWaiting"], person: ["withPerson", "endChat", () => this.#askToEnd()] }[mode];
    this.view.drawFoot(this.say(foot[0]), foot[1] && this.say(foot[1]), foot[2]);
    this.#watchSlow();
  }

  #showHead() {
    const { mode, agent, isEnded } = this.log;
    const about = isEnded ? "endedShort" : { waiting: "finding", person: "person" }[mode] || "aiAssistant";
    const name = this.view.page ? this.pageTitle : this.#name();
    const facts = JSON.stringify([name, about, agent, this.words.language]);
    if (facts === this.headFacts) return;
    this.headFacts = facts;
    this.view.drawHead({ name, about: this.say(about), agent: this.view.page ? "" : agent });
  }

  /** The greeting, and always that one speaks with an AI, before anything it says. */
  #showIntro() {
    const notice = this.notice || this.#config.notice || this.say("notice");
    const suggestions = this.log.isEmpty ? this.#suggestions() : [];
    const facts = JSON.stringify([notice, this.log.isEmpty, suggestions, this.#greeting()]);
    if (facts === this.introFacts) return;
    this.introFacts = facts;
    if (!this.log.isEmpty) return this.view.drawIntro(h("p", {}, notice));
    const rows = suggestions.map((text) => h("li", {}, h("button", { onclick: () => this.send(text) }, icon("book"), h("span", {}, h("b", {}, text)), icon("right", "s flip"))));
    return this.view.drawIntro(h("div", { class: "hello" }, h("b", { dir: "auto" }, this.#greeting()), h("p", { dir: "auto" }, notice)), rows.length ? h("ul", { class: "sugg" }, rows) : "");
  }

  #greeting() {
    return this.element.option("greeting") || this.#config.greeting || this.say("hello");
  }

  #suggestions() {
    const chosen = this.element.option("suggestions");
    return (chosen ? chosen.split("|") : this.#config.suggestions || []).map((text) => text.trim()).filter(Boolean).slice(0, 3);
  }

  #line(state) {
    this.element.connection = state;
    this.element.emit("connection", { state });
    clearTimeout(this.#timers.strip);
    if (state === "open" || state === "idle") return this.view.drawStrip("");
    const key = { offline: "offline", refused: "refused" }[state] || (this.#newsAfter === null ? "connecting" : "reconnecting");
    const show = () => this.view.drawStrip(this.say(key), state === "offline" || state === "refused");
    if (this.view.strip.hidden && state !== "refused") this.#timers.strip = setTimeout(show, STRIP_AFTER_MS);
    else show();
    return undefined;
  }

  #full(isFull) {
    this.view.isModal = isFull;
    if (isFull) this.view.node.setAttribute("aria-modal", "true");
    else this.view.node.removeAttribute("aria-modal");
  }

  /** After eight seconds without a word, say that it takes longer. */
  #watchSlow() {
    const item = this.log.items.get(this.log.writing);
    if (!item || item.text || this.#timers.slowFor === item.key) return;
    clearTimeout(this.#timers.slow);
    this.#timers.slow = setTimeout(() => !item.text && this.#mark(item, { isSlow: true, status: "" }), SLOW_AFTER_MS);
  }

  #tick() {
    for (const line of this.view.node.querySelectorAll("[data-expires]")) line.textContent = expiry(line.dataset.expires, this);
  }

  #askToEnd() {
    import("./menu.js").then(({ endPage }) => endPage(this));
  }

  #clear() {
    this.log.clear();
    this.connection.seq = 0;
    this.introFacts = null;
    this.view.drawTyping("");
    this.view.rebuild([]);
  }

  #restore() {
    const { draft, unsent = [] } = this.session.tab;
    if (draft) this.view.composer.text = draft;
    for (const { clientId, text } of unsent) this.log.say(clientId, text);
  }

  #erased() {
    this.session.forget();
    this.#clear();
    this.#newsAfter = null;
    this.element.showUnread(0);
    this.#show();
  }

  /** Another tab moved on: follow it there. */
  #elsewhere(conversation) {
    this.#clear();
    this.#newsAfter = null;
    this.#show();
    if (conversation) this.connection.restart();
    else this.connection.stop();
  }
}

/** A random id; `randomUUID` is missing on pages without TLS. */
function uid() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
