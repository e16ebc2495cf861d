/* What the pages need beyond htmx: the drawer, drafts, errors said in words, arrow keys in the picture, lengths of texts. No page depends on it:
   without scripts every link leads to a whole page and every form is sent as a form. */
(() => {
  "use strict";

  const drawer = () => document.getElementById("drawer");
  const DRAFT = "touchline-draft:";
  let opener = null; // what was clicked to open the drawer; after a reload there is none and the agent's row takes its place

  /* ------------------------------------------------------------------ drawer */

  let reading = null; // the request that fills the drawer

  const agentInAddress = () => new URL(location.href).searchParams.get("agent");

  function show(dialog) {
    if (dialog.matches(":modal")) return;
    dialog.removeAttribute("open");
    dialog.showModal();
  }

  function fill(dialog, template) {
    dialog.replaceChildren(document.getElementById(template).content.cloneNode(true));
    show(dialog);
    dialog.querySelector("#drawer-title").focus();
  }

  function settle(dialog, part) {
    show(dialog);
    dialog.scrollTop = 0;
    dialog.querySelector("#drawer-title")?.focus({ preventScroll: true });
    if (part === "note") dialog.querySelector("#note-body")?.focus();
    if (part === "notes") dialog.querySelector("#notes-title")?.focus();
  }

  function rowOf(agent) {
    return agent && document.querySelector(`a.who[data-agent="${CSS.escape(agent)}"]`);
  }

  function closed(dialog) {
    const agent = agentInAddress();
    reading?.request.abort(); // an answer that comes too late must not open it again
    reading = null;
    dialog.replaceChildren();
    if (agent) history.replaceState({ htmx: true }, "", dialog.dataset.closed);
    const again = opener?.id && document.getElementById(opener.id); // the list behind may have been drawn anew meanwhile
    const back = opener?.isConnected ? opener : again || rowOf(agent);
    opener = null;
    back?.focus();
  }

  /* A click beside the drawer closes it; where it meets another row, that row is opened, for the table stays in sight. */
  function clickedBeside(dialog, event) {
    const box = dialog.getBoundingClientRect();
    if (event.clientX >= box.left || event.clientX === 0) return;
    const open = () => document.elementFromPoint(event.clientX, event.clientY)?.closest("a[data-agent]")?.click();
    dialog.addEventListener("close", open, { once: true });
    dialog.close();
  }

  function prepareDrawer() {
    const dialog = drawer();
    if (!dialog) return;
    if (!dialog.dataset.ready) {
      dialog.dataset.ready = "yes";
      dialog.addEventListener("close", () => closed(dialog));
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog) clickedBeside(dialog, event);
        const close = event.target.closest("[data-close]");
        if (close) {
          event.preventDefault();
          dialog.close();
        }
      });
    }
    if (dialog.hasAttribute("open") && !dialog.matches(":modal")) settle(dialog);
  }

  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (ctx.target?.id !== "drawer") return;
    opener = ctx.sourceElement;
    reading = ctx;
    fill(ctx.target, "drawer-loading");
  });

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx === reading) {
      reading = null;
      settle(ctx.target, ctx.sourceElement.dataset.focus);
    }
    ready();
  });

  /* ------------------------------------------------------------------ drafts */

  /* What was typed stays on this device until it is saved or thrown away, or somebody signs out: closing the drawer, a reload, a
     lost connection and signing in again lose nothing. Nobody else who signs in here is shown it. */
  const MINE = `${DRAFT}${document.body.dataset.member ?? ""}:`;
  const KEPT_DAYS = 30;
  const DAY = 86_400_000;

  const drafted = (form) => [...form.querySelectorAll("[data-draft]")];
  const keyOf = (field) => MINE + field.dataset.draft;

  function draft(field) {
    const stored = localStorage.getItem(keyOf(field));
    return stored === null ? null : JSON.parse(stored).words;
  }

  function keep(form) {
    for (const field of drafted(form)) {
      const edited = form.matches("[data-edits]"); // of an edit its base is kept too: a draft of yesterday is one against yesterday's words
      if (field.value || edited) localStorage.setItem(keyOf(field), JSON.stringify({ at: Date.now(), words: field.value }));
      else localStorage.removeItem(keyOf(field));
    }
  }

  function forget(form) {
    for (const field of drafted(form)) localStorage.removeItem(keyOf(field));
  }

  function forgetDrafts(which) {
    for (const key of Object.keys(localStorage)) if (key.startsWith(DRAFT) && which(key)) localStorage.removeItem(key);
  }

  function restoreDrafts() {
    for (const form of document.querySelectorAll("form:has([data-draft])")) {
      if (form.dataset.drafted) continue;
      form.dataset.drafted = "yes";
      if (form.matches("[data-typed]")) keep(form); // the server shows what was typed: that is the newest there is
      else if (form.matches("[data-edits]")) restoreEdit(form);
      else for (const field of drafted(form)) if (!field.value) field.value = draft(field) ?? "";
      mirror(form);
    }
  }

  /* The form of something that is there already begins with what is stored, unless other words were typed here before. */
  function restoreEdit(form) {
    const fields = drafted(form);
    for (const field of fields) field.dataset.stored = field.value;
    if (!fields.some((field) => field.type !== "hidden" && draft(field) !== null && draft(field) !== field.value)) return;
    for (const field of fields) field.value = draft(field) ?? field.value;
    form.querySelector("[data-draft-said]").hidden = false;
  }

  document.addEventListener("input", ({ target }) => {
    if (target.dataset?.draft && target.form) keep(target.form);
    if (target.dataset?.mirror) mirror(target.form);
  });

  document.addEventListener("click", ({ target }) => {
    const away = target.closest("[data-draft-away]");
    if (away) {
      const { form } = away;
      forget(form);
      for (const field of drafted(form)) field.value = field.dataset.stored;
      mirror(form);
      form.querySelector("[data-draft-said]").hidden = true;
      form.querySelector("textarea").focus();
    }
    if (target.closest("[data-forget]")) forget(target.closest("form"));
  });

  document.addEventListener("htmx:before:response", ({ detail: { ctx } }) => {
    const { raw, status } = ctx.response;
    if (raw.redirected && new URL(raw.url).pathname === document.body.dataset.signIn) {
      location.reload(); // signed out meanwhile: the page itself asks to sign in and comes back here; drafts stay
      return;
    }
    const form = ctx.sourceElement.closest("form");
    if (!form || ctx.request.method === "GET" || status >= 300) return;
    forget(form);
    pause = FIRST_LOOK;
  });

  document.addEventListener("submit", ({ target }) => {
    if (target.matches("[data-forget-drafts]")) forgetDrafts(() => true);
  });

  /* -------------------------------------------------- a note and its conversation */

  /* What the person it is about would see of the note, word for word, while it is typed. */
  function mirror(form) {
    const field = form.querySelector("[data-mirror]");
    const place = field && document.getElementById(field.dataset.mirror);
    if (place) place.textContent = field.value || "Your words, as you type them.";
  }

  document.addEventListener("click", (event) => {
    const about = event.target.closest("[data-about]");
    const body = document.getElementById("note-body");
    if (!about || !body) return;
    event.preventDefault();
    const choice = document.getElementById("note-sample");
    const sample = about.dataset.about;
    const isThere = [...choice.options].some((option) => option.value === sample);
    if (!isThere) choice.add(new Option(about.dataset.aboutName, sample)); // pinned since the form was drawn
    choice.value = sample;
    keep(choice.form);
    body.focus();
  });

  /* While summaries are being written the samples are asked for again, less and less often, unless somebody is at work there. */
  const FIRST_LOOK = 2_000;
  const LAST_LOOK = 60_000;
  let pause = FIRST_LOOK;
  let looking = null;

  function awaitSummaries() {
    clearTimeout(looking);
    if (!document.querySelector("[data-summaries]")) pause = FIRST_LOOK;
    else if (pause <= LAST_LOOK) looking = setTimeout(lookAgain, pause);
  }

  function lookAgain() {
    const samples = document.querySelector("[data-summaries]");
    const isBusy = document.hidden || samples?.contains(document.activeElement) || samples?.querySelector("details[open]");
    pause *= 1.5;
    if (isBusy || !samples) awaitSummaries();
    else htmx.trigger(samples, "summaries-asked");
  }

  /* ------------------------------------------------------------------ errors */

  const WORDS = {
    403: "This is not open to your role, or the page had expired. Nothing was saved; reload the page and try again.",
    404: "This is not there any more. Nothing was saved.",
  };

  function say(words) {
    const open = document.querySelector("dialog:modal [data-messages]");
    const place = open ?? document.getElementById("messages");
    const message = document.createElement("p");
    message.className = "message message-bad";
    message.setAttribute("role", "alert");
    message.textContent = words;
    place.replaceChildren(message);
    message.scrollIntoView({ block: "nearest" });
  }

  const STALE = "This could not be read again: what stands here is from before. Try again in a moment, or reload the page.";

  function failed(ctx, words) {
    if (ctx.target?.id === "drawer") {
      fill(ctx.target, "drawer-failed");
      ctx.target.querySelector("[data-whole-page]").setAttribute("href", opener.getAttribute("href"));
    } else if (ctx.target?.id === "transcript-wait") {
      const words = document.getElementById("transcript-failed");
      if (words) ctx.target.replaceChildren(words.content.cloneNode(true));
      else say(STALE);
      htmx.process(ctx.target);
    } else if (ctx.request.method === "GET") {
      say(STALE);
    } else {
      say(words);
    }
  }

  document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
    const status = ctx.response.status;
    if (status === 403 || status === 404 || status >= 500) {
      failed(ctx, WORDS[status] ?? "The server failed. Nothing was saved; what you typed is still here. Try again in a moment.");
    }
  });

  document.addEventListener("htmx:error", ({ detail: { ctx, error } }) => {
    if (ctx?.request) failed(ctx, "The server could not be reached. Nothing was saved; what you typed is still here. Try again.");
    else console.error(error);
  });

  /* --------------------------------------------------- menus and the picture */

  document.addEventListener("click", ({ target }) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
  });

  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.("details.menu[open]");
    if (menu && event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    const point = event.target.closest?.("[data-point]");
    if (point) walk(point, event);
  });

  /* One tab stop for all points; the arrow keys walk through them. */
  function walk(point, event) {
    const points = [...point.parentNode.querySelectorAll("[data-point]")];
    const at = points.indexOf(point);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: points.length - 1 }[event.key];
    if (to === undefined || !points[to]) return;
    event.preventDefault();
    point.setAttribute("tabindex", "-1");
    points[to].setAttribute("tabindex", "0");
    points[to].focus();
  }

  /* --------------------------------------------- how long a text is, while it grows */

  const CHARACTERS_A_TOKEN = 4; // rough, as the server counts
  const counted = (n) => n.toLocaleString("en");

  document.addEventListener("input", ({ target }) => {
    const limit = Number(target.dataset?.count);
    const place = limit && document.querySelector(`[data-count-of="${CSS.escape(target.id)}"]`);
    if (!place) return;
    const length = [...target.value].length; // characters as the server counts them, not halves of rare ones
    const tokens = place.textContent.includes("token") ? `, about ${counted(Math.ceil(length / CHARACTERS_A_TOKEN))} tokens` : "";
    const over = length > limit ? `: ${counted(length - limit)} too many` : "";
    place.textContent = `${counted(length)} of ${counted(limit)} characters${tokens}${over}`;
    place.classList.toggle("field-over", length > limit);
  });

  /* ------------------------------------------------------ where a page begins */

  /* On a narrow screen the tab that is open may stand beyond the edge of its row. */
  function showTab() {
    for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
      const row = tab.parentNode;
      const beyond = tab.getBoundingClientRect().right - row.getBoundingClientRect().right;
      if (beyond > 0) row.scrollLeft += beyond;
    }
  }

  /* A form that comes back begins at the first field that was not right. */
  function showFault() {
    if (document.activeElement === document.body) document.querySelector('#main [aria-invalid="true"]')?.focus();
  }

  function ready() {
    prepareDrawer();
    restoreDrafts();
    awaitSummaries();
  }

  function begin() {
    forgetDrafts((key) => Date.now() - JSON.parse(localStorage.getItem(key)).at > KEPT_DAYS * DAY);
    ready();
    showTab();
    showFault();
    if (location.hash) window.addEventListener("load", () => setTimeout(showFault)); // going to the fragment takes the focus away
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
