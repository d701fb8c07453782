// Being called: a tone and a notice of the computer, both off until asked for, and the number in the title.

import { byId } from "./dom.js";
import { setting } from "./settings.js";

const TONE_SECONDS = 0.5;
const QUIET_FOR = 4_000;

export class Alerts {
  constructor() {
    this.title = document.title.replace(/^\(\d+\) /, "");
  }

  badge(waiting) {
    document.title = waiting ? `(${waiting}) ${this.title}` : this.title;
  }

  /** Call the agent, at most every few seconds, however many come at once. */
  ring(words, ticket) {
    if (Date.now() - (this.rangAt ?? 0) < QUIET_FOR) return;
    this.rangAt = Date.now();
    if (setting("sound")) this.#tone();
    if (setting("notify") && document.hidden && Notification.permission === "granted") this.#notice(words, ticket);
  }

  /** Ask the browser's permission, on the agent's own click; undo the choice if it is refused. */
  async changed(name, box) {
    if (name === "sound" && box.checked) this.#tone();
    if (name !== "notify" || !box.checked) return;
    const isAllowed = "Notification" in window && (await Notification.requestPermission()) === "granted";
    byId("notify-state").textContent = isAllowed ? "" : "This browser does not allow notices for this page.";
    if (isAllowed) return;
    box.checked = false;
    localStorage.setItem("desk:notify", "no");
  }

  #notice(words, ticket) {
    const notice = new Notification("Desk", { body: words, tag: ticket });
    notice.addEventListener("click", () => {
      window.focus();
      location.assign(`${document.body.dataset.desk}tickets/${ticket}/`);
    });
  }

  #tone() {
    this.sound ??= new AudioContext();
    const { currentTime: now } = this.sound;
    const [tone, volume] = [this.sound.createOscillator(), this.sound.createGain()];
    tone.frequency.value = 660;
    volume.gain.setValueAtTime(0.08, now);
    volume.gain.exponentialRampToValueAtTime(0.001, now + TONE_SECONDS);
    tone.connect(volume).connect(this.sound.destination);
    tone.start(now);
    tone.stop(now + TONE_SECONDS);
  }
}
