// Reloads the page of a request that is being carried out once it has moved on.

import { fetchPage } from "./refresh.js";

const FIRST = 1000;
const LONGEST = 15000;

export function followRequest() {
  const shown = document.querySelector("[data-carried-out]")?.dataset.carriedOut;
  if (shown) setTimeout(check, FIRST, shown, FIRST);
}

/** Nothing can be typed on such a page, so reloading it loses nothing. */
async function check(shown, delay) {
  const text = await fetchPage();
  const section = new DOMParser().parseFromString(text, "text/html").getElementById("case");
  if (section && section.dataset.carriedOut !== shown) return location.replace(location.pathname);
  const next = Math.min(delay * 1.5, LONGEST);
  setTimeout(check, next, shown, next);
}
