// Sends each form once: a double click would create a row and then show an error instead of its secret.

const AGAIN_AFTER_MS = 3_000; // the server may have been unreachable, or the person may have stopped the request

const sent = new WeakMap();

// On the window, so that it runs after the page's own scripts, which send some forms themselves.
window.addEventListener("submit", (event) => {
  const form = event.target; // its property `method` may be a field of that name
  if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
  if (Date.now() - (sent.get(form) ?? 0) < AGAIN_AFTER_MS) event.preventDefault();
  else sent.set(form, Date.now());
});

// The back button may restore the page in the state in which it was left.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of document.forms) sent.delete(form);
});
