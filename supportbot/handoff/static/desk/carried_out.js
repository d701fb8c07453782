// Reopens the page of a request that is being carried out, once the request has moved on.

import { fetchPage } from "./refresh.js";

const FIRST = 1000;
const LONGEST = 15000;

export function followRequest() {
  const section = document.querySelector("[data-carried-out]");
  if (section) setTimeout(check, FIRST, section.dataset, FIRST);
}

/**
 * Nothing can be typed on such a page, so loading it again loses nothing. While a link or button has the focus, the
 * page stays, because the agent may be about to press it. The page is not read from its current address: after a
 * decision that came too late, that is the address of the form, which cannot be read.
 */
async function check({ carriedOut, address }, delay) {
  const text = await fetchPage(address);
  const section = new DOMParser().parseFromString(text, "text/html").getElementById("case");
  const isOver = section && section.dataset.carriedOut !== carriedOut;
  if (isOver && !document.activeElement?.matches("a, button, summary")) return location.replace(address);
  const next = Math.min(delay * 1.5, LONGEST);
  setTimeout(check, next, { carriedOut, address }, next);
}
