//! Errors: the codes of PostgREST and of SQL, with their four members.

use super::{Answer, Example, ask};

const fn fails(request: &'static str, status: u16, members: &'static str) -> Example {
    ask(request, Answer::Error(status, members))
}

pub const EXAMPLES: &[Example] = &[
    // The request.
    fails("GET people?age=ltt.13", 400, r#"{"code":"PGRST100"}"#),
    fails("GET people?order=age.up", 400, r#"{"code":"PGRST100"}"#),
    fails("POST people", 400, r#"{"code":"PGRST102"}"#).send("{"),
    fails(
        "POST people",
        400,
        r#"{"code":"PGRST102","message":"All object keys must match"}"#,
    )
    .send(r#"[{"id":90},{"first_name":"x"}]"#),
    fails("GET people?limit=-1", 416, r#"{"code":"PGRST103"}"#),
    fails("GET people", 416, r#"{"code":"PGRST103"}"#).with(&[("range", "9-2")]),
    fails("PUT staff?name=eq.x", 405, r#"{"code":"PGRST105"}"#)
        .send(r#"{"id":1,"name":"x","salary":1}"#),
    fails("PUT staff?id=eq.1&limit=1", 400, r#"{"code":"PGRST114"}"#)
        .send(r#"{"id":1,"name":"x","salary":1}"#),
    fails("PUT staff?id=eq.1", 400, r#"{"code":"PGRST115"}"#)
        .send(r#"{"id":2,"name":"x","salary":1}"#),
    fails("GET people", 406, r#"{"code":"PGRST106"}"#)
        .with(&[("accept-profile", "nowhere_at_all")]),
    fails("GET people", 406, r#"{"code":"PGRST107"}"#).with(&[("accept", "application/x-tar")]),
    fails(
        "GET films?select=id&actors.first_name=eq.Tilda",
        400,
        r#"{"code":"PGRST108","message":"'actors' is not an embedded resource in this request","hint":"Verify that 'actors' is included in the 'select' query parameter."}"#,
    ),
    fails(
        "GET films?select=id,actors(id)&order=actors(last_name)",
        400,
        r#"{"code":"PGRST118"}"#,
    ),
    fails(
        "GET films?select=id,actors(id)&actors=eq.1",
        400,
        r#"{"code":"PGRST120"}"#,
    ),
    fails("GET people?age=sl.(1,10)", 400, r#"{"code":"PGRST127"}"#),
    fails(
        "GET directors?select=last_name,...films(year.max())",
        400,
        r#"{"code":"PGRST127"}"#,
    ),
    // What is there.
    fails(
        "GET films?select=title,customers(id)",
        400,
        r#"{"code":"PGRST200"}"#,
    ),
    fails(
        "GET film",
        404,
        r#"{"code":"PGRST205","message":"Could not find the table '$db.film' in the schema cache","details":null,"hint":"Perhaps you meant the table '$db.films'"}"#,
    ),
    fails(
        "POST people?columns=id,nickname",
        400,
        r#"{"code":"PGRST204"}"#,
    )
    .send(r#"{"id":91}"#),
    fails("GET people?select=nickname", 400, r#"{"code":"42703"}"#),
    fails("GET films/1/director", 404, r#"{"code":"PGRST125"}"#),
    fails(
        "POST rpc/nonexistent_function",
        404,
        r#"{"code":"PGRST202"}"#,
    )
    .send("{}"),
    // The database's own.
    fails("POST staff", 400, r#"{"code":"23502"}"#).send(r#"{"id":90,"name":null}"#),
    fails("POST staff", 409, r#"{"code":"23505"}"#).send(r#"{"id":90,"name":"Old Nora"}"#),
    fails("POST films", 409, r#"{"code":"23503"}"#).send(r#"{"id":90,"director_id":99}"#),
    fails("DELETE directors?id=eq.1", 409, r#"{"code":"23503"}"#),
    fails("GET people?id=eq.one", 400, r#"{"code":"22P02"}"#),
    fails("POST people", 400, r#"{"code":"22P02"}"#).send(r#"{"id":"one"}"#),
    fails("PATCH people", 400, r#"{"code":"21000"}"#).send(r#"{"age":1}"#),
    fails("DELETE people", 400, r#"{"code":"21000"}"#),
];
