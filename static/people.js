/* The members page: a link that has to be handed over is copied by a button. Without scripts it is selected and copied by hand. */
(() => {
  "use strict";

  function prepare(button) {
    const field = document.getElementById(button.dataset.copies);
    const said = button.parentElement.nextElementSibling;
    button.hidden = false;
    button.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
        said.textContent = "Copied.";
      } catch {
        said.textContent = "Not copied: this browser does not allow it. The link is selected; copy it with the keyboard.";
      }
    });
  }

  document.querySelectorAll("[data-copies]").forEach(prepare); // deferred: the page is read by now
})();
