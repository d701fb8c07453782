// Each agent's settings for this browser.

const DEFAULTS = { letters: true, sound: false, notify: false };

export function setting(name) {
  const stored = localStorage.getItem(`desk:${name}`);
  return stored === null ? DEFAULTS[name] : stored === "yes";
}

/** Connect every switch of the page to its setting; `changed` is called on each change. */
export function initSettings(changed) {
  for (const box of document.querySelectorAll("[data-setting]")) {
    box.checked = setting(box.dataset.setting);
    box.addEventListener("change", async () => {
      localStorage.setItem(`desk:${box.dataset.setting}`, box.checked ? "yes" : "no");
      await changed(box.dataset.setting, box);
    });
  }
}
