// Reloads a page that shows work under way, until somebody types into it.

const EVERY_MS = 4000;

const timer = setInterval(() => {
  if (!document.hidden) location.reload();
}, EVERY_MS);
document.addEventListener("input", () => clearInterval(timer));
