// What the page does by itself: opens the connection that a link names, and draws its graphs then.

function start() {
  for (const table of document.querySelectorAll("table.connections")) tableOfConnections(table);
  const shown = [...document.querySelectorAll("details.connection")];
  for (const section of shown) section.addEventListener("toggle", () => section.open && opened(section));
  document.addEventListener("click", followed);
  addEventListener("hashchange", () => goTo(location.hash.slice(1)));
  if (location.hash) goTo(location.hash.slice(1));
  else if (shown.length === 1) shown[0].open = true;
}

function opened(section) {
  const box = section.querySelector(".graphs"); // none, if no segment has a time
  return box ? drawn(box) : null;
}

function followed(event) {
  const row = event.target.closest("table.connections tbody tr");
  const named = event.target.closest("a");
  const link = named ? /^#c\d+$/.test(named.hash) && named : row && !getSelection().toString() && row.querySelector("a");
  if (!link) return;
  event.preventDefault();
  history.replaceState(null, "", link.hash);
  goTo(link.hash.slice(1), link.dataset.frame);
}

// Open a connection and go to it, and to one of its segments.
async function goTo(id, frame) {
  const target = document.getElementById(id);
  const section = target?.closest("details.connection");
  if (!section) return;
  section.open = true;
  const group = await opened(section);
  if (!frame) {
    section.querySelector("summary").focus({ preventScroll: true });
    section.scrollIntoView({ block: "start" });
    return;
  }
  group?.find(+frame);
  const rung = [...section.querySelectorAll(".ladder td.tf-number")].find((cell) => cell.textContent === frame)?.parentElement;
  for (const old of document.querySelectorAll(".meant")) old.classList.remove("meant");
  for (let fold = rung?.closest("details"); fold && fold !== section; fold = fold.parentElement.closest("details")) fold.open = true;
  rung?.classList.add("meant");
  section.querySelector(".graphs")?.focus({ preventScroll: true });
  (rung || section).scrollIntoView({ block: rung ? "center" : "start" });
}

start();
