// Alerts: a sound and desktop notifications, both off by default, and the count in the page title.
//
// An agent may have several pages of the desk open, and each of them gets every change. With the browser's locks, which
// exist only on https and on localhost, one page plays the sound, and none shows notifications while another one is
// visible.

import { byId } from "./dom.js";
import { setting } from "./settings.js";
import { gettext } from "./text.js";

const TONE_SECONDS = 0.5;
const TONE_INTERVAL = 4_000;
const START_LIMIT = 300;
const SOUNDING = "desk:sounding";
const VISIBLE = "desk:visible";

export class Alerts {
  constructor() {
    this.title = document.title.replace(/^\(\d+\) /, "");
    document.addEventListener("visibilitychange", holdWhileVisible);
    holdWhileVisible();
  }

  badge(waiting) {
    document.title = waiting ? `(${waiting}) ${this.title}` : this.title;
  }

  /** Alert the agent: with at most one sound every few seconds, and only the newest notification of each ticket. */
  notify(text, ticket) {
    if (setting("sound")) this.#sound();
    if (setting("notify") && document.hidden && isAllowed()) this.#showUnlessVisible(text, ticket);
  }

  /** Ask for the browser's permission when the agent turns notifications on; undo the choice if it is denied. */
  async changed(name, box) {
    if (name === "sound" && box.checked && (await this.#hasSound())) this.#tone();
    if (name !== "notify" || !box.checked) return;
    if ("Notification" in window) await Notification.requestPermission();
    this.showBlocked();
    if (!box.checked) localStorage.setItem("desk:notify", "no");
  }

  /** Show whether the browser blocks the notifications that the agent has turned on, perhaps long ago. */
  showBlocked() {
    const box = document.querySelector("[data-setting=notify]");
    if (!box) return;
    const isBlocked = box.checked && !isAllowed();
    byId("notify-state").textContent = isBlocked ? gettext("Your browser blocks notifications from this page.") : "";
    if (isBlocked) box.checked = false;
  }

  async #showUnlessVisible(text, ticket) {
    const { held = [] } = (await navigator.locks?.query()) ?? {};
    if (!held.some(({ name }) => name === VISIBLE)) this.#showNotification(text, ticket);
  }

  #showNotification(text, ticket) {
    const notification = new Notification(gettext("Desk"), { body: text, tag: ticket });
    notification.addEventListener("click", () => {
      window.focus();
      location.assign(`${document.body.dataset.desk}tickets/${ticket}/`);
    });
  }

  async #sound() {
    if (!(await this.#hasSound())) return; // leave it to a page that can play sounds
    if (!navigator.locks) this.#toneOnceInAWhile();
    else await navigator.locks.request(SOUNDING, { ifAvailable: true }, (lock) => lock && this.#toneOnceInAWhile());
  }

  /** Return whether the browser plays sounds of this page: it does not until the agent clicks or types in it. */
  async #hasSound() {
    this.sound ??= new AudioContext();
    // Until then, `resume` does not settle. A tone started in the meantime would be heard much later.
    await Promise.race([this.sound.resume(), pause(START_LIMIT)]);
    return this.sound.state === "running";
  }

  async #toneOnceInAWhile() {
    if (Date.now() - (this.soundedAt ?? 0) < TONE_INTERVAL) return;
    this.soundedAt = Date.now();
    this.#tone();
    await pause(TONE_INTERVAL);
  }

  #tone() {
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

function isAllowed() {
  return "Notification" in window && Notification.permission === "granted";
}

/** Hold a lock that other pages of the desk can see, until this page is hidden; closing the page releases it, too. */
function holdWhileVisible() {
  if (document.hidden) return;
  navigator.locks?.request(VISIBLE, { mode: "shared" }, () => document.hidden || hidden());
}

function hidden() {
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
