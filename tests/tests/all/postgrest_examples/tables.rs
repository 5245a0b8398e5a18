//! Tables and Views: filters, chosen columns, JSON, order, and writes of every kind.

use super::{Answer, Example, ask, rows};

const RETURN: &[(&str, &str)] = &[("prefer", "return=representation")];
const MERGE: &[(&str, &str)] = &[(
    "prefer",
    "resolution=merge-duplicates, return=representation",
)];

/// Examples that change nothing.
pub const READS: &[Example] = &[
    // Horizontal filtering.
    ask("GET people?age=lt.13&select=first_name", rows(r#"[{"first_name":"Jon"}]"#)),
    ask("GET people?age=gte.18&student=is.false&select=id&order=id", rows(r#"[{"id":3},{"id":4}]"#)),
    ask("GET people?or=(age.lt.17,age.gt.25)&select=id&order=id", rows(r#"[{"id":1},{"id":3}]"#)),
    ask("GET people?age=not.eq.17&select=id&order=id", rows(r#"[{"id":1},{"id":3},{"id":4}]"#)),
    ask("GET people?not.and=(age.gte.11,age.lte.17)&select=id&order=id", rows(r#"[{"id":3},{"id":4}]"#)),
    ask(
        "GET people?grade=gte.90&student=is.true&or=(age.eq.14,not.and(age.gte.11,age.lte.16))&select=id",
        rows(r#"[{"id":2}]"#),
    ),
    ask("GET people?age=isdistinct.17&select=id&order=id", rows(r#"[{"id":1},{"id":3},{"id":4},{"id":5}]"#)),
    ask("GET people?student=is.unknown&select=id", rows(r#"[{"id":5}]"#)),
    ask("GET people?first_name=in.(\"Jon\",Mia,\"Nobody, really\")&select=id&order=id", rows(r#"[{"id":1},{"id":2}]"#)),
    ask("GET people?first_name=like.*a&select=id&order=id", rows(r#"[{"id":2},{"id":3}]"#)),
    ask("GET people?first_name=ilike.a*&select=id", rows(r#"[{"id":3}]"#)),
    ask("GET people?first_name=match.^[JM]&select=id&order=id", rows(r#"[{"id":1},{"id":2}]"#)),
    ask("GET people?first_name=imatch.^[jm]&select=id&order=id", rows(r#"[{"id":1},{"id":2}]"#)),
    ask("GET people?first_name=like(any).{M*,E*}&select=id&order=id", rows(r#"[{"id":2},{"id":5}]"#)),
    ask("GET people?first_name=like(all).{*a*,*d*}&select=id", rows(r#"[{"id":3}]"#)),
    // Full-text search in columns of text.
    ask("GET people?select=id&first_name=fts(english).ada", rows(r#"[{"id":3}]"#)),
    ask("GET people?select=id&first_name=plfts.Per&order=id", rows(r#"[{"id":4}]"#)),
    ask("GET people?select=id&first_name=not.phfts(english).Mia&order=id", rows(r#"[{"id":1},{"id":3},{"id":4},{"id":5}]"#)),
    ask("GET people?select=id&first_name=wfts.jon%20or%20eli&order=id", rows(r#"[{"id":1},{"id":5}]"#)),
    // Vertical filtering.
    ask(
        "GET people?select=first_name,age&order=id&limit=2",
        rows(r#"[{"first_name":"Jon","age":11},{"first_name":"Mia","age":17}]"#),
    ),
    ask(
        "GET people?select=givenName:first_name,birthDate:birth_date&id=in.(1,2)&order=id",
        rows(r#"[{"givenName":"Jon","birthDate":"2012-01-12"},{"givenName":"Mia","birthDate":"2006-05-25"}]"#),
    ),
    ask(
        "GET people?select=first_name,salary::text&id=in.(3,4)&order=id",
        rows(r#"[{"first_name":"Ada","salary":"90000.00"},{"first_name":"Per","salary":"120000.50"}]"#),
    ),
    // JSON columns.
    ask(
        "GET people?select=id,json_data->>blood_type,json_data->phones&id=lt.3&order=id",
        rows(
            r#"[{"id":1,"blood_type":"A-","phones":[{"code":"61","number":"917-1"}]},
                {"id":2,"blood_type":"O+","phones":[{"code":"43","number":"512-2"},{"code":"43","number":"213-3"}]}]"#,
        ),
    ),
    ask(
        "GET people?select=id,json_data->phones->0->>number&id=lt.4&order=id",
        rows(r#"[{"id":1,"number":"917-1"},{"id":2,"number":"512-2"},{"id":3,"number":null}]"#),
    ),
    ask(
        "GET people?select=id,json_data->blood_type&json_data->>blood_type=eq.A-&order=id",
        rows(r#"[{"id":1,"blood_type":"A-"},{"id":3,"blood_type":"A-"}]"#),
    ),
    ask(
        "GET people?select=id,json_data->age&json_data->age=gt.11&order=id",
        rows(r#"[{"id":2,"age":17},{"id":3,"age":30}]"#),
    ),
    ask(
        "GET people?select=id,json_data->age&json_data=not.is.null&order=json_data->>age.desc",
        rows(r#"[{"id":3,"age":30},{"id":2,"age":17},{"id":1,"age":11}]"#),
    ),
    // Ordering.
    ask("GET people?select=id&order=age.desc,height.asc", rows(r#"[{"id":5},{"id":3},{"id":4},{"id":2},{"id":1}]"#)),
    ask("GET people?select=id&order=age", rows(r#"[{"id":1},{"id":2},{"id":4},{"id":3},{"id":5}]"#)),
    ask("GET people?select=id&order=age.nullsfirst", rows(r#"[{"id":5},{"id":1},{"id":2},{"id":4},{"id":3}]"#)),
    ask("GET people?select=id&order=age.desc.nullslast", rows(r#"[{"id":3},{"id":4},{"id":2},{"id":1},{"id":5}]"#)),
    ask(
        "GET people?select=id&order=json_data->age.desc.nullslast,id",
        rows(r#"[{"id":3},{"id":2},{"id":1},{"id":4},{"id":5}]"#),
    ),
    // A view is read as a table is.
    ask("GET french_films?select=title&order=id", rows(r#"[{"title":"Cléo from 5 to 7"},{"title":"Vagabond"}]"#)),
    // Without the body, and what may be done.
    ask("HEAD people?select=id&age=lt.13", Answer::Empty(200))
        .shows(&[("content-range", "0-0/*"), ("content-type", "application/json; charset=utf-8")]),
    ask("OPTIONS people", Answer::Empty(200)).shows(&[("allow", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE")]),
    // Other forms of the answer.
    ask("GET people?select=id,first_name&id=lt.3&order=id", Answer::Text(200, "id,first_name\n1,Jon\n2,Mia"))
        .with(&[("accept", "text/csv")])
        .shows(&[("content-type", "text/csv; charset=utf-8")]),
    ask("GET people?select=id,first_name&id=eq.1", Answer::Json(200, r#"{"id":1,"first_name":"Jon"}"#))
        .with(&[("accept", "application/vnd.pgrst.object+json")])
        .shows(&[("content-type", "application/vnd.pgrst.object+json; charset=utf-8")]),
    ask(
        "GET people?select=id",
        Answer::Error(
            406,
            r#"{"code":"PGRST116","message":"Cannot coerce the result to a single JSON object","details":"The result contains 5 rows","hint":null}"#,
        ),
    )
    .with(&[("accept", "application/vnd.pgrst.object+json")]),
    ask("GET people?select=id,age,grade&id=gt.3&order=id", rows(r#"[{"id":4,"age":25},{"id":5}]"#))
        .with(&[("accept", "application/vnd.pgrst.array+json;nulls=stripped")]),
];

/// Examples that write, in their order.
pub const WRITES: &[Example] = &[
    // Insert.
    ask("POST people", Answer::Empty(201))
        .send(r#"{"id":10,"first_name":"Ida","age":41}"#)
        .shows(&[("content-length", "0"), ("content-type", ""), ("content-range", "*/*"), ("location", "")]),
    ask("POST people", Answer::Empty(201))
        .with(&[("prefer", "return=headers-only")])
        .send(r#"{"id":11,"first_name":"Kim"}"#)
        .shows(&[("location", "/rest/$db/people?id=eq.11"), ("preference-applied", "return=headers-only")]),
    ask("POST people?select=id,first_name,category", Answer::Json(201, r#"[{"id":12,"first_name":"Lou","category":"none"}]"#))
        .with(RETURN)
        .send(r#"{"id":12,"first_name":"Lou"}"#)
        .shows(&[("preference-applied", "return=representation")]),
    ask("POST people?select=first_name,age,height", Answer::Json(201, r#"[{"first_name":"Max Roe","age":50,"height":80}]"#))
        .with(&[("prefer", "return=representation"), ("content-type", "application/x-www-form-urlencoded")])
        .send("id=13&first_name=Max+Roe&age=50&height=80"),
    // Bulk insert.
    ask(
        "POST people?select=first_name,age,height",
        Answer::Json(201, r#"[{"first_name":"","age":62,"height":70},{"first_name":"Jonas","age":null,"height":55}]"#),
    )
    .with(&[("prefer", "return=representation"), ("content-type", "text/csv")])
    .send("id,first_name,age,height\n20,,62,70\n21,Jonas,NULL,55\n"),
    ask("POST people?select=id,age", Answer::Json(201, r#"[{"id":22,"age":62},{"id":23,"age":10}]"#))
        .with(RETURN)
        .send(r#"[{"id":22,"first_name":"J Doe","age":62},{"id":23,"first_name":"Janus","age":10}]"#),
    ask(
        "POST people?columns=id,category,age&select=id,category,age",
        Answer::Json(201, r#"[{"id":24,"category":"none","age":1},{"id":25,"category":"new","age":null}]"#),
    )
    .with(&[("prefer", "missing=default, return=representation")])
    .send(r#"[{"id":24,"age":1},{"id":25,"category":"new"}]"#)
    .shows(&[("preference-applied", "missing=default, return=representation")]),
    ask(
        "POST people?columns=id,first_name&select=id,first_name,age",
        Answer::Json(201, r#"[{"id":26,"first_name":"Nat","age":null}]"#),
    )
    .with(RETURN)
    .send(r#"{"id":26,"first_name":"Nat","age":99,"stuff":"and nonsense"}"#),
    // Update.
    ask("PATCH people?age=lt.13", Answer::Empty(204))
        .send(r#"{"category":"child"}"#)
        .shows(&[("content-range", "0-2/*")]),
    ask("GET people?category=eq.child&select=id&order=id", rows(r#"[{"id":1},{"id":23},{"id":24}]"#)),
    ask("PATCH people?id=eq.2&select=first_name,category", rows(r#"[{"first_name":"Mia","category":"teen"}]"#))
        .with(RETURN)
        .send(r#"{"category":"teen"}"#),
    ask("PATCH people?id=eq.4711", Answer::Empty(204)).send(r#"{"category":"-"}"#).shows(&[("content-range", "*/*")]),
    ask("PATCH people?id=eq.4711", rows("[]")).with(RETURN).send(r#"{"category":"-"}"#),
    ask("PATCH people?id=eq.2", Answer::Empty(204)).send("{}"),
    // Upsert.
    ask(
        "POST staff",
        Answer::Json(
            201,
            r#"[{"id":1,"name":"Old Nora","salary":3000},{"id":2,"name":"Old Otto","salary":4200},{"id":3,"name":"New Pia","salary":5000}]"#,
        ),
    )
    .with(MERGE)
    .send(r#"[{"id":1,"name":"Old Nora","salary":3000},{"id":2,"name":"Old Otto","salary":4200},{"id":3,"name":"New Pia","salary":5000}]"#)
    .shows(&[("preference-applied", "resolution=merge-duplicates, return=representation")]),
    ask("POST staff", rows(r#"[{"id":1,"name":"Old Nora","salary":3100}]"#))
        .with(MERGE)
        .send(r#"{"id":1,"name":"Old Nora","salary":3100}"#),
    ask("POST staff", Answer::Json(201, r#"[{"id":4,"name":"New Rex","salary":1}]"#))
        .with(&[("prefer", "resolution=ignore-duplicates, return=representation")])
        .send(r#"[{"id":1,"name":"Nobody","salary":0},{"id":4,"name":"New Rex","salary":1}]"#),
    ask("POST staff?on_conflict=name&select=id,salary", rows(r#"[{"id":1,"salary":4000},{"id":2,"salary":5200}]"#))
        .with(MERGE)
        .send(r#"[{"name":"Old Nora","salary":4000},{"name":"Old Otto","salary":5200}]"#),
    // PUT.
    ask("PUT staff?id=eq.9", Answer::Json(201, r#"[{"id":9,"name":"Sara B.","salary":6000}]"#))
        .with(RETURN)
        .send(r#"{"id":9,"name":"Sara B.","salary":6000}"#),
    ask("PUT staff?id=eq.9", rows(r#"[{"id":9,"name":"Sara B.","salary":6500}]"#))
        .with(RETURN)
        .send(r#"{"id":9,"name":"Sara B.","salary":6500}"#),
    ask("PUT staff?id=eq.9", Answer::Empty(204)).send(r#"{"id":9,"name":"Sara B.","salary":6600}"#),
    // Delete.
    ask("DELETE people?student=is.true", Answer::Empty(204)).shows(&[("content-range", "*/*")]),
    ask("DELETE people?id=eq.3&select=id,first_name", rows(r#"[{"id":3,"first_name":"Ada"}]"#)).with(RETURN),
    ask("GET people?id=lte.5&select=id&order=id", rows(r#"[{"id":4},{"id":5}]"#)),
];
