/* Names the fields that offer choices while one types: the script that draws them leaves them without the words of their label.
   And gives every cell of a list the name of its column: on a phone a row is a card. */
(() => {
  "use strict";

  const columns = [...document.querySelectorAll("#result_list thead th")].map((head) => head.querySelector(".text")?.textContent.trim());
  for (const row of document.querySelectorAll("#result_list tbody tr")) {
    [...row.cells].forEach((cell, at) => { if (cell.tagName === "TD" && columns[at]) cell.dataset.label = columns[at]; });
  }

  function name(select) {
    const label = document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
    const drawn = select.parentElement.querySelector(".select2-selection");
    const chosen = drawn?.querySelector(".select2-selection__rendered");
    if (!label || !chosen || chosen.hasAttribute("aria-labelledby")) return;
    label.id ||= `${select.id}_label`;
    chosen.setAttribute("aria-labelledby", label.id);
    drawn.setAttribute("aria-labelledby", `${label.id} ${chosen.id}`);
  }

  const nameAll = () => document.querySelectorAll("select.admin-autocomplete").forEach(name);
  nameAll();
  new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
})();
