// A view becomes movable by a click; the search looks through all sections of the course.
document.querySelectorAll("button[data-view]").forEach(button => button.addEventListener("click", () => {
  const frame = document.createElement("iframe");
  frame.src = button.dataset.view;
  frame.title = "The view above, to be turned with the mouse";
  button.closest(".movable").append(frame);
  button.remove();
}));

const box = document.getElementById("search"), found = document.getElementById("found");
const menu = document.getElementById("menu");
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(word => word.length > 1);
  menu.hidden = words.length > 0;
  found.hidden = words.length === 0;
  const score = ([, title, text]) => words.reduce((sum, word) =>
    sum + (title.toLowerCase().includes(word) ? 5 : text.toLowerCase().includes(word) ? 1 : -100), 0);
  const hits = words.length ? SECTIONS.map(s => [score(s), s]).filter(hit => hit[0] > 0) : [];
  hits.sort((a, b) => b[0] - a[0]);
  found.replaceChildren(...hits.slice(0, 20).map(([, [where, title]]) => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = where;
    link.textContent = title;
    item.append(link);
    return item;
  }));
  if (words.length && !hits.length) found.textContent = "Nothing found.";
});
