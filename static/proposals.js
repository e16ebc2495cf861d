/* The queue by keyboard: j and k move, a approves, e edits, r rejects, d turns the diff, n goes to the next change
   (proposal.js). Single
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

  function ready() {
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
