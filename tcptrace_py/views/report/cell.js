// A page with nothing but graphs, in a cell of a notebook: they are drawn at once.

for (const box of document.querySelectorAll(".graphs")) drawn(box, JSON.parse(box.dataset.kinds));
