/* The conversation page beyond htmx: chosen turns become chips in the composer, the talk stays at its end, turns that are
   linked to come into sight. Without it the checkboxes beside the turns still belong to the question. */
(() => {
  "use strict";

  const boxes = () => [...document.querySelectorAll('.turn input[name="turn"]')];
  const log = () => document.getElementById("coach-log");

  /* ------------------------------------------------------------- chosen turns */

  function chip(box) {
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "chip chip-on";
    remove.dataset.unpick = box.value;
    remove.textContent = `turn ${box.value} ✕`;
    remove.setAttribute("aria-label", `Turn ${box.value}: do not ask about it`);
    return remove;
  }

  function showPicked() {
    const place = document.getElementById("picked");
    if (!place) return;
    const chosen = boxes().filter((box) => box.checked);
    place.replaceChildren(...chosen.map(chip));
    place.hidden = !chosen.length;
  }

  function unpick(number) {
    const box = boxes().find((one) => one.value === number);
    if (box) box.checked = false;
    showPicked();
    const next = document.querySelector("[data-unpick]") ?? document.getElementById("question");
    next?.focus();
  }

  /* A click on the words of a turn chooses it; marking words, links and folded parts keep their own meaning. */
  function clickedTurn(event) {
    const turn = event.target.closest(".turn");
    if (!turn || event.target.closest("a, label, input, summary, details, button")) return;
    if (!window.getSelection().isCollapsed) return;
    const box = turn.querySelector('input[name="turn"]');
    if (!box) return;
    box.checked = !box.checked;
    showPicked();
  }

  /* Arrow keys walk from turn to turn while a checkbox has the focus; Space chooses, as everywhere. */
  function walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !event.target.matches('.turn input[name="turn"]')) return;
    const all = boxes();
    const next = all[all.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.closest(".turn").scrollIntoView({ block: "nearest" });
  }

  /* ---------------------------------------------------------------- the talk */

  let atEnd = true;

  function followEnd() {
    const talk = log();
    if (talk && atEnd) talk.scrollTop = talk.scrollHeight;
  }

  function watchScroll() {
    log()?.addEventListener("scroll", ({ target }) => {
      atEnd = target.scrollHeight - target.scrollTop - target.clientHeight < 40;
    });
  }

  function showPane(id) {
    const choice = document.getElementById(id);
    if (choice) choice.checked = true;
  }

  function toAddress() {
    if (location.hash.startsWith("#turn-")) showPane("show-transcript");
    if (/^#(coach|proposal-)/.test(location.hash)) showPane("show-coach");
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && location.hash !== "#coach") target.scrollIntoView({ block: "center" });
  }

  /* ------------------------------------------------------------------ events */

  document.addEventListener("change", ({ target }) => {
    if (target.matches('.turn input[name="turn"]')) showPicked();
  });

  document.addEventListener("click", (event) => {
    const unpicked = event.target.closest("[data-unpick]");
    if (unpicked) unpick(unpicked.dataset.unpick);
    else clickedTurn(event);
    const link = event.target.closest("[data-turn-link]");
    if (link && link.getAttribute("href").startsWith("#")) showPane("show-transcript");
  });

  document.addEventListener("keydown", (event) => {
    walk(event);
    if (event.target.id === "question" && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  });

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    const target = ctx?.target;
    if (target?.id === "coach") {
      watchScroll();
      atEnd = true;
      showPicked();
      document.getElementById("question")?.focus({ preventScroll: true });
    }
    followEnd();
    /* A decision that was not possible says why at the head of its card, which may be out of sight. */
    const card = target?.id?.startsWith("proposal-") && document.getElementById(target.id);
    card?.querySelector?.('[role="alert"]')?.scrollIntoView({ block: "center" });
  });

  document.addEventListener("talk:grew", followEnd);
  window.addEventListener("hashchange", toAddress);

  function ready() {
    showPicked();
    watchScroll();
    if (!/^#proposal-/.test(location.hash)) followEnd();
    toAddress();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
