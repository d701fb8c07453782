// The help pages' scripts: the chat beside the page, and the assistant's answer above search results. Without scripts,
// the buttons open the chat's own page, and a search shows only its results.

for (const link of document.querySelectorAll("a[data-chat]")) {
  link.addEventListener("click", (event) => {
    const chat = window.SupportBot;
    if (!chat?.version || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    chat.open();
    if (link.dataset.chat === "person") chat.requestHuman();
  });
}

const place = document.querySelector("[data-answer]");
if (place) {
  place.hidden = false;
  fetch(place.dataset.answer, { headers: { Accept: "text/html" } })
    .then((response) => (response.status === 200 ? response.text() : ""))
    .catch(() => "")
    .then((html) => {
      place.hidden = !html;
      place.innerHTML = html; // rendered and escaped by the server
    });
}
