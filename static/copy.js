/* Copying what stands in a field: button[data-copy=ID of the field][data-said=ID of a status]. Without scripts it is marked and copied by hand. */
(() => {
  "use strict";

  function prepare(button) {
    const field = document.getElementById(button.dataset.copy);
    const said = document.getElementById(button.dataset.said);
    button.hidden = false;
    field.addEventListener("focus", () => field.select());
    button.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
        said.textContent = "Copied.";
      } catch {
        said.textContent = "Not copied: this browser does not allow it. The address is selected; copy it with the keyboard.";
      }
    });
  }

  function begin() {
    document.querySelectorAll("[data-copy]").forEach(prepare);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
