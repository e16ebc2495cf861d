/* What the settings need beyond htmx: the browser's own time zone offered, a secret copied. No page depends on it. */
(() => {
  "use strict";

  /* ------------------------------------------------------------- time zone */

  function offerZone() {
    const field = document.querySelector("input[data-time-zone]");
    const offer = document.getElementById("browser-zone");
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!field || !offer || !here) return;
    const known = [...(field.list?.options ?? [])].some((option) => option.value === here);
    const show = () => {
      offer.hidden = !known || field.value === here;
    };
    const button = offer.querySelector("button");
    button.textContent = `Use ${here}, as this browser does`;
    button.addEventListener("click", () => {
      field.value = here;
      field.focus();
      show();
    });
    field.addEventListener("input", show);
    show();
  }

  /* ---------------------------------------------------------------- secret */

  function prepareCopy() {
    const button = document.querySelector("[data-copy]");
    const field = button && document.getElementById(button.dataset.copy);
    if (!field) return;
    field.addEventListener("focus", () => field.select());
    button.hidden = false;
    button.addEventListener("click", async () => {
      field.select();
      const said = document.getElementById(button.dataset.said);
      try {
        await navigator.clipboard.writeText(field.value);
        said.textContent = "Copied.";
      } catch {
        said.textContent = "Not copied: this browser does not allow it. It is selected; copy it with the keyboard.";
      }
    });
  }

  function begin() {
    offerZone();
    prepareCopy();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
