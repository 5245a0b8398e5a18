//! The groups of the documentation, in the order in which somebody new would read them.

use utoipa::openapi::tag::{Tag, TagBuilder};

/// Where the groups of resources stand that have no line of their own.
const RESOURCES: &str = "items";

const TAGS: [(&str, &str); 18] = [
    ("root", "What this is, and whether credentials are good."),
    (
        "tokens",
        "Signing in and out. `POST /auth/token` exchanges a name and password for an access token, which \
         goes into `Authorization: Bearer ...`, and a refresh token for the next pair.",
    ),
    (
        "accounts",
        "Users, their roles and their API keys. An API key is used as HTTP Basic `id:api_key`.",
    ),
    (
        "databases",
        "The gateway's databases, their tables and views, and the accounts of the database server.",
    ),
    (
        "rows",
        "Rows of any table, in the grammar of PostgREST: filters `column=operator.value`, `select`, \
         `order`, `limit`, `offset`, and wishes in the header `Prefer`.",
    ),
    (
        "items",
        "Things that belong to whoever made them. A resource: `If-Match` names the version that is meant, \
         `Idempotency-Key` the request.",
    ),
    (
        "posts",
        "Posts with votes. Those that are not published are seen by their owner alone.",
    ),
    (
        "employees",
        "People of a company. Administrators keep them, everybody reads them.",
    ),
    (
        "webhooks",
        "The inbox: addresses that take in what others send, and what came. Consumers lease messages, \
         and acknowledge them when they are done.",
    ),
    ("inbox", "The public addresses, for those who send."),
    (
        "versions",
        "Which versions of the API are supported; clients name theirs in `X-Version`.",
    ),
    ("jobs", "What is done by itself, on one node of many."),
    ("audit", "Who changed what."),
    (
        "admin",
        "Everything that only administrators may do, from all groups.",
    ),
    (
        "early gateway",
        "The short routes of early clients: flat bodies, sentences for answers, 400 where something exists.",
    ),
    ("early posts", "Early names of the routes of posts."),
    (
        "health",
        "For whoever watches over the server: no credentials, no limits.",
    ),
    ("docs", "This documentation."),
];

/// The tags that are used, those without a line here beside the other resources.
pub(super) fn of<'a>(used: impl IntoIterator<Item = &'a str>) -> Vec<Tag> {
    let mut used: Vec<&str> = used.into_iter().collect();
    used.sort_unstable();
    used.dedup();
    let known = |name: &str| TAGS.iter().position(|(tag, _)| *tag == name);
    let resources = known(RESOURCES);
    used.sort_by_key(|name| known(name).or(resources));
    used.into_iter()
        .map(|name| {
            let description = known(name)
                .and_then(|at| TAGS.get(at))
                .map(|(_, text)| *text);
            TagBuilder::new()
                .name(name)
                .description(description)
                .build()
        })
        .collect()
}
