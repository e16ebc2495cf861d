/* The talk with the coach while it happens. The page follows the stream of the session it shows: words are added as they
   come; cards, endings and what others did are read again as HTML and morphed in, so that focus, scrolling and half-typed
   words stay. Where there is no stream the page asks again and again instead; without this script it is as of its last
   reload. */
(() => {
  "use strict";

  const TICK = 700; // milliseconds between two looks where there is no stream
  const LOOK_AGAIN = 3_000; // after this long without news of a running answer it is looked at, stream or not
  const OTHERS = 5_000; // how often, without a stream, to look for what others did
  const DEAD_AFTER = 40_000; // the server gives a sign of life every 15 seconds
  const SLEPT = 10_000; // a timer this late means that the machine slept
  const TRY_STREAM_AGAIN = 30_000;
  const FAILURES = 4; // of the stream, or of looks, in a row

  let source = null;
  let following = ""; // the address of the session's stream, without its place
  let polls = false; // there is no stream: look again and again
  let streamFailures = 0;
  let lookFailures = 0;
  let over = false; // the talk is closed to us
  let [signAt, newsAt, othersAt, refusedAt, tickAt] = [0, 0, 0, 0, Date.now()];
  const arrived = new Map(); // {turn: its events since the page was loaded}
  const wanted = new Map(); // {address: id of the element it replaces}, to be read again
  let reading = false;
  let panels = 0; // how often the whole panel was answered anew: what was asked for before that is older

  const byId = (id) => document.getElementById(id);
  const log = () => byId("coach-log");
  const exchangeOf = (turn) => byId(`exchange-${turn}`);
  const running = () => [...document.querySelectorAll(".exchange[data-running]")];
  const numberOf = (exchange) => Number(exchange.dataset.after);
  const newest = () => Math.max(0, ...[...document.querySelectorAll(".exchange")].map(numberOf));

  /* ------------------------------------------------------------------ stream */

  function connect() {
    disconnect();
    const stream = log()?.dataset.stream;
    following = stream?.split("?")[0] ?? "";
    if (!stream || document.hidden || over) return;
    signAt = Date.now();
    const opened = new EventSource(`${stream}&after=${newest()}`);
    source = opened;
    const heard = (take) => (message) => {
      if (opened !== source) return;
      [signAt, streamFailures, polls] = [Date.now(), 0, false];
      take(message);
    };
    opened.addEventListener("open", heard(() => {}));
    opened.addEventListener("alive", heard(() => {}));
    opened.addEventListener("changed", heard(readTalk));
    opened.addEventListener("message", heard((message) => take(JSON.parse(message.data))));
    opened.addEventListener("error", () => {
      if (opened !== source) return;
      streamFailures += 1;
      if (opened.readyState === EventSource.CLOSED || streamFailures >= FAILURES) doWithout();
    });
  }

  function disconnect() {
    source?.close();
    source = null;
  }

  function doWithout() {
    disconnect();
    [polls, refusedAt, othersAt, streamFailures] = [true, Date.now(), Date.now(), 0];
    readTalk();
  }

  /* ------------------------------------------------------------------ events */

  function take(event) {
    newsAt = Date.now();
    arrived.set(event.turn, [...(arrived.get(event.turn) ?? []), event]);
    const exchange = exchangeOf(event.turn);
    if (exchange) apply(event, exchange);
    else readTalk(); // a question that somebody else asked
  }

  function apply(event, exchange) {
    if (event.id <= numberOf(exchange)) return;
    if (!("running" in exchange.dataset) || !["text", "tool"].includes(event.type)) {
      readExchange(exchange); // what has come by then is in it
      return;
    }
    exchange.dataset.after = event.id;
    if (event.type === "text") addWords(exchange, event.text);
    const doing = JSON.parse(log().dataset.doing);
    sayDoing(exchange, doing[event.type] ?? doing[event.name?.startsWith("propose_") ? "propose" : event.name]);
  }

  function addWords(exchange, words) {
    const working = exchange.querySelector(":scope > .coach-working");
    let said = exchange.querySelector(":scope > .said-growing");
    if (!said) {
      said = document.createElement("div");
      said.className = "said said-growing";
      said.dir = "auto";
      exchange.insertBefore(said, working);
    }
    said.append(said.textContent ? words : words.trimStart());
    grew();
  }

  function sayDoing(exchange, words) {
    const place = exchange.querySelector(".working-words");
    if (!place || !words || exchange.dataset.state === "stopping" || place.textContent === words) return;
    place.textContent = words;
    announce(words);
  }

  const grew = () => document.dispatchEvent(new CustomEvent("talk:grew"));

  /* Short sentences for who listens instead of looking. The words themselves stand in the log, to be read there at one's own
     pace: announced as they come they would be said word by word. */
  function announce(words) {
    const place = byId("coach-says");
    if (place) place.textContent = words;
  }

  const ENDS = { done: "The coach has answered.", failed: "The coach could not finish; the talk says why.", stopped: "The coach was stopped." };

  function announceEnd(exchange) {
    const cards = exchange.querySelectorAll(".proposal-card").length;
    const proposed = cards ? ` It made ${cards} proposal${cards > 1 ? "s" : ""}.` : "";
    announce((ENDS[exchange.dataset.state] ?? "") + proposed);
  }

  /* ----------------------------------------------------------- reading again */

  function readTalk() {
    const whole = log()?.dataset.whole;
    if (whole) read(whole, "coach-log");
  }

  const readExchange = (exchange) => read(exchange.dataset.look, exchange.id);

  /* Only if something happened since: the server answers with nothing else. */
  function look(exchange) {
    const { look: address, after, state } = exchange.dataset;
    if (!wanted.has(address)) read(`${address}?${new URLSearchParams({ after, state })}`, exchange.id);
  }

  function read(address, id) {
    wanted.set(address, id);
    readAll();
  }

  async function readAll() {
    if (reading) return;
    reading = true;
    try {
      for (const [address, id] of wanted) {
        wanted.delete(address);
        if (!(await readOne(address, id))) break;
      }
    } finally {
      reading = false;
    }
  }

  /* One at a time, in order. False where the server could not be reached: it stays wanted, and the next tick tries again. */
  async function readOne(address, id) {
    let answer, text;
    const asked = panels;
    try {
      answer = await fetch(address, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" } });
      text = await answer.text();
      if (answer.status >= 500) throw new Error(String(answer.status));
    } catch {
      lookFailures += 1;
      if (lookFailures >= FAILURES) trouble("The connection to the server is lost. What the coach writes is kept, and this page goes on by itself once the server is back.");
      wanted.set(address, id);
      return false;
    }
    if (lookFailures) trouble("");
    lookFailures = 0;
    if (answer.redirected && new URL(answer.url).pathname === document.body.dataset.signIn) signedOut();
    else if (answer.status === 403 || answer.status === 404) closed();
    else if (panels !== asked) wanted.set(address, id); // a newer panel came meanwhile: this may not know its last question
    else if (answer.status === 200 && !over) await show(id, text);
    return true;
  }

  async function show(id, text) {
    const target = byId(id);
    if (!target) return;
    const before = new Set(running().map((exchange) => exchange.id));
    await htmx.swap({ text, target, swap: "outerMorph", sourceElement: target });
    for (const exchange of document.querySelectorAll(".exchange")) {
      const events = arrived.get(exchange.dataset.turnId) ?? [];
      if ("running" in exchange.dataset) {
        for (const event of events) apply(event, exchange);
        continue;
      }
      arrived.delete(exchange.dataset.turnId);
      if (before.has(exchange.id)) announceEnd(exchange);
    }
    grew();
  }

  function trouble(words) {
    const place = byId("coach-trouble");
    if (!place) return;
    place.textContent = words;
    place.hidden = !words;
  }

  function closed() {
    over = true;
    disconnect();
    trouble("This talk is not open to you any more. Reload the page to see what is.");
  }

  function signedOut() {
    over = true;
    disconnect();
    const back = location.pathname + location.search;
    location.assign(`${document.body.dataset.signIn}?${new URLSearchParams({ next: back, again: 1 })}`);
  }

  /* -------------------------------------------------------------------- time */

  function tick() {
    const now = Date.now();
    const slept = now - tickAt > SLEPT;
    tickAt = now;
    if (document.hidden || over || !log()?.dataset.stream) return;
    if (slept || (source && now - signAt > DEAD_AFTER) || (polls && now - refusedAt > TRY_STREAM_AGAIN)) {
      refusedAt = now;
      connect();
    }
    if (polls || now - newsAt > LOOK_AGAIN) {
      newsAt = now;
      running().forEach(look);
    }
    if (polls && now - othersAt > OTHERS) {
      othersAt = now;
      readTalk();
    }
    readAll();
  }

  /* A tab in the background gives its connection back: a browser has few for one server. Coming back, it catches up. */
  document.addEventListener("visibilitychange", () => {
    tickAt = Date.now();
    if (document.hidden) disconnect();
    else connect();
  });

  window.addEventListener("pageshow", ({ persisted }) => {
    if (persisted) connect();
  });

  const asks = (ctx) => Boolean(ctx?.sourceElement?.closest?.("#ask"));
  let sent = ""; // what stood in the composer when a question left; there is one on its way at most

  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (asks(ctx)) sent = byId("question").value;
  });

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (asks(ctx) && ctx.response?.raw?.ok !== undefined) {
      const question = byId("question");
      // Sent; or refused, and then it is in the answer. What was typed meanwhile is the next question.
      if (question?.value === sent) question.value = question.defaultValue;
    }
    if (ctx?.target?.id === "coach") panels += 1;
    if ((log()?.dataset.stream?.split("?")[0] ?? "") !== following) {
      arrived.clear();
      connect();
    }
  });

  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.(".proposal-card .reject[open]");
    if (!box || event.key !== "Escape") return;
    box.open = false;
    box.querySelector("summary").focus();
  });

  document.addEventListener("toggle", ({ target }) => target.matches(".cost") && grew(), true); // the log became shorter

  setInterval(tick, TICK);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", connect);
  else connect();
})();
