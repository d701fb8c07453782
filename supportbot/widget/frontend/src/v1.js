/**
 * The loader: everything that a shop's page loads until somebody wants to chat.
 *
 * It draws the launcher, queues API calls until the panel is there, and loads the panel when the pointer comes near the
 * launcher or a chat is in progress. It opens no socket and stores nothing. Attributes, calls and events are listed in
 * docs/embedding.md. If it runs again, it does nothing unless the chat was destroyed: some sites run a page's scripts
 * again on each navigation.
 */

import { SupportBotElement, elements, pending } from "./loader/element.js";
import { h, set } from "./loader/nodes.js";

const NAME = "support-bot";
const CALLS = "open close toggle show hide identify logout setLocale setTheme send prefill requestHuman newConversation endConversation rate destroy";
const script = document.currentScript;
const early = window.SupportBot;
let made;

const first = () => [...elements][0] || null;
const there = () => first() || new Promise((give) => pending.push(give));

const api = {
  version: "1.0.0",
  push: async ([name, ...args]) => api[name](...args),
  on(name, listener) {
    const off = Promise.resolve(there()).then((element) => element.on(name, listener));
    return () => off.then((stop) => stop());
  },
  /** Put the script's element back after a page has swapped its body; create another one if the script runs again. */
  attach(isAgain) {
    if (made && !made.isConnected && elements.has(made)) document.body.append(made);
    else if (isAgain) start();
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
  // Run in a later task: otherwise, this script and a page that removes unknown elements would undo each other's
  // changes forever.
  const swapped = new MutationObserver(() => setTimeout(() => api.attach(watch())));
  const watch = () => swapped.observe(document.body, { childList: true });
  swapped.observe(document.documentElement, { childList: true });
  watch();
};

// While the page is being parsed, the end of the body is not known: the chat would come before the page's skip link.
const start = () => {
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", create);
  else create();
};

if (early?.version) early.attach(true);
else {
  customElements.define(NAME, SupportBotElement);
  window.SupportBot = api;
  for (const call of early || []) api.push(call).catch(console.error);
  start();
}
