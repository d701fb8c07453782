// Colours and pictures: the browser's colour picker beside a text field, and pictures turned into a small PNG file before
// they are sent, because the server reads no other format.
const MOST_PIXELS = 256;

function startPickers() {
  for (const picker of document.querySelectorAll("[data-colour-of]")) {
    const field = document.getElementById(picker.dataset.colourOf);
    picker.hidden = false;
    picker.addEventListener("input", () => {
      field.value = picker.value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    field.addEventListener("input", () => {
      if (/^#[0-9a-f]{6}$/i.test(field.value)) picker.value = field.value;
    });
  }
}

async function asPng(file) {
  const drawn = await createImageBitmap(file);
  const share = Math.min(1, MOST_PIXELS / Math.max(drawn.width, drawn.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(drawn.width * share));
  canvas.height = Math.max(1, Math.round(drawn.height * share));
  canvas.getContext("2d").drawImage(drawn, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((give) => canvas.toBlob(give, "image/png"));
  return new File([blob], "logo.png", { type: "image/png" });
}

async function replace(input) {
  const [file] = input.files;
  // The server reports what is wrong with a drawing or a file that is not a picture.
  if (!file || file.type === "image/svg+xml") return;
  try {
    const files = new DataTransfer();
    files.items.add(await asPng(file));
    input.files = files.files;
  } catch {
    // Not a picture: the server refuses it with the reason.
  }
}

document.addEventListener("DOMContentLoaded", () => {
  startPickers();
  for (const input of document.querySelectorAll("[data-picture]")) input.addEventListener("change", () => replace(input));
});
