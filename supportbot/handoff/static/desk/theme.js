// Loaded before the page is drawn: applies the theme that the console's "Appearance" stores under this key.
try {
  document.documentElement.dataset.theme = localStorage.getItem("console-theme") || "auto";
} catch {
  // no storage: follow the system
}
