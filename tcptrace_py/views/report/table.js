// The table of connections: sorted by a click on a column's name, filtered by words, shown a page at a time.

const PER_PAGE = 100;

function tableOfConnections(table) {
  const body = table.tBodies[0], rows = [...body.rows];
  const keys = rows.map((row) => [...row.cells].map((cell) => key(cell)));
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const state = { order: rows.map((_, i) => i), shown: [], page: 0, column: -1, down: false };

  function key(cell) {
    const given = cell.dataset.s ?? cell.textContent;
    return given === "" ? null : Number.isNaN(+given) ? given : +given;
  }

  function compared(a, b) {
    const [one, other] = [keys[a][state.column], keys[b][state.column]];
    if (one === other) return a - b;
    if (one === null || other === null) return one === null ? 1 : -1; // what is not known stands last
    const less = typeof one === typeof other ? one < other : typeof one === "number";
    return less === state.down ? 1 : -1;
  }

  function sort(column) {
    state.down = state.column === column && !state.down;
    state.column = column;
    state.order.sort(compared);
    heads.forEach((head, at) => {
      if (at === column) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    filter();
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const least = severity.value;
    state.shown = state.order.filter((at) => (!least || keys[at][1] >= +least) && words.every((word) => texts[at].includes(word)));
    turn(0);
  }

  function turn(page) {
    const pages = Math.max(Math.ceil(state.shown.length / PER_PAGE), 1);
    state.page = Math.min(Math.max(page, 0), pages - 1);
    const from = state.page * PER_PAGE, some = state.shown.slice(from, from + PER_PAGE);
    body.replaceChildren(...some.map((at) => rows[at]));
    const all = `${state.shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} connections`;
    told.textContent = pages > 1 ? `${all}, page ${state.page + 1} of ${pages}` : all;
    back.disabled = state.page === 0;
    on.disabled = state.page === pages - 1;
    back.hidden = on.hidden = pages === 1;
  }

  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = made("button", { type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => sort(column));
    head.append(button);
  });
  const search = made("input", { type: "search", size: 40, placeholder: "address, port, shape, finding …" });
  const severity = made("select", {});
  for (const [value, name] of [["", "any severity"], [1, "note and above"], [2, "warning and above"], [3, "error"]]) severity.append(made("option", { value }, name));
  search.addEventListener("input", filter);
  severity.addEventListener("change", filter);
  const told = made("output", { "aria-live": "polite" });
  const [back, on] = [made("button", { type: "button" }, "Previous page"), made("button", { type: "button" }, "Next page")];
  back.addEventListener("click", () => turn(state.page - 1));
  on.addEventListener("click", () => turn(state.page + 1));
  const tools = made("form", { class: "filter", role: "search" }, made("label", {}, "Only rows with ", search), made("label", {}, "Severity ", severity), back, on, told);
  tools.addEventListener("submit", (event) => event.preventDefault());
  table.closest(".wide").before(tools);
  filter();
  table.classList.add("paged");
}
