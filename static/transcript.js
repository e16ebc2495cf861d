/* The transcript beyond plain markup: turns are walked through by keyboard and chosen one by one or as a range, chosen ones
   become chips in the composer and survive a reload, marked words go into the question, and what the coach quotes in a new
   proposal is marked where it was said. A transcript that is fetched from a helpdesk comes after the page, and all of this with
   it. Without it the checkboxes beside the turns still belong to the question. */
(function attach(swapped) {
  "use strict";

  const OFF = "touchline-keys-off";
  const PICKED = `touchline-draft:picked:${location.pathname}`; // named as a draft, so that signing out forgets it
  const RUN = 3; // neighbours that are shown as one chip from here on
  const QUOTE = 300; // characters of marked words that go into the question
  const FIELD = 'textarea, select, [contenteditable], input:not([type="checkbox"], [type="radio"])';

  const boxes = [...document.querySelectorAll('.turn input[name="turn"]')];
  if (!boxes.length) {
    if (document.getElementById("transcript-wait")) document.addEventListener("htmx:after:swap", attach, { once: true });
    return;
  }
  const list = document.querySelector(".transcript");
  const at = new Map(boxes.map((box, index) => [box.closest(".turn"), index]));
  const turnOf = (index) => boxes[index].closest(".turn");
  const areKeysOff = () => localStorage.getItem(OFF) === "1";

  let current = -1; // the turn that Tab enters: the one that was walked to last
  let anchor = -1; // where a range begins
  let before = new Set(); // what was chosen when it began
  let isRanging = false; // whether the last step by keyboard was part of a range

  /* ---------------------------------------------------------------- choosing */

  const chosen = () => boxes.filter((box) => box.checked);

  function begin(index) {
    anchor = index;
    before = new Set(chosen().filter((box) => box !== boxes[index]));
  }

  function toggle(index) {
    boxes[index].checked = !boxes[index].checked;
    isRanging = false;
    begin(index);
    changed();
  }

  /* The range from its beginning to here; going back gives back what it had covered. */
  function extend(index) {
    if (anchor < 0) begin(index);
    const [from, to] = [Math.min(anchor, index), Math.max(anchor, index)];
    boxes.forEach((box, one) => (box.checked = (one >= from && one <= to) || before.has(box)));
    changed();
  }

  function drop(numbers) {
    const gone = new Set(numbers);
    for (const box of chosen()) if (gone.has(box.value)) box.checked = false;
    changed();
  }

  function changed() {
    const numbers = chosen().map((box) => box.value);
    if (numbers.length) sessionStorage.setItem(PICKED, JSON.stringify(numbers));
    else sessionStorage.removeItem(PICKED);
    show();
  }

  function restore() {
    if (new URL(location.href).searchParams.has("turn")) return; // the address says which
    const kept = new Set(JSON.parse(sessionStorage.getItem(PICKED) ?? "[]"));
    if (kept.size) for (const box of boxes) box.checked = kept.has(box.value);
  }

  /* ------------------------------------------------------------------- chips */

  /* Chosen turns as runs of neighbours: [["4"], ["7", "8", "9"]]; two neighbours stay two chips. */
  function runs() {
    const found = [];
    for (const { value } of chosen()) {
      const last = found.at(-1);
      if (last && Number(last.at(-1)) === value - 1) last.push(value);
      else found.push([value]);
    }
    return found.flatMap((run) => (run.length < RUN ? run.map((one) => [one]) : [run]));
  }

  function button(className, words, label) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = className;
    made.textContent = words;
    if (label) made.setAttribute("aria-label", label);
    return made;
  }

  function chip(run) {
    const name = run.length > 1 ? `turns ${run[0]}–${run.at(-1)}` : `turn ${run[0]}`;
    const made = document.createElement("span");
    const link = document.createElement("a");
    const remove = button("chip-remove", "✕", `Do not ask about ${name}`);
    made.className = "chip chip-on chip-turn";
    link.href = `#turn-${run[0]}`;
    link.dataset.turnLink = run[0];
    link.textContent = name;
    made.dataset.turns = remove.dataset.unpick = run.join(" ");
    made.append(link, remove);
    return made;
  }

  function show() {
    const place = document.getElementById("picked");
    if (!place) return;
    const shown = runs();
    const sign = shown.map((run) => `${run[0]}-${run.at(-1)}`).join(" ");
    count(chosen().length);
    if (place.dataset.shown === sign && place.querySelectorAll(".chip-turn").length === shown.length) return;
    place.dataset.shown = sign;
    place.replaceChildren(...shown.map(chip), ...(shown.length > 1 ? [button("chip chip-clear", "clear all")] : []));
    place.hidden = !shown.length;
  }

  function unpick(control) {
    const chips = () => [...document.querySelectorAll("#picked [data-unpick]")];
    const place = chips().indexOf(control);
    drop(control.dataset.unpick.split(" "));
    (chips()[Math.min(place, chips().length - 1)] ?? document.getElementById("question"))?.focus();
  }

  /* What the tab of the coach says on a narrow screen: how many turns are chosen, how many proposals wait. */
  function count(turns) {
    const place = document.getElementById("coach-count");
    if (!place) return;
    const cards = document.querySelectorAll("#coach .decide-card").length;
    const words = [turns && `${turns} turn${turns > 1 ? "s" : ""}`, cards && `${cards} proposal${cards > 1 ? "s" : ""}`];
    const said = words.filter(Boolean).map((one) => ` · ${one}`).join("");
    if (place.textContent !== said) place.textContent = said;
  }

  /* ----------------------------------------------------------------- walking */

  /* One turn at a time takes part in tabbing: its box, its number and what is folded in it. */
  function enter(index, on) {
    for (const one of turnOf(index).querySelectorAll("input, a, summary")) {
      if (on) one.removeAttribute("tabindex");
      else one.setAttribute("tabindex", "-1");
    }
  }

  function settle(index) {
    if (index === current) return;
    if (current >= 0) enter(current, false);
    current = index;
    enter(index, true);
  }

  const firstInSight = () => Math.max(0, boxes.findIndex((box) => box.closest(".turn").getBoundingClientRect().bottom > 96));

  function walk(index, isRange) {
    const next = Math.min(Math.max(index, 0), boxes.length - 1);
    if (isRange && !isRanging) begin(current);
    isRanging = isRange;
    settle(next);
    boxes[next].focus({ preventScroll: true });
    turnOf(next).scrollIntoView({ block: "nearest" });
    if (isRange) extend(next);
  }

  function step(by, isRange) {
    if (current < 0 || !document.activeElement.closest(".turn")) {
      walk(current < 0 ? firstInSight() : current, isRange);
    } else walk(current + by, isRange);
  }

  function unfold() {
    const folds = current < 0 ? [] : [...turnOf(current).querySelectorAll("details")];
    const open = !folds.every((fold) => fold.open);
    for (const fold of folds) fold.open = open;
  }

  function toQuestion() {
    showCoach();
    document.getElementById("question")?.focus();
  }

  function showCoach() {
    const choice = document.getElementById("show-coach");
    if (choice) choice.checked = true;
  }

  const KEYS = {
    j: () => step(1, false),
    k: () => step(-1, false),
    J: () => step(1, true),
    K: () => step(-1, true),
    o: unfold,
    c: toQuestion,
    q: askAboutMarked,
  };

  function keyInTurn(event) {
    const isBox = event.target.matches('.turn input[name="turn"]');
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const end = isBox && { Home: 0, End: boxes.length - 1 }[event.key];
    if (by) step(by, event.shiftKey);
    else if (typeof end === "number") walk(end, event.shiftKey);
    else if (isBox && event.key === "Enter") toggle(current); // a box would send the question
    else return false;
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const control = event.target.closest?.(".chip-turn");
    if (control && (event.key === "Delete" || event.key === "Backspace")) {
      event.preventDefault();
      unpick(control.querySelector("[data-unpick]"));
    } else if (event.target.closest?.(".turn") && keyInTurn(event)) {
      event.preventDefault();
    } else if (KEYS[event.key] && !areKeysOff() && !event.target.closest?.(FIELD)) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  /* ------------------------------------------------------------------- mouse */

  /* A click on the words of a turn chooses it; links, folded parts and controls keep their own meaning. */
  const turnAt = (event) =>
    event.target.closest("a, label, input, summary, details, button") ? null : event.target.closest(".turn");

  document.addEventListener("mousedown", (event) => {
    if (event.shiftKey && turnAt(event)) event.preventDefault(); // a range of turns, not of words
  });

  list.addEventListener("click", (event) => {
    const turn = turnAt(event);
    if (!turn || !window.getSelection().isCollapsed) return;
    settle(at.get(turn));
    if (event.shiftKey) extend(current);
    else toggle(current);
  });

  list.addEventListener("click", (event) => {
    const box = event.target.closest('input[name="turn"]');
    if (box && event.shiftKey) extend(boxes.indexOf(box));
  });

  list.addEventListener("change", ({ target }) => {
    if (!target.matches('input[name="turn"]')) return;
    begin(boxes.indexOf(target));
    changed();
  });

  list.addEventListener("focusin", ({ target }) => {
    const index = at.get(target.closest(".turn"));
    if (index !== undefined) settle(index);
  });

  document.addEventListener("click", ({ target }) => {
    const remove = target.closest("[data-unpick]");
    if (remove) unpick(remove);
    if (target.closest(".chip-clear")) {
      drop(chosen().map((box) => box.value));
      document.getElementById("question")?.focus();
    }
  });

  /* ------------------------------------------------------------ marked words */

  const ask = button("btn btn-small ask-about", "Ask about this");
  ask.hidden = true;
  list.after(ask);

  /* The turns whose words are marked, and the words; null where nothing in a turn is. */
  function marked() {
    const selection = window.getSelection();
    if (selection.isCollapsed || !selection.rangeCount) return null;
    const range = selection.getRangeAt(0);
    if (!list.contains(range.commonAncestorContainer)) return null;
    const words = selection.toString().replace(/\s+/g, " ").trim();
    const [from, to] = [range.startContainer, range.endContainer].map((node) =>
      at.get((node.nodeType === Node.TEXT_NODE ? node.parentElement : node).closest(".turn")),
    );
    if (!words || from === undefined) return null;
    const last = to === undefined || (range.endOffset === 0 && to > from) ? from : to;
    return { range, words, turns: boxes.slice(from, last + 1) };
  }

  function offer() {
    const found = marked();
    ask.hidden = !found;
    if (!found) return;
    const rects = found.range.getClientRects();
    const end = rects[rects.length - 1] ?? found.range.getBoundingClientRect();
    const pane = ask.offsetParent.getBoundingClientRect();
    ask.style.top = `${end.bottom - pane.top + 6}px`;
    ask.style.left = `${Math.max(8, Math.min(end.right - pane.left - ask.offsetWidth, pane.width - ask.offsetWidth - 8))}px`;
  }

  function askAboutMarked() {
    const found = marked();
    const question = document.getElementById("question");
    if (!found || !question) return;
    const words = found.words.length > QUOTE ? `${found.words.slice(0, QUOTE).trimEnd()} …` : found.words;
    for (const box of found.turns) box.checked = true;
    changed();
    window.getSelection().removeAllRanges();
    question.value = `${question.value.trimEnd()}${question.value.trim() ? "\n" : ""}“${words}” `;
    question.dispatchEvent(new Event("input", { bubbles: true }));
    toQuestion();
    question.setSelectionRange(question.value.length, question.value.length);
  }

  ask.addEventListener("mousedown", (event) => event.preventDefault()); // or the words would lose their mark
  ask.addEventListener("click", askAboutMarked);
  document.addEventListener("selectionchange", offer);

  /* ---------------------------------------------------------- what is quoted */

  /* A card that was drawn before its transcript was there has the place of its quote without the words. */
  function quoteMarked() {
    for (const link of list.querySelectorAll(".turn-quote > a")) {
      const number = link.closest(".turn").id.slice("turn-".length);
      const card = document.getElementById(link.hash.slice(1));
      const place = card?.querySelector(`.evidence a[data-turn-link="${number}"]`);
      if (!place || place.parentElement.querySelector("q")) continue;
      const quote = document.createElement("q");
      quote.textContent = link.textContent;
      place.before(quote, " ");
      place.dataset.marked = "1";
    }
  }

  /* The words that a card quotes, marked in their turn and linked to the card, unless they are already. */
  function markQuotes() {
    for (const link of document.querySelectorAll(".proposal-card .evidence a[data-turn-link]")) {
      const quote = link.parentElement.querySelector("q")?.textContent;
      const card = link.closest(".proposal-card").id;
      const turn = document.getElementById(`turn-${link.dataset.turnLink}`);
      if (!quote || !turn || !link.getAttribute("href").startsWith("#") || link.dataset.marked) continue;
      link.dataset.marked = "1";
      if (!turn.querySelector(`a[href="#${card}"]`)) mark(turn, quote, card);
    }
  }

  function mark(turn, quote, card) {
    const nodes = document.createTreeWalker(turn, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
      const node = nodes.currentNode;
      const start = node.data.indexOf(quote);
      if (start < 0 || !node.parentElement.closest(".turn-text, pre") || node.parentElement.closest("a")) continue;
      const words = node.splitText(start);
      words.splitText(quote.length);
      const made = document.createElement("mark");
      const back = document.createElement("a");
      made.className = "turn-quote";
      back.href = `#${card}`;
      words.replaceWith(made);
      back.append(words);
      made.append(back);
      const fold = made.closest("details");
      if (fold) fold.open = true;
      if (at.get(turn) !== current) back.setAttribute("tabindex", "-1");
      return;
    }
  }

  /* --------------------------------------------------------------------- all */

  /* A sent question carries its turns itself: the choice is done with. */
  document.addEventListener("htmx:before:response", ({ detail: { ctx } }) => {
    const form = ctx.sourceElement.closest("form");
    if (form?.id !== "ask" || ctx.request.method === "GET" || ctx.response.status >= 300) return;
    drop(chosen().map((box) => box.value));
  });

  let waits = false;
  new MutationObserver(() => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      show();
      markQuotes();
    });
  }).observe(list.closest(".conversation"), { childList: true, subtree: true });

  for (const one of list.querySelectorAll("input, a, summary")) one.setAttribute("tabindex", "-1");
  settle(firstInSight());
  restore();
  show();
  if (swapped) quoteMarked();
  markQuotes();
  if (swapped && location.hash.startsWith("#turn-")) location.replace(location.hash); // the turn that was linked to is here now
  const keys = document.getElementById("transcript-keys");
  const off = document.getElementById("keys-off");
  if (keys && off) {
    keys.hidden = false;
    off.checked = areKeysOff();
    off.addEventListener("change", () => localStorage.setItem(OFF, off.checked ? "1" : ""));
  }
})();
