//! Which relationship an embed means, told by real databases: keys of text and of two columns,
//! tables related to themselves, junctions, views; and what is said where none is meant, or
//! several are.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};
use crate::support::engines::TestEngine;
use crate::support::rest::{column, create_table, fault, raw};

struct Cinema {
    app: TestApp,
    db: String,
    admin: Client,
}

impl Cinema {
    async fn open(engine: TestEngine) -> Self {
        let app = TestApp::start(engine).await;
        let db = app.gateway_database("cinema").await;
        let cinema = Self {
            admin: app.admin(),
            app,
            db,
        };
        let id = json!({"name": "id", "type": "int", "nullable": false});
        let needed =
            |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": false});
        let key = |name: &str, columns: &[&str], to: &str, other: &[&str]| json!({"name": name, "columns": columns, "references": to, "referenced_columns": other});
        for table in [
            json!({"name": "genre", "columns": [needed("code", "varchar(10)"), column("label", "varchar(20)")], "primary_key": ["code"]}),
            json!({"name": "person", "columns": [id, needed("name", "varchar(20)")], "primary_key": ["id"]}),
            json!({
                "name": "film",
                "columns": [
                    id, needed("title", "varchar(20)"), column("director_id", "int"), column("writer_id", "int"),
                    column("genre", "varchar(10)"), column("sequel_of", "int"),
                ],
                "primary_key": ["id"],
                "foreign_keys": [
                    key("film_director", &["director_id"], "person", &["id"]),
                    key("film_writer", &["writer_id"], "person", &["id"]),
                    key("film_genre", &["genre"], "genre", &["code"]),
                    key("film_sequel", &["sequel_of"], "film", &["id"]),
                ],
            }),
            json!({
                "name": "role",
                "columns": [needed("film_id", "int"), needed("person_id", "int"), column("part", "varchar(20)")],
                "primary_key": ["film_id", "person_id"],
                "foreign_keys": [
                    key("role_film", &["film_id"], "film", &["id"]),
                    key("role_person", &["person_id"], "person", &["id"]),
                ],
            }),
            json!({
                "name": "award",
                "columns": [id, column("film_id", "int"), column("person_id", "int")],
                "primary_key": ["id"],
                "foreign_keys": [key("award_role", &["film_id", "person_id"], "role", &["film_id", "person_id"])],
            }),
            json!({
                "name": "cost",
                "columns": [needed("film_id", "int"), column("amount", "decimal(8,2)")],
                "primary_key": ["film_id"],
                "foreign_keys": [key("cost_film", &["film_id"], "film", &["id"])],
            }),
        ] {
            create_table(&cinema.app, &cinema.db, &table).await;
        }
        for (table, rows) in [
            (
                "genre",
                json!([{"code": "noir", "label": "Dark"}, {"code": "west", "label": null}]),
            ),
            (
                "person",
                json!([{"id": 1, "name": "Ida"}, {"id": 2, "name": "Orson"}, {"id": 3, "name": "Rita"}]),
            ),
            (
                "film",
                json!([
                    {"id": 1, "title": "Dusk", "director_id": 1, "writer_id": 2, "genre": "noir", "sequel_of": null},
                    {"id": 2, "title": "Dawn", "director_id": 1, "writer_id": null, "genre": "noir", "sequel_of": 1},
                    {"id": 3, "title": "Noon", "director_id": null, "writer_id": null, "genre": null, "sequel_of": null},
                ]),
            ),
            (
                "role",
                json!([
                    {"film_id": 1, "person_id": 2, "part": "thief"},
                    {"film_id": 1, "person_id": 3, "part": "judge"},
                    {"film_id": 2, "person_id": 3, "part": "judge"},
                ]),
            ),
            (
                "award",
                json!([{"id": 1, "film_id": 1, "person_id": 3}, {"id": 2, "film_id": 1, "person_id": null}]),
            ),
            ("cost", json!([{"film_id": 1, "amount": 10.25}])),
        ] {
            let request = cinema.admin.request(Method::POST, &cinema.path(table));
            Reply::of(request.json(&rows)).await.expect(201);
        }
        cinema
    }

    fn path(&self, rest: &str) -> String {
        format!("/rest/{}/{rest}", self.db)
    }

    async fn get(&self, rest: &str) -> Reply {
        self.admin.get(&self.path(rest)).await
    }

    async fn expect(&self, rest: &str, rows: Value) {
        let reply = self.get(rest).await.expect(200);
        assert_eq!(reply.value(), rows, "{rest}");
    }
}

on_every_engine! {
    /// By table, by constraint, by column, by hint; to one row, to many, through a junction.
    async fn keys_relate_tables(engine: TestEngine) {
        let cinema = Cinema::open(engine).await;
        let label = json!({"label": "Dark"});
        for (rest, rows) in [
            ("film?select=title,genre(label)&id=lt.3", json!([{"title": "Dusk", "genre": label}, {"title": "Dawn", "genre": label}])),
            ("film?select=g:film_genre(label)&id=eq.3", json!([{"g": null}])),
            ("film?select=director_id(name),person!film_writer(name)&id=eq.1", json!([{"director_id": {"name": "Ida"}, "person": {"name": "Orson"}}])),
            // Text refers to text: the rows go to the parent whose key they name.
            ("genre?select=code,film(title)&film.order=title", json!([{"code": "noir", "film": [{"title": "Dawn"}, {"title": "Dusk"}]}, {"code": "west", "film": []}])),
            ("person?select=name,film!director_id(title)&id=lt.3", json!([{"name": "Ida", "film": [{"title": "Dusk"}, {"title": "Dawn"}]}, {"name": "Orson", "film": []}])),
            ("person?select=name,film!role(title)&film.limit=1", json!([{"name": "Ida", "film": []}, {"name": "Orson", "film": [{"title": "Dusk"}]}, {"name": "Rita", "film": [{"title": "Dusk"}]}])),
            // One row beside another, from both sides.
            ("film?select=id,cost(amount)&id=lt.3", json!([{"id": 1, "cost": {"amount": 10.25}}, {"id": 2, "cost": null}])),
            ("cost?select=film(title)", json!([{"film": {"title": "Dusk"}}])),
            // Two columns are one key; half of it leads nowhere.
            ("award?select=id,role(part)&order=id", json!([{"id": 1, "role": {"part": "judge"}}, {"id": 2, "role": null}])),
            ("role?select=part,award(id)&film_id=eq.1", json!([{"part": "thief", "award": []}, {"part": "judge", "award": [{"id": 1}]}])),
            // A table and itself.
            ("film?select=id,sequel_of(title),film(id)&id=lt.3", json!([{"id": 1, "sequel_of": null, "film": [{"id": 2}]}, {"id": 2, "sequel_of": {"title": "Dusk"}, "film": []}])),
            ("film?select=id,of:sequel_of!inner(title)", json!([{"id": 2, "of": {"title": "Dusk"}}])),
            // In each other.
            (
                "genre?select=code,film(title,role(part,person(name)))&code=eq.noir&film.id=eq.2",
                json!([{"code": "noir", "film": [{"title": "Dawn", "role": [{"part": "judge", "person": {"name": "Rita"}}]}]}]),
            ),
        ] {
            cinema.expect(rest, rows).await;
        }
    }
}

on_every_engine! {
    /// Views are related as the columns are that they show.
    async fn views_are_related_by_what_they_show(engine: TestEngine) {
        let cinema = Cinema::open(engine).await;
        raw(
            &cinema.app,
            &cinema.db,
            &[
                "CREATE VIEW noirs AS SELECT id AS no, title, f.director_id AS boss FROM film f WHERE genre = 'noir'",
                "CREATE VIEW late AS SELECT * FROM noirs WHERE no > 1",
                "CREATE VIEW parts AS SELECT r.part, r.film_id, p.name FROM role r JOIN person p ON p.id = r.person_id",
            ],
        )
        .await;
        for (rest, rows) in [
            ("noirs?select=no,person!film_director(name)&order=no", json!([{"no": 1, "person": {"name": "Ida"}}, {"no": 2, "person": {"name": "Ida"}}])),
            ("noirs?select=title,role(part)&order=no&role.order=part", json!([{"title": "Dusk", "role": [{"part": "judge"}, {"part": "thief"}]}, {"title": "Dawn", "role": [{"part": "judge"}]}])),
            // A view of a view, and through a junction.
            ("late?select=title,boss(name),person!role(name)", json!([{"title": "Dawn", "boss": {"name": "Ida"}, "person": [{"name": "Rita"}]}])),
            ("person?select=name,late!film_director(title)&id=lt.3", json!([{"name": "Ida", "late": [{"title": "Dawn"}]}, {"name": "Orson", "late": []}])),
            // To one row of a view that has it, and to none of one that has not.
            ("role?select=part,late(title)&person_id=eq.3", json!([{"part": "judge", "late": null}, {"part": "judge", "late": {"title": "Dawn"}}])),
            // Of two tables.
            ("parts?select=name,film(title)&order=film_id,name", json!([{"name": "Orson", "film": {"title": "Dusk"}}, {"name": "Rita", "film": {"title": "Dusk"}}, {"name": "Rita", "film": {"title": "Dawn"}}])),
            ("film?select=id,parts(name)&parts.order=name&id=eq.1", json!([{"id": 1, "parts": [{"name": "Orson"}, {"name": "Rita"}]}])),
        ] {
            cinema.expect(rest, rows).await;
        }
        fault(cinema.get("noirs?select=genre(label)").await, 400, "PGRST200");
    }
}

on_every_engine! {
    /// What is said where no relationship is meant, or several are, or more than there may be.
    async fn what_cannot_be_embedded_is_told(engine: TestEngine) {
        let cinema = Cinema::open(engine).await;
        let told = |value: &Value| json!([value["message"], value["details"], value["hint"]]);

        let value = fault(cinema.get("film?select=id,roles(part)").await, 400, "PGRST200");
        assert_eq!(
            told(&value),
            json!([
                "Could not find a relationship between 'film' and 'roles' in the schema cache",
                format!("Searched for a foreign key relationship between 'film' and 'roles' in the schema '{}', but no matches were found.", cinema.db),
                "Perhaps you meant 'role' instead of 'roles'.",
            ])
        );
        let value = fault(cinema.get("film?select=id,person!nobody(name)").await, 400, "PGRST200");
        assert_eq!(
            told(&value),
            json!([
                "Could not find a relationship between 'film' and 'person' in the schema cache",
                format!("Searched for a foreign key relationship between 'film' and 'person' using the hint 'nobody' in the schema '{}', but no matches were found.", cinema.db),
                null,
            ])
        );
        let value = fault(cinema.get("film?select=id,person(name)").await, 300, "PGRST201");
        let one = |cardinality: &str, relationship: &str| json!({"cardinality": cardinality, "embedding": "film with person", "relationship": relationship});
        assert_eq!(
            told(&value),
            json!([
                "Could not embed because more than one relationship was found for 'film' and 'person'",
                [
                    one("many-to-one", "film_director using film(director_id) and person(id)"),
                    one("many-to-one", "film_writer using film(writer_id) and person(id)"),
                    one("many-to-many", "role using role_film(film_id) and role_person(person_id)"),
                ],
                "Try changing 'person' to one of the following: 'person!film_director', 'person!film_writer', 'person!role'. Find the desired relationship in the 'details' key.",
            ])
        );
        let value = fault(cinema.get("film?select=id,role(part)&order=role(part)").await, 400, "PGRST118");
        assert_eq!(
            told(&value),
            json!([
                "A related order on 'role' is not possible",
                "'film' and 'role' do not form a many-to-one or one-to-one relationship",
                null,
            ])
        );
        let value = fault(cinema.get("film?select=id&order=role(part)").await, 400, "PGRST108");
        assert_eq!(
            told(&value),
            json!([
                "'role' is not an embedded resource in this request",
                null,
                "Verify that 'role' is included in the 'select' query parameter.",
            ])
        );
        let value = fault(cinema.get("film?select=id,role(part)&role=eq.1").await, 400, "PGRST120");
        assert_eq!(
            told(&value),
            json!([
                "Bad operator on the 'role' embedded resource",
                "Only is null or not is null filters are allowed on embedded resources",
                null,
            ])
        );
        let deep = format!("film?select={}id{}", "sequel_of(".repeat(9), ")".repeat(9));
        fault(cinema.get(&deep).await, 400, "PGRST100");
        for (rest, code) in [
            ("film?select=title.sum()", "42883"),
            ("film?select=genre,id.count()&order=title", "42803"),
            ("film?select=id::money", "42704"),
            ("film?select=id::date", "42846"),
            ("film?title=match.(", "2201B"),
            ("film?title=fts.a%20b", "42601"),
            ("film?select=...role(part.max())", "PGRST127"),
        ] {
            fault(cinema.get(rest).await, 400, code);
        }
    }
}
