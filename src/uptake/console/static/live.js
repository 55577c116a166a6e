// Adds new requests to a table as they come: server-sent events.

const MAX_ROWS = 200;
const RETRY = 5000;

const table = document.querySelector("table[data-stream]");
if (table?.dataset.stream) {
  follow(table);
}

function follow(table) {
  const body = table.tBodies[0];
  const template = table.parentElement.querySelector("template[data-row]");
  const state = document.querySelector("[data-live-state]");
  const text = state.querySelector("[data-live-text]");
  const pause = document.querySelector("[data-live-pause]");
  const empty = document.querySelector("[data-live-empty]");
  const keys = new Map();
  for (const option of document.querySelectorAll("select[name=key] option[value]")) {
    keys.set(option.value, option.textContent);
  }
  const shown = new Set();
  const waiting = [];
  let source = null;
  let last = "";
  let count = 0;
  let paused = false;

  const show = (name, message) => {
    state.dataset.liveState = name;
    text.textContent = message;
  };

  const showCount = () => {
    if (paused) {
      show("paused", `Paused, ${waiting.length} new`);
    } else {
      show("on", count ? `Watching, ${count} new` : state.dataset.liveWaiting || "Watching");
    }
  };

  const add = (requests) => {
    for (const one of requests) {
      // Those of the page may come again with the first event.
      const id = `${one.request_id} ${one.received_at.slice(0, 19).replace("T", " ")}`;
      if (!shown.has(id)) {
        shown.add(id);
        body.prepend(row(one));
        count += 1;
      }
    }
    while (body.rows.length > MAX_ROWS) {
      body.deleteRow(-1);
    }
    if (empty && body.rows.length) {
      empty.hidden = true;
    }
    if (requests.length) {
      table.dispatchEvent(new CustomEvent("requests", { bubbles: true }));
    }
  };

  const row = (one) => {
    const made = template.content.cloneNode(true).querySelector("tr");
    const cell = (name, value) => {
      const element = made.querySelector(`[data-cell=${name}]`);
      element.textContent = value ?? "";
      return element;
    };
    made.className = "new";
    cell("time", one.received_at.slice(0, 19).replace("T", " ")).href +=
      `/${encodeURIComponent(one.request_id)}`;
    cell("format", one.format);
    cell("status", one.status).dataset.kind = one.status === 207 ? "p" : String(one.status)[0];
    cell("accepted", one.accepted.toLocaleString("en"));
    cell("rejected", one.rejected?.toLocaleString("en"));
    const user = cell("user", one.user_id);
    if (one.user_id) {
      user.hidden = false;
      user.href += `/${encodeURIComponent(one.user_id)}`;
    }
    cell("key", one.key_id && (keys.get(one.key_id) ?? `...${one.key_id.slice(-8)}`));
    cell("ms", one.ms?.toLocaleString("en"));
    cell("fault", one.fault);
    return made;
  };

  // What came between the answer with the page and the begin of the stream.
  const refresh = async () => {
    const response = await fetch(location.href);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const rows = page.querySelector("table[data-stream] tbody")?.rows ?? [];
    body.replaceChildren(...[...rows].map((one) => document.adoptNode(one)));
    shown.clear();
    for (const one of body.querySelectorAll("[data-cell=time]")) {
      shown.add(`${decodeURIComponent(one.pathname.split("/").pop())} ${one.textContent.trim()}`);
    }
  };

  let ready = Promise.resolve();
  const receive = (event) => {
    const isFirst = !last;
    last = event.lastEventId;
    const { requests } = JSON.parse(event.data);
    if (isFirst && "refresh" in table.dataset) {
      ready = refresh();
    }
    ready = ready.then(() => {
      if (paused) {
        waiting.push(...requests);
        waiting.splice(0, waiting.length - MAX_ROWS);
      } else {
        add(requests);
      }
      showCount();
    });
  };

  const open = () => {
    const url = new URL(table.dataset.stream, location.href);
    if (last) {
      url.searchParams.set("last_event_id", last);
    }
    source = new EventSource(url);
    source.addEventListener("requests", receive);
    source.addEventListener("open", showCount);
    source.addEventListener("error", () => {
      // The browser connects again by itself, unless the answer was an error.
      if (source.readyState === EventSource.CLOSED) {
        show("off", "Not connected. Reload the page if this lasts.");
        setTimeout(open, RETRY);
      }
    });
  };

  // A browser has six connections to a server: hidden pages give theirs back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source.close();
    } else if (source.readyState === EventSource.CLOSED) {
      open();
    }
  });

  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Resume" : "Pause";
      if (!paused) {
        add(waiting.splice(0));
      }
      showCount();
    });
  }
  open();
}
