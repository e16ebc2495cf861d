/* The talk with the coach beyond htmx: it stays at its end, and turns and proposals that are linked to come into sight. The
   transcript beside it has a file of its own, transcript.js. */
(() => {
  "use strict";

  const log = () => document.getElementById("coach-log");

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

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-turn-link]");
    if (link && link.getAttribute("href").startsWith("#")) showPane("show-transcript");
  });

  document.addEventListener("keydown", (event) => {
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
    watchScroll();
    if (!/^#proposal-/.test(location.hash)) followEnd();
    toAddress();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
