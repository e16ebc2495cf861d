/* The queue by keyboard: j and k move, a approves, e edits, r rejects, d turns the diff, n goes to the next change. Single
   keys can be switched off, for they get in the way of speech input; the choice is kept in this browser. */
(() => {
  "use strict";

  const OFF = "touchline-keys-off";
  const isOff = () => localStorage.getItem(OFF) === "1";

  function move(step) {
    const works = [...document.querySelectorAll("a.work")];
    if (!works.length) return;
    const open = works.findIndex((one) => one.hasAttribute("aria-current"));
    const next = works[open < 0 ? 0 : open + step];
    if (next) next.click();
  }

  function nextChange() {
    const rows = [...document.querySelectorAll("tr.diff-add, tr.diff-del, .diff-side tr:has(.diff-add, .diff-del), .diff-words ins, .diff-words del")];
    const starts = rows.filter((row) => !rows.includes(row.previousElementSibling));
    if (!starts.length) return;
    const line = document.querySelector(".topbar").offsetHeight + 24;
    const next = starts.find((row) => row.getBoundingClientRect().top > line + 8) ?? starts[0];
    window.scrollBy({ top: next.getBoundingClientRect().top - line });
  }

  function press(key) {
    const control = document.querySelector(`[data-key="${key}"]`);
    if (!control) return;
    control.click();
    control.closest("details")?.querySelector("textarea")?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (isOff() || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const act = {
      j: () => move(1),
      k: () => move(-1),
      n: () => press("n"),
      d: () => press("d"),
      a: () => press("a"),
      e: () => press("e"),
      r: () => press("r"),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  document.addEventListener("click", ({ target }) => {
    if (target.closest('button[data-key="n"]')) nextChange();
  });

  function ready() {
    for (const button of document.querySelectorAll('button[data-key="n"]')) button.hidden = false;
    const box = document.getElementById("keys-off");
    if (box) {
      box.checked = isOff();
      box.addEventListener("change", () => localStorage.setItem(OFF, box.checked ? "1" : ""));
    }
    document.querySelector("a.work[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
