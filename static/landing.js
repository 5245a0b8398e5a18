// Tells on the landing page whether the server is ready, which version it is, and its address.
// The page says the same without it, only less.
"use strict";

const state = document.getElementById("state");

function say(text, kind) {
  state.textContent = text;
  state.className = kind;
}

fetch("/health/ready", { cache: "no-store" })
  .then((answer) =>
    answer.ok
      ? say("Ready: the server and its database answer.", "good")
      : say("The server answers; its database does not yet.", "bad"),
  )
  .catch(() => say("The server does not answer.", "bad"));

fetch("/", { headers: { Accept: "application/json" }, credentials: "omit" })
  .then((answer) => answer.json())
  .then(({ version }) => {
    if (version) document.getElementById("version").textContent = ` ${version}`;
  })
  .catch(() => {});

document.getElementById("base").textContent = location.origin;
