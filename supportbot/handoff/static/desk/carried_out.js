// Reopens the page of a request that is being carried out, once the request has moved on.

import { fetchPage } from "./refresh.js";

const FIRST = 1000;
const LONGEST = 15000;

export function followRequest() {
  const section = document.querySelector("[data-carried-out]");
  if (section) setTimeout(check, FIRST, section.dataset, FIRST);
}

/**
 * Nothing can be typed on such a page, so loading it again loses nothing; a link or button that is focused may be pressed
 * next, so it stays until the focus has moved on. A decision that came too late is answered at the form's address, which
 * cannot be read.
 */
async function check({ carriedOut, address }, delay) {
  const text = await fetchPage(address);
  const section = new DOMParser().parseFromString(text, "text/html").getElementById("case");
  const isOver = section && section.dataset.carriedOut !== carriedOut;
  if (isOver && !document.activeElement?.matches("a, button, summary")) return location.replace(address);
  const next = Math.min(delay * 1.5, LONGEST);
  setTimeout(check, next, { carriedOut, address }, next);
}
