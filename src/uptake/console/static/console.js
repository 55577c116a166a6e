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

for (const button of document.querySelectorAll("[data-copy]")) {
  // Browsers let pages of HTTPS and of the own machine write to the clipboard.
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1500);
  });
}

// The number of users that match a filter, while it is typed.
const PAUSE = 400;

for (const form of document.querySelectorAll("form[data-preview]")) {
  const filter = form.querySelector("[name=filter]");
  const result = document.querySelector("[data-preview-result]");
  let last = 0;
  const show = async () => {
    const mine = ++last;
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.dataset.preview, { method: "POST", body });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const found = page.querySelector("#preview, [role=alert]");
    if (mine === last && found) {
      result.replaceChildren(document.adoptNode(found));
    }
  };
  let timer = 0;
  filter.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE);
  });
}
