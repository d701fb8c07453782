/** On a phone the panel is the whole screen: the page behind it rests, and the panel keeps clear of the keyboard. */

const PHONE = matchMedia("(max-width: 480px)");

/**
 * Return a function that opens or closes the panel, in the way that fits the screen; it goes on fitting by itself.
 * @param {HTMLElement} element
 * @param {HTMLDialogElement} panel
 * @param {AbortSignal} signal
 */
export function fitting(element, panel, signal) {
  const view = window.visualViewport;
  const fit = (isOpen = panel.open) => {
    panel.close();
    if (isOpen && PHONE.matches && element.layout === "bubble") panel.showModal();
    else panel.open = isOpen;
  };
  const follow = () => {
    panel.style.setProperty("--top", `${view.offsetTop}px`);
    panel.style.setProperty("--high", `${view.height}px`);
  };
  for (const name of ["resize", "scroll"]) view.addEventListener(name, follow, { signal });
  PHONE.addEventListener("change", () => fit(), { signal });
  follow();
  return fit;
}
