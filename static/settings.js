/* What the settings need beyond htmx: the browser's own time zone offered. No page depends on it. */
(() => {
  "use strict";

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

  offerZone(); // deferred: the page is read by now
})();
