"use strict";
const form = document.getElementById("filters");
const articles = [...document.querySelectorAll("article")];

function filter() {
  const asked = new FormData(form);
  const words = asked.get("text").toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const article of articles) {
    const fits = ["section", "kind", "labels", "speed"].every((name) => !asked.get(name) || article.dataset[name] === asked.get(name))
      && words.every((word) => article.dataset.words.includes(word));
    article.hidden = !fits;
    shown += fits;
  }
  for (const section of document.querySelectorAll("main > section:not(#slowest)"))
    section.hidden = !section.querySelector("article:not([hidden])");
  document.getElementById("none").hidden = shown > 0;
  document.getElementById("count").textContent = shown === articles.length ? `${shown} operations` : `${shown} of ${articles.length}`;
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch { // a page from a file may have no clipboard: leave the text selected
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("click", (event) => { if (event.target.matches(".step button")) copy(event.target); });
window.addEventListener("hashchange", () => { // a link to an operation that the filter hides shows it
  if (document.getElementById(location.hash.slice(1))?.hidden) { form.reset(); filter(); location.replace(location.hash); }
});
filter();
