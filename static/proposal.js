/* One proposal while somebody looks at it: what has changed meanwhile is asked for every ten seconds and told without moving
   the focus or touching what is typed; folds open in place; the changes are walked through. Without this script the page is
   as of its last reload, and folds lead to a page with all lines. */
(() => {
  "use strict";

  const EVERY = 10_000; // milliseconds between two looks; the server forgets who has not looked for thirty seconds
  let loaded = ""; // how the proposal stood when the page was read
  let looking = false;
  let at = -1; // the change that was shown last

  const live = () => document.getElementById("live");

  /* -------------------------------------------------------------------- live */

  async function look() {
    const address = live()?.dataset.look;
    if (!address || document.hidden || looking) return;
    looking = true;
    try {
      const answer = await fetch(address, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" } });
      if (answer.ok && !answer.redirected) tell(await answer.text());
      else if (answer.redirected || answer.status === 404) delete live().dataset.look; // signed out, or not ours any more
    } catch {
      // The network is away: what stands here is from before, and the next look finds out.
    } finally {
      looking = false;
    }
  }

  function tell(text) {
    const there = live();
    const come = new DOMParser().parseFromString(text, "text/html").getElementById("live");
    if (!come || come.dataset.mark === there.dataset.mark) return;
    const focused = there.contains(document.activeElement);
    there.replaceWith(come);
    if (focused) (come.querySelector("a, button") ?? document.getElementById("main")).focus({ preventScroll: true });
    document.getElementById("live-says").textContent = come.dataset.says;
    const moved = standing(come) !== loaded;
    for (const part of document.querySelectorAll("[data-while-fresh]")) {
      if (!part.contains(document.activeElement)) part.hidden = moved;
    }
  }

  /* The mark without who looks at it: whoever comes and goes changes nothing about the proposal. */
  const standing = (element) => element.dataset.mark.split(" ").slice(0, 2).join(" ");

  /* ------------------------------------------------------------------- folds */

  async function unfold(link) {
    const row = link.closest("tr");
    const answer = await fetch(link.href);
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const lines = [...page.querySelectorAll(`[data-fold="${CSS.escape(link.dataset.foldOf)}"]`)];
    if (!lines.length) throw new Error("no such fold");
    row.replaceWith(...lines);
    lines[0].tabIndex = -1;
    lines[0].focus({ preventScroll: true });
  }

  /* ----------------------------------------------------------------- changes */

  const CHANGED = "tr.diff-add, tr.diff-del, .diff-side tr:has(.diff-add, .diff-del), .diff-words ins, .diff-words del";

  /* The first of each run of changed lines or words, as far as they are in sight. */
  function starts() {
    const rows = [...document.querySelectorAll(CHANGED)].filter((row) => row.checkVisibility());
    return rows.filter((row) => !rows.includes(row.previousElementSibling));
  }

  function nextChange() {
    const found = starts();
    if (!found.length) return;
    at = (at + 1) % found.length;
    document.querySelector(".change-now")?.classList.remove("change-now");
    found[at].classList.add("change-now");
    const line = document.querySelector(".topbar").offsetHeight + 24;
    const box = found[at].getBoundingClientRect();
    if (box.top < line || box.bottom > window.innerHeight) window.scrollBy({ top: box.top - line });
    const place = document.getElementById("change-at");
    if (place) place.textContent = `Change ${at + 1} of ${found.length}`;
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest('button[data-key="n"]')) nextChange();
    const fold = event.target.closest("a[data-fold-of]");
    if (!fold || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    unfold(fold).catch(() => location.assign(fold.href));
  });

  document.addEventListener("visibilitychange", look);

  function ready() {
    if (live()) loaded = standing(live());
    for (const button of document.querySelectorAll('button[data-key="n"]')) button.hidden = starts().length < 2;
    setInterval(look, EVERY);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
