// Sorts and filters the table of cells. Without it, the page shows all the same.
(function () {
  "use strict";
  var table = document.getElementById("all");
  var body = table.tBodies[0];
  var rows = Array.prototype.slice.call(body.rows);
  var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);

  heads.forEach(function (head, column) {
    var number = head.classList.contains("num");
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () {
      var down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(function (h) { h.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      var key = function (row) { return row.cells[column].dataset.sort; };
      rows.sort(function (a, b) {
        var x = key(a), y = key(b);
        if ((x === "") !== (y === "")) { return x === "" ? 1 : -1; } // what is not there comes last
        var order = number ? Number(x) - Number(y) : x.localeCompare(y, undefined, { numeric: true });
        return down ? -order : order;
      });
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });

  var text = document.getElementById("filter");
  var outcome = document.getElementById("outcome");
  var shown = document.getElementById("shown");
  function filter() {
    var part = text.value.toLowerCase();
    var n = 0;
    rows.forEach(function (row) {
      var fits = (outcome.value === "" || row.dataset.outcome === outcome.value) && row.textContent.toLowerCase().indexOf(part) >= 0;
      row.hidden = !fits;
      if (fits) { n++; }
    });
    shown.textContent = n + " of " + rows.length;
  }
  text.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  document.querySelector(".tools").hidden = false;
  filter();
})();
