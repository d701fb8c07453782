// The preview of a chat next to its form: drawn by the server from what is typed, a moment after the last keystroke.
const preview = document.getElementById("studio");
const form = preview?.closest(".form-cols").querySelector("form.sheet");
let timer;
let turn = 0;

// The pages' policy allows no style attributes; scripts may set properties.
function paint() {
  const chat = preview.querySelector("[data-colours]");
  if (!chat) return;
  for (const [name, value] of Object.entries(JSON.parse(chat.dataset.colours))) chat.style.setProperty(`--${name}`, value);
}

async function draw() {
  const mine = ++turn;
  const typed = new FormData(form);
  try {
    const response = await fetch(preview.dataset.from, { method: "POST", body: typed });
    const html = response.ok ? await response.text() : "";
    if (!html || mine !== turn) return; // a newer text is on its way
    preview.innerHTML = html; // rendered and escaped by the server
    paint();
  } catch {
    // The last preview stays.
  }
}

if (form) {
  paint();
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(draw, 250);
  });
}
