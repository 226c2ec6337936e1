// Sorts a table by the column whose heading is clicked. Without this script the page lacks only that.
(() => {
  const numberIn = (row, column) => {
    const text = row.cells[column].textContent.replace(/\u2212/g, "-").replace(/(\d),(?=\d{3})/g, "$1");
    const found = text.match(/[-+]?\d+(\.\d+)?/);
    return found ? Number(found[0]) : NaN;
  };

  const compare = (one, other, column, rising) => {
    const [a, b] = [numberIn(one, column), numberIn(other, column)];
    if (Number.isNaN(a) && Number.isNaN(b)) {
      return one.cells[column].textContent.localeCompare(other.cells[column].textContent);
    }
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1;
    return rising ? a - b : b - a;
  };

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      if (column === 0) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const rising = heading.getAttribute("aria-sort") !== "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        table.tBodies[0].append(...rows.sort((one, other) => compare(one, other, column, rising)));
      });
    });
  }
})();
