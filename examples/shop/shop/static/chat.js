// Tells the chat who is signed in here, and tells the reader if the chat is unavailable.
"use strict";
{
  document.documentElement.classList.add("scripted");
  const { customer, csrf, tokenUrl } = document.currentScript.dataset;
  const LAST_CUSTOMER = "wrenfell.customer";
  const PATIENCE_MILLISECONDS = 8000;
  // An array until the widget has loaded, which then processes the queued calls; a call may be refused later.
  const chat = (...call) => Promise.resolve((window.SupportBot ??= []).push(call)).catch((error) => console.warn(error));

  // Requested again whenever the chat needs a fresh one; the answer depends only on the session.
  async function getToken() {
    const answer = await fetch(tokenUrl, { method: "POST", headers: { "X-CSRFToken": csrf } });
    if (!answer.ok) throw new Error(`No token: ${answer.status}`);
    return (await answer.json()).token;
  }

  // A customer who was signed in before must leave nothing in the chat, however they signed out.
  if ((localStorage.getItem(LAST_CUSTOMER) ?? "") !== customer) chat("logout");
  localStorage.setItem(LAST_CUSTOMER, customer);
  if (customer) chat("identify", { getToken });

  function show(isThere) {
    const words = document.getElementById("chat-away");
    if (words) words.hidden = isThere;
    document.documentElement.classList.toggle("with-chat", isThere);
  }

  function noteWidget(isThere) {
    const whenParsed = () => show(isThere);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", whenParsed, { once: true });
    else whenParsed();
  }

  // Neither event bubbles, and `load` never reaches the window, so both are caught in the document's capture phase.
  const isWidget = (event) => event.target instanceof HTMLScriptElement && "channel" in event.target.dataset;
  const silence = setTimeout(() => noteWidget(false), PATIENCE_MILLISECONDS);
  for (const kind of ["load", "error"])
    document.addEventListener(kind, (event) => {
      if (!isWidget(event)) return;
      clearTimeout(silence);
      noteWidget(kind === "load");
    }, true);

  addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-say]");
    if (!button) return;
    chat("prefill", button.dataset.say);
    chat("open");
  });
}
