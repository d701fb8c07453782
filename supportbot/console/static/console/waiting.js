// Says what the server is doing after a button that takes seconds (`data-waiting`), where the page has room for it
// (`data-waiting-here`). Until the server has answered, nothing is submitted twice.

let isWaiting = false;

document.addEventListener("submit", (event) => {
  if (isWaiting) return event.preventDefault();
  const words = event.submitter?.dataset.waiting;
  if (!words || event.defaultPrevented) return;
  isWaiting = true;
  const here = document.querySelector("[data-waiting-here]");
  here.textContent = words;
  here.setAttribute("aria-busy", "true");
});

// The page may come back as it was left.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted || !isWaiting) return;
  isWaiting = false;
  const here = document.querySelector("[data-waiting-here]");
  here.textContent = "";
  here.removeAttribute("aria-busy");
});
