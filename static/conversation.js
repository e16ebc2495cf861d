/* The talk with the coach beyond htmx: it stays at its end, and turns and proposals that are linked to come into sight. The
   transcript beside it has a file of its own, transcript.js. */
(() => {
  "use strict";

  const log = () => document.getElementById("coach-log");

  /* ---------------------------------------------------------------- the talk */

  const NEAR = 40; // pixels from the end that still count as there
  let atEnd = true;
  let scrolledTo = 0; // where what scrolls the talk was moved to, or told that it was moved to
  let transcriptAt = 0; // where the page stood when the transcript gave way to the coach on a narrow screen

  /* What scrolls the talk: its log beside the transcript; the page itself where the coach has all of its width. Null where the
     talk is hidden or has not begun. */
  function scroller() {
    const talk = log();
    if (!talk?.getClientRects().length || !talk.querySelector(".exchange")) return null;
    return getComputedStyle(talk.closest(".coach")).position === "sticky" ? talk : document.scrollingElement;
  }

  function followEnd() {
    const place = atEnd && scroller();
    if (!place) return;
    place.scrollTop = place.scrollHeight;
    scrolledTo = place.scrollTop;
  }

  function watchEnd({ target }) {
    const place = scroller();
    if (!place || place !== (target === document ? document.scrollingElement : target)) return;
    // Who goes up leaves the end. What grew since the talk was moved to its end, before that is told here, does not.
    const wentUp = place.scrollTop < scrolledTo;
    scrolledTo = place.scrollTop;
    if (place.scrollHeight - place.scrollTop - place.clientHeight < NEAR) atEnd = true;
    else if (wentUp) atEnd = false;
  }

  document.addEventListener("scroll", watchEnd, { capture: true, passive: true });

  /* Each of the two panes of a narrow screen keeps its place; the coach's begins at its end. */
  document.addEventListener("change", ({ target }) => {
    if (target.name !== "pane") return;
    const page = document.scrollingElement;
    if (target.id === "show-coach") {
      transcriptAt = page.scrollTop;
      atEnd = true;
      followEnd();
    } else page.scrollTop = transcriptAt;
  });

  /* The second click of a double click would ask the same again: the first has been answered with a new panel by then. */
  document.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest(".quick-prompts button")) event.preventDefault();
  });

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
      atEnd = true;
      document.getElementById("question")?.focus({ preventScroll: true });
    }
    followEnd();
    /* A decision that was not possible says why at the head of its card, which may be out of sight. */
    const card = target?.id?.startsWith("proposal-") && document.getElementById(target.id);
    card?.querySelector?.('[role="alert"]')?.scrollIntoView({ block: "center" });
    /* The button that decided is gone with the old card: whoever used it stays at the card. */
    if (card && document.activeElement === document.body) card.focus({ preventScroll: true });
  });

  /* The reason is asked for in sight, not behind the composer at the foot of a narrow screen. */
  function toReason({ target }) {
    const reason = target.matches(".proposal-card .reject[open]") && target.querySelector("textarea");
    if (!reason) return;
    reason.focus({ preventScroll: true });
    reason.form.scrollIntoView({ block: scroller() === log() ? "nearest" : "center" });
  }

  document.addEventListener("toggle", toReason, true);
  document.addEventListener("talk:grew", followEnd);
  window.addEventListener("hashchange", toAddress);

  function ready() {
    toAddress();
    if (!/^#(proposal|turn)-/.test(location.hash)) followEnd();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();

  /* The browser has gone to the head of the panel by then; what is new in a talk stands at its end. */
  function toNewest() {
    if (location.hash !== "#coach") return;
    atEnd = true;
    followEnd();
  }

  window.addEventListener("load", toNewest);
  window.addEventListener("hashchange", toNewest);
})();
