// Alerts: a sound and a desktop notification, both off by default, and the count in the page title.

import { byId } from "./dom.js";
import { setting } from "./settings.js";
import { gettext } from "./text.js";

const TONE_SECONDS = 0.5;
const MIN_INTERVAL = 4_000;

export class Alerts {
  constructor() {
    this.title = document.title.replace(/^\(\d+\) /, "");
  }

  badge(waiting) {
    document.title = waiting ? `(${waiting}) ${this.title}` : this.title;
  }

  /** Alert the agent, at most once every few seconds. */
  notify(text, ticket) {
    if (Date.now() - (this.notifiedAt ?? 0) < MIN_INTERVAL) return;
    this.notifiedAt = Date.now();
    if (setting("sound")) this.#tone();
    if (setting("notify") && document.hidden && Notification.permission === "granted") this.#showNotification(text, ticket);
  }

  /** Ask for the browser's permission when the agent turns notifications on; undo the choice if it is denied. */
  async changed(name, box) {
    if (name === "sound" && box.checked) this.#tone();
    if (name !== "notify" || !box.checked) return;
    const isAllowed = "Notification" in window && (await Notification.requestPermission()) === "granted";
    byId("notify-state").textContent = isAllowed ? "" : gettext("Your browser blocks notifications from this page.");
    if (isAllowed) return;
    box.checked = false;
    localStorage.setItem("desk:notify", "no");
  }

  #showNotification(text, ticket) {
    const notification = new Notification(gettext("Desk"), { body: text, tag: ticket });
    notification.addEventListener("click", () => {
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
