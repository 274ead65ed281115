"use strict";
// Keys for those who use it all day. Without script Tab and Enter, and the access keys, do the same.
// Arrow keys act only while a row's link has the focus, so that no single letter is taken from anybody.
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  const here = document.activeElement;
  if (!step || !here?.matches("[data-row]")) return;
  const rows = [...here.closest("table").querySelectorAll("[data-row]")];
  const to = Math.min(Math.max(rows.indexOf(here) + step, 0), rows.length - 1);
  rows[to].focus();
  rows[to].scrollIntoView({ block: "nearest" });
  event.preventDefault();
});
