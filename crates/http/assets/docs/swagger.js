// Starts Swagger UI on the document of this server, in the colours that the reader prefers.
"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
follow();
dark.addEventListener("change", follow);

// Swagger UI itself stands after this file.
window.addEventListener("DOMContentLoaded", () => {
  const page = document.getElementById("swagger-ui");
  window.SwaggerUIBundle({
    url: page.dataset.document,
    domNode: page,
    layout: "BaseLayout",
    deepLinking: true,
    docExpansion: "none",
    displayRequestDuration: true,
    filter: true,
    // What it would send is the document, to a server of its makers.
    validatorUrl: null,
    requestInterceptor: (request) => {
      // A browser that opened this page with a name and password would send them with every
      // request; what is tried here carries what was given under "Authorize", and nothing else.
      if (!request.loadSpec) request.credentials = "omit";
      return request;
    },
  });
});
