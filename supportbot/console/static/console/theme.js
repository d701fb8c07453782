// Loaded before the page is drawn, so that a dark page does not flash white first.
// It also makes the workspace switch act at once, selects all rows on a page of a list, and scrolls the navigation to
// the current entry.

const KEY = "console-theme";

function stored() {
  try {
    return localStorage.getItem(KEY) || "auto";
  } catch {
    return "auto"; // storage is switched off: the system decides
  }
}

function apply(theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-to]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeTo === theme));
  }
}

function choose(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // storage is switched off: the choice lasts until the page is left
  }
  apply(theme);
}

apply(stored());

document.addEventListener("DOMContentLoaded", () => {
  const themes = document.querySelector(".theme");
  if (themes) themes.hidden = false;
  apply(stored());
  for (const button of document.querySelectorAll("[data-theme-to]")) {
    button.addEventListener("click", () => choose(button.dataset.themeTo));
  }
  const here = document.querySelector(".rail a[aria-current]");
  const scrolling = [here?.closest(".links"), here?.closest(".rail")].find((box) => box?.scrollHeight > box?.clientHeight);
  // Not scrollIntoView: it would scroll the page too.
  if (scrolling) {
    const beyond = here.getBoundingClientRect().bottom - scrolling.getBoundingClientRect().bottom;
    scrolling.scrollTop += Math.max(0, beyond + 28);
  }
  const all = document.querySelector("[data-tick-all]");
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of document.querySelectorAll(".action-select")) box.checked = all.checked;
    });
  }
  for (const select of document.querySelectorAll("select[data-submit]")) {
    select.form.classList.add("scripted");
    select.addEventListener("change", () => select.form.requestSubmit());
  }
});
