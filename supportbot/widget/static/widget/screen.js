/** On a phone the panel is the whole screen: the page behind it rests, and the panel keeps clear of the keyboard. */

const PHONE = matchMedia("(max-width: 480px)");

export class Screen {
  #resting = [];

  constructor(element, panel, changed) {
    this.element = element;
    this.panel = panel;
    this.changed = changed;
    this.fit = () => this.#fit();
    PHONE.addEventListener("change", this.fit);
    if (window.visualViewport) for (const name of ["resize", "scroll"]) visualViewport.addEventListener(name, this.fit);
  }

  get isFull() {
    return PHONE.matches && this.element.layout === "bubble" && !this.panel.hidden;
  }

  #fit() {
    const view = window.visualViewport;
    const { style } = this.panel;
    if (this.isFull && view) {
      style.setProperty("--vv-top", `${view.offsetTop}px`);
      style.setProperty("--vv-height", `${view.height}px`);
    } else for (const name of ["--vv-top", "--vv-height"]) style.removeProperty(name);
    this.#rest(this.isFull);
    this.changed(this.isFull);
  }

  /** Make everything inert that is not on the way from the body to the panel. */
  #rest(isFull) {
    if (isFull === this.#resting.length > 0) return;
    for (const node of this.#resting.splice(0)) node.inert = false;
    if (!isFull) return;
    for (let node = this.element; node.parentElement && node !== document.body; node = node.parentElement)
      for (const other of node.parentElement.children) if (other !== node && !other.inert) this.#resting.push(other);
    for (const node of this.#resting) node.inert = true;
  }

  destroy() {
    PHONE.removeEventListener("change", this.fit);
    if (window.visualViewport) for (const name of ["resize", "scroll"]) visualViewport.removeEventListener(name, this.fit);
    this.#rest(false);
  }
}
