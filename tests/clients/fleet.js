// What the clients in JavaScript share: the fleet, an application of ships, their crews and voyages,
// made through Tidegate's own routes; and how a check comes out.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const path = require("node:path");
const fleet = require("./fleet.json");

const { BASE, ADMIN, ADMIN_PASSWORD, ENGINE = "sqlite", DATABASE = "fleet" } = process.env;

let failed = 0;

/** Does one check, and says how it came out. */
async function check(name, work) {
  try {
    await work();
    console.log(`ok ${ENGINE}: ${name}`);
  } catch (error) {
    failed += 1;
    process.exitCode = 1;
    console.log(`not ok ${ENGINE}: ${name}: ${error.message.replaceAll("\n", "\n    ")}`);
  }
}

/** Sends JSON to a route of Tidegate's own and gives the answer's. */
async function call(token, method, path, body) {
  const response = await fetch(BASE + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

/** Signs in, and gives a token. */
async function signIn() {
  const form = new URLSearchParams({ username: ADMIN, password: ADMIN_PASSWORD });
  const response = await fetch(`${BASE}/auth/token`, { method: "POST", body: form });
  if (!response.ok) throw new Error(`signing in: ${response.status} ${await response.text()}`);
  return (await response.json()).access_token;
}

/**
 * Runs an application's checks: makes its database and tables, has `fill` put the rows in by the
 * client, and drops all of it in the end.
 */
async function run(fill, checks) {
  const token = await signIn();
  await call(token, "POST", "/databases", { name: DATABASE });
  try {
    for (const table of fleet.tables) {
      await call(token, "POST", `/databases/${DATABASE}/tables`, table);
    }
    if (ENGINE !== "sqlite") {
      execFileSync("python3", [path.join(__dirname, "routines.py")], { stdio: "inherit" });
      await call(token, "POST", `/databases/${DATABASE}/reload`, {});
    }
    const place = { token, url: `${BASE}/rest/${DATABASE}`, database: DATABASE };
    await check("the rows go in", () => fill(place, fleet.rows));
    await checks(place);
  } finally {
    await call(token, "DELETE", `/databases/${DATABASE}?force=true`);
  }
}

/** Runs the whole, and breaks off loudly. */
function main(fill, checks) {
  run(fill, checks).catch((error) => {
    process.exitCode = 1;
    console.log(`not ok ${ENGINE}: the client: ${error.stack}`);
  });
}

module.exports = { assert, call, check, main, rows: fleet.rows, ENGINE };
