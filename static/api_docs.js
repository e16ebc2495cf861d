/* The API page: shows the forms, sends them as they are filled in, and says what came back. Nothing is kept: a pasted token
   lives in its field and goes with the page. */
(() => {
  "use strict";

  const TOLD = ["content-type", "etag", "idempotent-replayed", "allow", "retry-after", "www-authenticate", "content-disposition", "cache-control"];
  const MOST = 200_000; // characters of an answer that are shown
  const as = document.querySelector("[data-as]");

  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const spelled = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

  /* ------------------------------------------------------------ what is sent */

  /* {method, address, headers, body, file} as the form says it; curl and fetch are both made of this. */
  function request(form) {
    let path = form.dataset.path;
    const query = [];
    const headers = {};
    for (const field of form.querySelectorAll("[data-place]")) {
      const { name, value, dataset } = field;
      if (dataset.place === "path") path = value ? path.replace(`{${name}}`, spelled(value)) : path;
      else if (value && dataset.place === "query") query.push(`${name}=${spelled(value)}`);
      else if (value) headers[name] = value;
    }
    const accept = form.querySelector("[data-accept]");
    if (accept && accept.selectedIndex > 0) headers.Accept = accept.value;
    const body = form.querySelector("[data-body]")?.value;
    const file = form.querySelector("[data-file]")?.files[0];
    if (form.dataset.mediaType) headers["Content-Type"] = form.dataset.mediaType;
    const address = [location.origin + path, query.join("&")].filter(Boolean).join("?");
    return { method: form.dataset.method, address, headers, body, file };
  }

  function curl(form) {
    const { method, address, headers, body } = request(form);
    const lines = [`curl ${method === "GET" ? "" : `-X ${method} `}${quoted(address)}`, '-H "Authorization: Bearer $TOKEN"'];
    for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
    if (body !== undefined) lines.push(`-d ${quoted(body)}`);
    else if (form.dataset.mediaType) lines.push("--data-binary @FILE");
    return lines.join(" \\\n  ");
  }

  const commandOf = (form) => form.closest(".api-do").querySelector("[data-curl]");
  const retell = (form) => (commandOf(form).textContent = curl(form));

  function spoken() {
    if (as.elements.as.value === "token") {
      return { headers: { Authorization: `Bearer ${as.elements.token.value.trim()}` }, credentials: "omit" };
    }
    return { headers: { "X-CSRFToken": as.elements.csrfmiddlewaretoken.value }, credentials: "same-origin" };
  }

  async function send(form) {
    const { method, address, headers, body, file } = request(form);
    const { headers: whose, credentials } = spoken();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    const begun = performance.now();
    try {
      const sent = { Accept: "application/json", ...headers, ...whose };
      const response = await fetch(address, { method, headers: sent, credentials, body: body ?? file, cache: "no-store", redirect: "manual" });
      await show(form, response, performance.now() - begun);
    } catch {
      tell(form, "The server could not be reached. Nothing is known of what it did.", "");
    } finally {
      button.disabled = false;
    }
  }

  /* ------------------------------------------------------- what came back */

  function tell(form, status, took) {
    const answer = form.querySelector("[data-answer]");
    answer.hidden = false;
    answer.querySelector("[data-status]").textContent = status;
    answer.querySelector("[data-took]").textContent = took;
    answer.querySelector("[data-headers]").replaceChildren();
    answer.querySelector("[data-shown]").hidden = true;
    const save = answer.querySelector("[data-download]");
    if (save.href) URL.revokeObjectURL(save.href);
    save.removeAttribute("href");
    save.hidden = true;
    answer.classList.remove("api-refused");
    return answer;
  }

  async function show(form, response, took) {
    const type = response.headers.get("Content-Type") ?? "";
    const raw = await response.blob();
    const answer = tell(form, `${response.status} ${response.statusText}`.trim(), `${Math.round(took)} ms, ${raw.size.toLocaleString("en")} bytes`);
    answer.classList.toggle("api-refused", response.status >= 400);
    const headers = answer.querySelector("[data-headers]");
    for (const name of TOLD) {
      const value = response.headers.get(name);
      if (value === null) continue;
      const [term, told] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      told.textContent = value;
      headers.append(term, told);
    }
    if (!raw.size) return;
    if (!/json|^text\//.test(type)) {
      const save = answer.querySelector("[data-download]");
      save.href = URL.createObjectURL(raw);
      save.download = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "answer";
      save.hidden = false;
      return;
    }
    const text = pretty(await raw.text(), type);
    const shown = answer.querySelector("[data-shown]");
    shown.textContent = text.length > MOST ? `${text.slice(0, MOST)}\n… cut here: ${text.length.toLocaleString("en")} characters in all` : text;
    shown.hidden = false;
    shown.scrollTop = 0;
  }

  function pretty(text, type) {
    if (!/\/(problem\+)?json/.test(type)) return text;
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }

  /* ---------------------------------------------------------------- the page */

  function prepare(form) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
    form.addEventListener("input", () => retell(form));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    retell(form);
  }

  for (const form of document.querySelectorAll(".api-trial")) prepare(form);

  as.hidden = false;
  as.addEventListener("submit", (event) => event.preventDefault());
  as.addEventListener("change", () => {
    const field = as.elements.token;
    field.disabled = as.elements.as.value !== "token";
    if (field.disabled) field.value = "";
    else if (!field.value) field.focus();
  });

  /* Finding: every word must occur in the method, the path or the title. */
  const find = document.getElementById("api-find");
  document.querySelector("[data-find]").hidden = false;
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let any = false;
    for (const group of document.querySelectorAll(".api-group")) {
      let here = 0;
      for (const operation of group.querySelectorAll(".api-operation")) {
        const text = operation.querySelector("summary").textContent.toLowerCase();
        operation.hidden = !words.every((word) => text.includes(word));
        here += operation.hidden ? 0 : 1;
      }
      group.hidden = !here;
      const link = document.querySelector(`[data-of="${CSS.escape(group.getAttribute("aria-labelledby"))}"]`);
      link.hidden = !here;
      link.querySelector("span").textContent = here;
      any ||= here > 0;
    }
    document.querySelector("[data-none]").hidden = any;
  });

  /* The address names what is open. */
  function openNamed() {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (named?.matches(".api-operation")) {
      named.open = true;
      named.scrollIntoView({ block: "start" });
    }
  }
  for (const operation of document.querySelectorAll(".api-operation")) {
    operation.querySelector("summary").addEventListener("click", () => {
      if (!operation.open) history.replaceState(history.state, "", `#${operation.id}`);
    });
  }
  window.addEventListener("hashchange", openNamed);
  openNamed();
})();
