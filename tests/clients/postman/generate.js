// Makes the Postman collection of the OpenAPI document: a folder for each group, and the tour.
//
//   node generate.js OPENAPI_JSON       writes the collection to standard output
//
// The same document gives the same collection, to the byte.
"use strict";

const fs = require("node:fs");
const converter = require("openapi-to-postmanv2");
const tour = require("./tour.js");

const OPTIONS = {
  folderStrategy: "Tags",
  parametersResolution: "Example",
  alwaysInheritAuthentication: true,
};
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch"];

/** Every operation of the document, and what stands for it in the collection. */
function operations(document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, ...item[method] })),
  );
}

/** A request of the document: method and path in the words of the collection. */
function signature(request) {
  const path = request.url.path.map((part) => (part.startsWith(":") ? "{}" : part)).join("/");
  return `${request.method} /${path}`;
}

function convert(document) {
  return new Promise((resolve, reject) => {
    converter.convertV2({ type: "json", data: document }, OPTIONS, (error, result) => {
      if (error || !result.result) reject(error ?? new Error(result.reason));
      else resolve(result.output[0].data);
    });
  });
}

/** What is not needed, and what is different in every run of the converter. */
function tidy(item) {
  delete item.id;
  delete item.event;
  const { request } = item;
  delete request.auth;
  delete request.name;
  for (const part of [...request.header, ...request.url.query, ...(request.url.variable ?? [])]) {
    delete part.id;
    if (part.description?.content) part.description = part.description.content;
    if (!part.description) delete part.description;
    if (part.disabled === false) delete part.disabled;
  }
  if (request.description?.content) request.description = request.description.content;
  if (typeof request.description !== "string") delete request.description;
  // One answer, the good one, shows enough; the document has the others.
  item.response = item.response
    .filter((response) => response.code < 300 && response.body)
    .slice(0, 1)
    .map(({ name, code, status, header, body, _postman_previewlanguage }) => ({
      name,
      originalRequest: { method: request.method, header: [], url: request.url },
      code,
      status,
      header: header.map(({ key, value }) => ({ key, value })),
      body,
      _postman_previewlanguage,
    }));
}

/** Leaves out what one may leave out, so that a request can be sent as it is. */
function plain(item, operation) {
  const required = new Set((operation.parameters ?? []).filter((it) => it.required).map((it) => it.name));
  const own = ["Content-Type", "Accept"];
  for (const header of item.request.header) {
    if (!own.includes(header.key) && !required.has(header.key)) header.disabled = true;
  }
  for (const query of item.request.url.query) {
    if (!required.has(query.key)) query.disabled = true;
  }
  const form = operation.requestBody?.content["application/x-www-form-urlencoded"];
  if (item.request.body?.mode === "urlencoded") {
    const fields = Object.entries(form.example).map(([key, value]) => ({ key, value }));
    item.request.body.urlencoded = fields;
  }
  if (operation.security?.length === 0) item.request.auth = { type: "noauth" };
}

/** `"{{n}}#"` in a body is the number that the variable holds. */
const numbers = (text) => text.replace(/"(\{\{\w+\}\})#"/g, "$1");

function basic([name, secret]) {
  const pairs = { username: name, password: secret };
  const members = Object.entries(pairs).map(([key, value]) => ({ key, value, type: "string" }));
  return { type: "basic", basic: members };
}

function script(listen, lines) {
  return { listen, script: { type: "text/javascript", exec: lines } };
}

function tests(step) {
  const lines = [`pm.test("answers ${step.status}", () => pm.response.to.have.status(${step.status}));`];
  const { keep = {}, holds = [] } = step;
  if (holds.length || Object.keys(keep).length) {
    lines.push("const headers = pm.response.headers;");
    lines.push("let body;", "try { body = pm.response.json(); } catch { body = pm.response.text(); }");
  }
  for (const claim of holds) {
    lines.push(`pm.test(${JSON.stringify(claim)}, () => pm.expect(Boolean(${claim})).to.equal(true));`);
  }
  for (const [name, value] of Object.entries(keep)) {
    lines.push(`pm.collectionVariables.set("${name}", ${value});`);
  }
  return lines;
}

/** A step of the tour: the request of its operation with what the step says of it. */
function walk(step, item) {
  const made = structuredClone(item);
  made.name = step.name ?? made.name;
  made.response = [];
  const { request } = made;
  delete request.description;
  delete request.auth;
  const form = step.form;
  const ours = { ...step.headers };
  if (form) ours["Content-Type"] ??= "application/x-www-form-urlencoded";
  else if (step.body !== undefined) ours["Content-Type"] ??= "application/json";
  if (item.request.header.some((it) => it.key === "Accept")) ours.Accept ??= "*/*";
  request.header = Object.entries(ours).map(([key, value]) => ({ key, value }));
  request.url.query = Object.entries(step.query ?? {}).map(([key, value]) => ({ key, value }));
  request.url.variable = (request.url.variable ?? []).map(({ key }) => {
    const value = step.path?.[key];
    if (value === undefined) throw new Error(`${made.name}: ${key} is missing in its path`);
    return { key, value };
  });
  delete request.body;
  if (form) {
    const fields = Object.entries(form).map(([key, value]) => ({ key, value }));
    request.body = { mode: "urlencoded", urlencoded: fields };
  } else if (step.body !== undefined) {
    const text = typeof step.body === "string" ? step.body : numbers(JSON.stringify(step.body, null, 2));
    request.body = { mode: "raw", raw: text };
  }
  if (step.auth === "none") request.auth = { type: "noauth" };
  else if (step.auth) request.auth = basic(step.auth);
  made.event = [script("test", tests(step))];
  if (step.before) made.event.unshift(script("prerequest", [step.before]));
  return made;
}

async function main(file) {
  const document = JSON.parse(fs.readFileSync(file, "utf8"));
  const all = operations(document);
  // What only administrators may do stands in a group of its own as well; here once is enough.
  for (const operation of all) {
    const { tags } = document.paths[operation.path][operation.method];
    if (tags.length > 1) tags.splice(1);
  }
  const converted = await convert(document);

  const bySignature = new Map();
  for (const operation of all) {
    const path = operation.path.replace(/\{[^}]*\}/g, "{}");
    bySignature.set(`${operation.method.toUpperCase()} ${path}`, operation);
  }
  const byOperation = new Map();
  const folders = converted.item.map((folder) => {
    for (const item of folder.item) {
      const operation = bySignature.get(signature(item.request));
      if (!operation) throw new Error(`no operation for ${signature(item.request)}`);
      tidy(item);
      byOperation.set(operation.operationId, structuredClone(item));
      plain(item, operation);
    }
    return { name: folder.name, item: folder.item };
  });
  const order = document.tags.map((tag) => tag.name);
  folders.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  for (const folder of folders) {
    folder.description = document.tags.find((tag) => tag.name === folder.name)?.description;
  }

  const steps = tour.map((step) => {
    const item = byOperation.get(step.op);
    if (!item) throw new Error(`the tour asks for ${step.op}, which the document does not have`);
    return walk(step, item);
  });
  const walked = new Set(tour.map((step) => step.op));
  const rest = all.map((it) => it.operationId).filter((id) => !walked.has(id));
  process.stderr.write(`the tour has ${steps.length} requests; not in it: ${rest.join(", ") || "nothing"}\n`);

  const variables = { baseUrl: "http://127.0.0.1:8080", username: "admin", password: "", token: "" };
  const collection = {
    info: {
      name: "Tidegate",
      description:
        "Every route, made from /openapi.json. Set `baseUrl`, `username` and `password` among the variables, and run " +
        "the folder Tour: it signs in, keeps the token for all other requests, and tries what there is.",
      schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
    },
    auth: { type: "bearer", bearer: [{ key: "token", value: "{{token}}", type: "string" }] },
    variable: Object.entries(variables).map(([key, value]) => ({ key, value })),
    item: [{ name: "Tour", item: steps }, ...folders],
  };
  process.stdout.write(`${JSON.stringify(collection, null, 1)}\n`);
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
