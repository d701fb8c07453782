// After a click on a slow button, shows its `data-waiting` text (what the server is doing) in the page's
// `data-waiting-here` element. Until the server has answered, nothing is submitted twice.

// If the person stops the request, no response arrives and the page is not notified. Gates take up to a minute.
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

// The back button may restore the page in the state in which it was left.
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
