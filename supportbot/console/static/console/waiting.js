// Says what the server is doing after a button that takes seconds (`data-waiting`), where the page has room for it
// (`data-waiting-here`). Until the server has answered, nothing is submitted twice.

// A request that the person has stopped is never answered, and the page is not told. Gates take up to a minute.
const LONGEST_MS = 90_000;

let isWaiting = false;
let longest;

document.addEventListener("submit", (event) => {
  if (isWaiting) return event.preventDefault();
  const words = event.submitter?.dataset.waiting;
  if (!words || event.defaultPrevented) return;
  isWaiting = true;
  const here = document.querySelector("[data-waiting-here]");
  here.textContent = words;
  here.setAttribute("aria-busy", "true");
  longest = setTimeout(waitNoLonger, LONGEST_MS);
});

// The page may come back as it was left.
window.addEventListener("pageshow", (event) => {
  if (event.persisted && isWaiting) waitNoLonger();
});

function waitNoLonger() {
  clearTimeout(longest);
  isWaiting = false;
  const here = document.querySelector("[data-waiting-here]");
  here.textContent = "";
  here.removeAttribute("aria-busy");
}
