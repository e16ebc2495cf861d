/* The queue by keyboard: j and k move, a approves, e edits, r rejects, d turns the diff, n goes to the next change
   (proposal.js), x chooses, c decides on those chosen, / searches, ? lists the keys. Single keys can be switched off, for they
   get in the way of speech input; the choice is kept in this browser. What is ticked to be decided together is kept in this tab
   while its list is shown. */
(() => {
  "use strict";

  const OFF = "touchline-keys-off";
  const CHOSEN = "touchline-chosen";
  const TYPED_IN = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
  const isOff = () => localStorage.getItem(OFF) === "1";
  const ticks = () => [...document.querySelectorAll('.tick input[name="chosen"]')];

  /* -------------------------------------------------------------------- keys */

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

  function focus(key) {
    const field = document.querySelector(`[data-key="${key}"]`);
    field?.focus();
    field?.select();
  }

  /* The open proposal, or the one in the list that has the focus. */
  function choose() {
    const row = document.activeElement.closest(".work-row") ?? document.querySelector("a.work[aria-current]")?.closest(".work-row");
    row?.querySelector(".tick input:not(:disabled)")?.click();
  }

  function showKeys() {
    const list = document.getElementById("keys-list");
    if (list && !list.open) list.showModal(); // Escape closes it, and the focus goes back to where it was
  }

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    n: () => press("n"),
    d: () => press("d"),
    a: () => press("a"),
    e: () => press("e"),
    r: () => press("r"),
    c: () => ticks().some((one) => one.checked) && press("c"),
    x: choose,
    "/": () => focus("/"),
    "?": showKeys,
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.closest(".tick")) event.preventDefault(); // it would send the form
    if (isOff() || event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest(TYPED_IN) || document.querySelector("dialog[open]")) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  /* ---------------------------------------------------- several at one time */

  /* Those of another type than the first that was ticked cannot be ticked any more; the bar says how many are. */
  function count() {
    const form = document.getElementById("together");
    if (!form) return;
    const chosen = ticks().filter((one) => one.checked);
    const type = chosen[0]?.dataset.type;
    for (const one of ticks()) one.disabled = Boolean(type) && one.dataset.type !== type;
    form.toggleAttribute("data-chosen", chosen.length > 0);
    form.querySelector("[data-clear]").hidden = !chosen.length;
    if (chosen.length) document.getElementById("together-said").textContent = `${chosen.length} chosen`;
    for (const many of form.querySelectorAll("[data-many]")) many.textContent = `${many.dataset.many} ${chosen.length}`;
    sessionStorage.setItem(CHOSEN, JSON.stringify(chosen.map((one) => one.value)));
  }

  document.addEventListener("change", ({ target }) => {
    if (target.closest(".tick")) count();
    if (target.matches("[data-keys-off]")) {
      localStorage.setItem(OFF, target.checked ? "1" : "");
      showSwitch();
    }
  });

  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-keys-list]")) showKeys();
    if (target.closest("[data-clear]")) {
      for (const one of ticks()) one.checked = false;
      count();
      document.querySelector("a.work[aria-current], a.work")?.focus();
    }
  });

  /* ------------------------------------------------------------------- start */

  function showSwitch() {
    for (const box of document.querySelectorAll("[data-keys-off]")) box.checked = isOff();
  }

  function ready() {
    for (const button of document.querySelectorAll("[data-keys-list]")) button.hidden = false;
    showSwitch();
    if (document.getElementById("outcome-title")) sessionStorage.removeItem(CHOSEN);
    const kept = JSON.parse(sessionStorage.getItem(CHOSEN) ?? "[]");
    for (const one of ticks()) if (kept.includes(one.value)) one.checked = true;
    count();
    document.querySelector("a.work[aria-current]")?.scrollIntoView({ block: "nearest" });
    document.getElementById("together-title")?.focus();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
