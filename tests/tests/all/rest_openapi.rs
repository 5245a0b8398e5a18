//! The description of a database at `/rest/{db}/`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Reply;
use crate::support::engines::TestEngine;
use crate::support::rest::{column, create_table, fault, raw};

async fn fleet(app: &TestApp) -> String {
    let db = app.gateway_database("fleet").await;
    create_table(
        app,
        &db,
        &json!({
            "name": "owner",
            "columns": [{"name": "id", "type": "int", "nullable": false, "auto_increment": true}],
            "primary_key": ["id"],
        }),
    )
    .await;
    create_table(
        app,
        &db,
        &json!({
            "name": "ship",
            "columns": [
                {"name": "id", "type": "bigint", "nullable": false},
                {"name": "name", "type": "varchar(40)", "nullable": false, "default": "Tern"},
                column("owner_id", "int"),
                column("draught_m", "decimal(5,2)"),
                column("afloat", "boolean"),
                column("arrived", "datetime"),
                column("kind", "enum('tug','ferry')"),
                column("papers", "json"),
            ],
            "primary_key": ["id"],
            "foreign_keys": [{"columns": ["owner_id"], "references": "owner", "referenced_columns": ["id"]}],
        }),
    )
    .await;
    raw(
        app,
        &db,
        &["CREATE VIEW kinds AS SELECT kind, COUNT(*) AS ships FROM ship GROUP BY kind"],
    )
    .await;
    db
}

fn methods(path: &Value) -> Vec<&str> {
    let mut methods: Vec<&str> = path
        .as_object()
        .expect("a path")
        .keys()
        .map(String::as_str)
        .collect();
    methods.sort_unstable();
    methods
}

on_every_engine! {
    async fn a_database_is_described(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let db = fleet(&app).await;
        let admin = app.admin();
        let path = format!("/rest/{db}/");

        let reply = admin.get(&path).await.expect(200);
        assert_eq!(reply.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(reply.header("content-location"), path);
        let document = reply.value();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["servers"], json!([{"url": format!("{}/rest/{db}", app.base())}]));
        let paths = document["paths"].as_object().expect("paths");
        let names: Vec<&str> = paths.keys().map(String::as_str).collect();
        assert_eq!(names, ["/", "/kinds", "/owner", "/ship"]);
        assert_eq!(methods(&paths["/ship"]), ["delete", "get", "patch", "post", "put"]);
        assert_eq!(methods(&paths["/kinds"]), ["get"]);
        let ship = &document["components"]["schemas"]["ship"];
        assert_eq!(ship["required"], json!(["id", "name"]));
        assert_eq!(ship["properties"]["kind"], json!({"type": ["string", "null"], "format": "text", "enum": ["tug", "ferry", null]}));
        assert_eq!(admin.get(&format!("/rest/{db}")).await.expect(200).body, reply.body);

        let swagger = Reply::of(admin.request(Method::GET, &path).header("accept", "application/openapi+json")).await.expect(200);
        assert_eq!(swagger.header("content-type"), "application/openapi+json; charset=utf-8");
        let swagger = swagger.value();
        assert_eq!((&swagger["swagger"], &swagger["basePath"]), (&json!("2.0"), &json!(format!("/rest/{db}"))));
        let property = |name: &str| &swagger["definitions"]["ship"]["properties"][name];
        for (name, expected) in [
            ("id", json!({"type": "integer", "format": "bigint", "description": "Note:\nThis is a Primary Key.<pk/>"})),
            ("name", json!({"type": "string", "format": "character varying", "maxLength": 40, "default": "Tern"})),
            ("owner_id", json!({
                "type": "integer", "format": "integer",
                "description": "Note:\nThis is a Foreign Key to `owner.id`.<fk table='owner' column='id'/>",
            })),
            ("draught_m", json!({"type": "number", "format": "numeric"})),
            ("afloat", json!({"type": "boolean", "format": "boolean"})),
            ("arrived", json!({"type": "string", "format": "timestamp without time zone"})),
            ("kind", json!({"type": "string", "format": "text", "enum": ["tug", "ferry"]})),
            ("papers", json!({"format": "json"})),
        ] {
            assert_eq!(property(name), &expected, "{name}");
        }
        assert_eq!(
            swagger["parameters"]["rowFilter.ship.name"],
            json!({"name": "name", "required": false, "in": "query", "type": "string"})
        );

        let head = admin.send(Method::HEAD, &path).await.expect(200);
        assert_eq!((head.header("content-type"), head.body.as_str()), ("application/json; charset=utf-8", ""));
        let html = Reply::of(admin.request(Method::GET, &path).header("accept", "text/html")).await;
        fault(html, 406, "PGRST107");
        fault(admin.get("/rest/nowhere/").await, 404, "PGRST125");
        fault(app.anonymous().get(&path).await, 401, "PGRST302");

        let silent = app.second_node(&[("rest.openapi", "off")]).await;
        let error = fault(silent.admin().get(&path).await, 404, "PGRST126");
        assert_eq!(error["message"], "Root endpoint metadata is disabled");
        silent.admin().get(&format!("/rest/{db}/ship")).await.expect(200);
    }
}
