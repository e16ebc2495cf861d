/* Copying: button[data-copy=ID of a field or a text]; what came of it stands in [data-said=ID], or on the button. Without scripts it is marked
   and copied by hand, so the button is hidden until this runs. */
(() => {
  "use strict";

  const BACK = 1500; // milliseconds after which a button says again what it does

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const said = document.getElementById(button.dataset.said);
    source.select?.();
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
    } catch {
      say("Not copied: this browser does not allow it. Mark it and copy it with the keyboard.");
      return;
    }
    say("Copied.");

    function say(words) {
      if (said) {
        said.textContent = words;
        return;
      }
      const label = button.firstChild;
      const before = label.textContent;
      label.textContent = words;
      setTimeout(() => (label.textContent = before), BACK);
    }
  }

  /* Parts of a page come later, or once more. */
  function offer() {
    for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target.id && document.querySelector(`[data-copy="${CSS.escape(target.id)}"]`)) target.select?.();
  });
  document.addEventListener("htmx:after:swap", offer);
  offer(); // deferred: the page is read by now
})();
