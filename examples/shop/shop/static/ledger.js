// Keeps the ledger up to date: asks for the same page again and takes over the parts marked data-live.
// The page is read as a document by XMLHttpRequest: the security policy leaves no way to make elements from text, and
// a second rendering in script would drift from the template. Focus, forms and an open chat stay as they are.
"use strict";
{
  const EVERY_MILLISECONDS = 2000;
  const pulse = document.getElementById("pulse");

  function takeOver(fresh) {
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other && other.textContent !== part.textContent) part.replaceChildren(...other.childNodes);
    }
  }

  function tell(words) {
    if (pulse.textContent !== words) pulse.textContent = words;
  }

  function ask() {
    if (document.hidden) return again();
    const request = new XMLHttpRequest();
    request.open("GET", "/ledger");
    request.responseType = "document";
    request.timeout = 10_000;
    request.onload = () => {
      if (request.status === 200 && request.response) takeOver(request.response);
      tell(request.status === 200 ? pulse.dataset.fresh : pulse.dataset.lost);
    };
    request.onerror = request.ontimeout = () => tell(pulse.dataset.lost);
    request.onloadend = again;
    request.send();
  }

  function again() {
    setTimeout(ask, EVERY_MILLISECONDS);
  }

  tell(pulse.dataset.fresh);
  again();
}
