// Reloads a page that shows work under way, until somebody types into it or sends a form: a reload would cut off the
// server's response.

const EVERY_MS = 4000;

const timer = setInterval(() => {
  if (!document.hidden) location.reload();
}, EVERY_MS);
document.addEventListener("input", () => clearInterval(timer));
document.addEventListener("submit", () => clearInterval(timer));
