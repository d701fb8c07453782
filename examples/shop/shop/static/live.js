// Keeps a page up to date by requesting it again and replacing the parts marked data-live: the ledger every two
// seconds, and the orders when an action in the chat has ended. The page is read as a document by XMLHttpRequest,
// because the security policy does not allow creating elements from text, and rendering in script would drift from the
// template. Focus, forms and an open chat are not affected.
"use strict";
{
  const everyMilliseconds = Number(document.currentScript.dataset.every);
  const pulse = document.getElementById("pulse");

  function takeOver(fresh) {
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other && other.textContent !== part.textContent) part.replaceChildren(...other.childNodes);
    }
  }

  function tell(isAnswered) {
    const words = isAnswered ? pulse?.dataset.fresh : pulse?.dataset.lost;
    if (pulse && pulse.textContent !== words) pulse.textContent = words;
  }

  function ask() {
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname);
    request.responseType = "document";
    request.timeout = 10_000;
    request.onload = () => {
      if (request.status === 200 && request.response) takeOver(request.response);
      tell(request.status === 200);
    };
    request.onerror = request.ontimeout = () => tell(false);
    request.onloadend = again;
    request.send();
  }

  function again() {
    if (everyMilliseconds) setTimeout(() => (document.hidden ? again() : ask()), everyMilliseconds);
  }

  document.addEventListener("supportbot:action:result", ask);
  tell(true);
  again();
}
