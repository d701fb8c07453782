// Fills in the browser's time zone where the form still has its default.
const field = document.querySelector("input[data-zone]");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (field && own && field.value === field.dataset.zone) {
  const known = [...document.getElementById(field.getAttribute("list")).options].some((option) => option.value === own);
  if (known) field.value = own;
}
