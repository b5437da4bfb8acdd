(() => {
  const table = document.getElementById("models");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const search = document.getElementById("search");
  const filters = [...document.querySelectorAll("[data-filter]")];
  const order = document.getElementById("order");
  const form = document.querySelector("form");
  const found = document.getElementById("found");
  const nothing = document.getElementById("nothing");
  const numbers = new Set(["size", "parameters", "operators", "decibels"]);
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase().replace(/\s+/g, " ")]));
  const collator = new Intl.Collator("en", { numeric: true });

  const select = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = texts.get(row);
      const shown = words.every((word) => text.includes(word)) &&
        filters.every((filter) => !filter.value || row.dataset[filter.dataset.filter] === filter.value);
      row.hidden = !shown;
      count += shown;
    }
    found.textContent = count === rows.length ? `${count} models` : `${count} of ${rows.length} models`;
    nothing.hidden = count > 0;
  };

  const sort = (key, direction) => {
    const sign = direction === "ascending" ? 1 : -1;
    const compare = (left, right) => {
      const a = left.dataset[key];
      const b = right.dataset[key];
      // What has no value is last in either direction.
      if (!a || !b) return (a ? 0 : 1) - (b ? 0 : 1);
      return sign * (numbers.has(key) ? Number(a) - Number(b) : collator.compare(a, b));
    };
    body.append(...rows.sort((a, b) => compare(a, b) || collator.compare(a.dataset.name, b.dataset.name)));
    for (const heading of table.tHead.rows[0].cells) {
      if (heading.dataset.key === key) heading.setAttribute("aria-sort", direction);
      else heading.removeAttribute("aria-sort");
    }
    order.value = key;
  };

  for (const heading of table.tHead.querySelectorAll("[data-key]")) {
    heading.querySelector("button").addEventListener("click", () => {
      const now = heading.getAttribute("aria-sort");
      const first = numbers.has(heading.dataset.key) ? "descending" : "ascending";
      sort(heading.dataset.key, now ? (now === "ascending" ? "descending" : "ascending") : first);
    });
  }
  order.addEventListener("change", () => sort(order.value, numbers.has(order.value) ? "descending" : "ascending"));
  search.addEventListener("input", select);
  for (const filter of filters) filter.addEventListener("change", select);
  form.addEventListener("submit", (event) => event.preventDefault());
  const restore = () => { sort("name", "ascending"); select(); };
  // The fields are empty only after the event.
  form.addEventListener("reset", () => setTimeout(restore));
  document.getElementById("clear").addEventListener("click", () => { form.reset(); restore(); search.focus(); });
  // A browser may have kept what was in the fields.
  select();
})();
