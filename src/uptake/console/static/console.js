// What pages gain with JavaScript; each works without it.

for (const form of document.querySelectorAll("form[data-submit]")) {
  form.requestSubmit();
}

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

for (const element of document.querySelectorAll("[data-no-script]")) {
  element.hidden = true;
}
