// Loaded before the page is drawn: light or dark as the console's "Appearance" says, which keeps it under this key.
try {
  document.documentElement.dataset.theme = localStorage.getItem("console-theme") || "auto";
} catch {
  // no storage: the system decides
}
