// Keep the page up to date while somebody looks at it: fetch it again and put its main part in place of the old one.
const EVERY_MS = 3000;

const focusable = "a[href], summary, [tabindex]";

function kept(main) {
  return {
    open: [...main.querySelectorAll("details")].map((details) => details.open),
    focus: [...main.querySelectorAll(focusable)].indexOf(document.activeElement),
    scroll: [...main.querySelectorAll(".scroll")].map((box) => box.scrollLeft),
  };
}

function restore(main, state) {
  main.querySelectorAll("details").forEach((details, i) => { details.open = state.open[i] ?? details.open; });
  main.querySelectorAll(".scroll").forEach((box, i) => { box.scrollLeft = state.scroll[i] ?? 0; });
  main.querySelectorAll(focusable)[state.focus]?.focus({ preventScroll: true });
}

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["main", "footer"]) {
    const old = document.querySelector(part), wanted = fresh.querySelector(part);
    if (old.innerHTML === wanted.innerHTML) continue;
    const state = kept(old);
    old.replaceWith(wanted);
    restore(wanted, state);
  }
  document.title = fresh.title;
  const status = document.querySelector("[role=status]"), now = fresh.querySelector("[role=status]").textContent;
  if (status.textContent !== now) status.textContent = now;  // only what is news is read out
}

setInterval(() => refresh().catch(() => { /* the service restarts: the next attempt shows it again */ }), EVERY_MS);
