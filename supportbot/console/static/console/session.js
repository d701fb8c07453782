// Before a form is sent from a page that has been open for a while, or whose tab was left, this script checks whether
// the person is still logged in, and still in the workspace of this page. Otherwise, what they typed would be lost, or
// saved in another workspace or under another name.
// If not, the form stays as it is, and a notice says what to do.
//
// The answer also has the token that forms need: after logging in again in another tab, the old one is void.

const VALID_MS = 60_000;
const PATIENCE_MS = 10_000;

const frame = document.getElementById("session"); // a template with the notices
const pending = new WeakSet();
const checked = new WeakSet();
let checkedAt = performance.now(); // the page itself was sent to somebody who is logged in
let notice;

const doubt = () => (checkedAt = -VALID_MS);
window.addEventListener("focus", doubt);
window.addEventListener("pageshow", (event) => event.persisted && doubt());
document.addEventListener("visibilitychange", doubt);

// Before all other listeners: the page's own scripts see only forms that are really sent.
window.addEventListener("submit", (event) => {
  const form = event.target; // its property `method` may be a field of that name
  if (performance.now() - checkedAt < VALID_MS || !form.matches(frame.dataset.forms) || form.closest("nav") || checked.delete(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!pending.has(form)) check(form, event.submitter);
}, true);

async function check(form, submitter) {
  pending.add(form);
  const problem = await problemNow();
  pending.delete(form);
  tell(problem);
  if (problem) return;
  checked.add(form);
  form.requestSubmit(submitter);
}

async function problemNow() {
  try {
    const answer = await fetch(frame.dataset.check, {
      headers: { Accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) return ""; // the form's own answer will say what is wrong
    const { user, workspace, token } = await answer.json();
    if (!user) return "ended";
    if (user !== frame.dataset.user) return "another";
    if (workspace !== frame.dataset.workspace) return "elsewhere";
    for (const field of document.getElementsByName("csrfmiddlewaretoken")) field.value = token;
    checkedAt = performance.now();
    return "";
  } catch {
    return "unreachable";
  }
}

function tell(problem) {
  notice?.remove();
  if (!problem) return;
  notice = frame.content.querySelector(`[data-problem=${problem}]`).cloneNode(true);
  document.querySelector(frame.dataset.before).before(notice);
  notice.scrollIntoView({ block: "nearest" });
}
