/** On a phone the panel fills the screen: it is modal, and keeps clear of the keyboard. */

const PHONE = matchMedia("(max-width: 480px)");

/**
 * Return a function that opens or closes the panel in the way that fits the screen. The panel adapts when the screen
 * changes.
 * @param {HTMLElement} element
 * @param {HTMLDialogElement} panel
 * @param {AbortSignal} signal
 */
export function fitPanel(element, panel, signal) {
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
