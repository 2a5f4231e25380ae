"use strict";

// Figures open as large as they are.
const dialog = document.createElement("dialog");
const large = dialog.appendChild(document.createElement("img"));
document.body.append(dialog);
dialog.addEventListener("click", () => dialog.close());
for (const image of document.querySelectorAll("body img:not(td img, dialog img)")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "figure";
  button.title = "enlarge";
  image.replaceWith(button);
  button.append(image);
  button.addEventListener("click", () => {
    large.src = image.src;
    large.alt = image.alt;
    dialog.showModal();
  });
}

// Tables sort by a column; rows with a number in it by that.
const number = (cell) => parseFloat(cell.textContent.replaceAll(",", ""));
function compare(first, second) {
  const difference = number(first) - number(second);
  return Number.isNaN(difference) ? first.textContent.localeCompare(second.textContent) : difference;
}
for (const head of document.querySelectorAll("th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = "sort";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    body.append(...[...body.rows].sort((a, b) => sign * compare(a.cells[column], b.cells[column])));
  });
}

// The contents mark the section that is read.
const links = new Map([...document.querySelectorAll("#contents + ul a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    const link = links.get(entry.target.id);
    link.setAttribute("aria-current", "true");
    const list = link.closest("#contents + ul");
    if (list.scrollHeight > list.clientHeight) list.scrollTo({ top: link.offsetTop - list.clientHeight / 2 });
  }
}, { rootMargin: "0px 0px -75% 0px" });
for (const heading of document.querySelectorAll("h2, h3")) if (links.has(heading.id)) seen.observe(heading);
