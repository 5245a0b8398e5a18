//! The database of the examples: films with those who made them, shops with their purchases,
//! people, and who follows whom.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::engines::TestEngine;
use crate::support::rest::{column, create_table, raw};

/// A Tidegate with the database.
pub struct Cinema {
    pub db: String,
    pub admin: Client,
    _app: TestApp,
}

impl Cinema {
    /// Makes the tables through Tidegate, the views past it, and puts the rows in.
    pub async fn open(engine: TestEngine) -> Self {
        let app = TestApp::start_with(engine, &[("rest.max_rows", "1000")]).await;
        let db = app.gateway_database("cinema").await;
        for table in tables() {
            create_table(&app, &db, &table).await;
        }
        raw(&app, &db, VIEWS).await;
        let admin = app.admin();
        for (table, rows) in rows() {
            admin
                .post(&format!("/rest/{db}/{table}"), &rows)
                .await
                .expect(201);
        }
        Self {
            db,
            admin,
            _app: app,
        }
    }
}

const VIEWS: &[&str] = &[
    "CREATE VIEW nominations_view AS SELECT films.title AS film_title, competitions.name AS \
     competition_name, nominations.`rank` AS `rank`, nominations.film_id AS nominations_film_id, \
     films.id AS film_id FROM nominations JOIN films ON films.id = nominations.film_id JOIN \
     competitions ON competitions.id = nominations.competition_id",
    "CREATE VIEW french_films AS SELECT id, title, director_id FROM films WHERE language = 'french'",
    "CREATE VIEW old_french_films AS SELECT id, title, director_id FROM french_films WHERE id < 3",
];

fn key() -> Value {
    json!({"name": "id", "type": "int", "auto_increment": true})
}

fn refers(name: &str, from: &str, table: &str) -> Value {
    json!({"name": name, "columns": [from], "references": table, "referenced_columns": ["id"]})
}

fn tables() -> Vec<Value> {
    let int = |name: &str| json!({"name": name, "type": "int", "nullable": false});
    vec![
        json!({
            "name": "directors",
            "columns": [key(), column("first_name", "varchar(40)"), column("last_name", "varchar(40)")],
            "primary_key": ["id"],
        }),
        json!({
            "name": "actors",
            "columns": [key(), column("first_name", "varchar(40)"), column("last_name", "varchar(40)")],
            "primary_key": ["id"],
        }),
        json!({
            "name": "films",
            "columns": [
                key(), column("director_id", "int"), column("title", "varchar(80)"), column("year", "int"),
                column("rating", "decimal(3,1)"), column("language", "varchar(20)"),
            ],
            "primary_key": ["id"],
            "foreign_keys": [refers("films_director", "director_id", "directors")],
        }),
        json!({
            "name": "technical_specs",
            "columns": [int("film_id"), column("runtime", "time"), column("camera", "varchar(40)"), column("sound", "varchar(20)")],
            "primary_key": ["film_id"],
            "foreign_keys": [refers("specs_film", "film_id", "films")],
        }),
        json!({
            "name": "roles",
            "columns": [int("film_id"), int("actor_id"), column("character", "varchar(40)")],
            "primary_key": ["film_id", "actor_id"],
            "foreign_keys": [refers("roles_film", "film_id", "films"), refers("roles_actor", "actor_id", "actors")],
        }),
        json!({
            "name": "competitions",
            "columns": [key(), column("name", "varchar(40)"), column("year", "int")],
            "primary_key": ["id"],
        }),
        json!({
            "name": "nominations",
            "columns": [int("competition_id"), int("film_id"), column("rank", "int")],
            "primary_key": ["competition_id", "film_id"],
            "foreign_keys": [refers("nominations_competition", "competition_id", "competitions"), refers("nominations_film", "film_id", "films")],
        }),
        json!({
            "name": "addresses",
            "columns": [key(), column("name", "varchar(60)")],
            "primary_key": ["id"],
        }),
        json!({
            "name": "orders",
            "columns": [key(), column("name", "varchar(40)"), column("billing_address_id", "int"), column("shipping_address_id", "int")],
            "primary_key": ["id"],
            "foreign_keys": [refers("billing", "billing_address_id", "addresses"), refers("shipping", "shipping_address_id", "addresses")],
        }),
        json!({
            "name": "keepers",
            "columns": [key(), column("last_name", "varchar(40)"), {"name": "predecessor_id", "type": "int", "unique": true}],
            "primary_key": ["id"],
            "foreign_keys": [refers("keepers_predecessor", "predecessor_id", "keepers")],
        }),
        json!({
            "name": "employees",
            "columns": [key(), column("last_name", "varchar(40)"), column("supervisor_id", "int")],
            "primary_key": ["id"],
            "foreign_keys": [refers("employees_supervisor", "supervisor_id", "employees")],
        }),
        json!({
            "name": "users",
            "columns": [key(), {"name": "username", "type": "varchar(30)", "unique": true}],
            "primary_key": ["id"],
        }),
        json!({
            "name": "subscriptions",
            "columns": [int("subscriber_id"), int("subscribed_id")],
            "primary_key": ["subscriber_id", "subscribed_id"],
            "foreign_keys": [refers("subscriber", "subscriber_id", "users"), refers("subscribed", "subscribed_id", "users")],
        }),
        json!({
            "name": "customers",
            "columns": [key(), column("name", "varchar(40)"), column("city", "varchar(30)"), column("state", "char(2)"), column("joined_date", "date")],
            "primary_key": ["id"],
        }),
        json!({
            "name": "purchases",
            "columns": [key(), column("customer_id", "int"), column("amount", "decimal(10,2)"), column("order_date", "date"), column("order_details", "json")],
            "primary_key": ["id"],
            "foreign_keys": [refers("purchases_customer", "customer_id", "customers")],
        }),
        json!({
            "name": "people",
            "columns": [
                key(), column("first_name", "varchar(40)"), column("age", "int"), column("height", "int"), column("salary", "decimal(10,2)"),
                column("student", "boolean"), column("grade", "int"), column("birth_date", "date"), column("json_data", "json"),
                {"name": "category", "type": "varchar(10)", "default": "none"},
            ],
            "primary_key": ["id"],
        }),
        json!({
            "name": "staff",
            "columns": [key(), {"name": "name", "type": "varchar(40)", "nullable": false, "unique": true}, {"name": "salary", "type": "int", "nullable": false, "default": 100}],
            "primary_key": ["id"],
        }),
        json!({
            "name": "timestamps",
            "columns": [key(), column("t", "timestamp(3)")],
            "primary_key": ["id"],
        }),
    ]
}

fn rows() -> Vec<(&'static str, Value)> {
    vec![
        (
            "directors",
            json!([
                {"id": 1, "first_name": "Agnès", "last_name": "Varda"},
                {"id": 2, "first_name": "Akira", "last_name": "Kurosawa"},
                {"id": 3, "first_name": "Lynne", "last_name": "Ramsay"},
                {"id": 4, "first_name": "Jean", "last_name": "Vigo"},
            ]),
        ),
        (
            "actors",
            json!([
                {"id": 1, "first_name": "Tilda", "last_name": "Swinton"},
                {"id": 2, "first_name": "Toshirō", "last_name": "Mifune"},
                {"id": 3, "first_name": "Corinne", "last_name": "Marchand"},
                {"id": 4, "first_name": "Takashi", "last_name": "Shimura"},
                {"id": 5, "first_name": "Machiko", "last_name": "Kyō"},
                {"id": 6, "first_name": "Sandrine", "last_name": "Bonnaire"},
            ]),
        ),
        (
            "films",
            json!([
                {"id": 1, "director_id": 1, "title": "Cléo from 5 to 7", "year": 1962, "rating": 7.8, "language": "french"},
                {"id": 2, "director_id": 2, "title": "Seven Samurai", "year": 1954, "rating": 8.6, "language": "japanese"},
                {"id": 3, "director_id": 2, "title": "Rashomon", "year": 1950, "rating": 8.2, "language": "japanese"},
                {"id": 4, "director_id": 3, "title": "We Need to Talk About Kevin", "year": 2011, "rating": 7.5, "language": "english"},
                {"id": 5, "director_id": null, "title": "Home Movie No. 3", "year": 1991, "rating": null, "language": null},
                {"id": 6, "director_id": 1, "title": "Vagabond", "year": 1985, "rating": 7.6, "language": "french"},
            ]),
        ),
        (
            "technical_specs",
            json!([
                {"film_id": 1, "runtime": "01:30:00", "camera": "Caméflex", "sound": "mono"},
                {"film_id": 2, "runtime": "03:27:00", "camera": "Mitchell NC", "sound": "mono"},
                {"film_id": 4, "runtime": "01:52:00", "camera": "Panaflex", "sound": "digital"},
            ]),
        ),
        (
            "roles",
            json!([
                {"film_id": 1, "actor_id": 3, "character": "Cléo"},
                {"film_id": 2, "actor_id": 2, "character": "Kikuchiyo"},
                {"film_id": 2, "actor_id": 4, "character": "Kambei"},
                {"film_id": 3, "actor_id": 2, "character": "Tajōmaru"},
                {"film_id": 3, "actor_id": 4, "character": "Woodcutter"},
                {"film_id": 3, "actor_id": 5, "character": "Masako"},
                {"film_id": 4, "actor_id": 1, "character": "Eva"},
                {"film_id": 6, "actor_id": 6, "character": "Mona"},
            ]),
        ),
        (
            "competitions",
            json!([
                {"id": 1, "name": "Cannes", "year": 1962},
                {"id": 2, "name": "Venice", "year": 1951},
                {"id": 3, "name": "Venice", "year": 1954},
                {"id": 4, "name": "Cannes", "year": 2011},
                {"id": 5, "name": "Venice", "year": 1985},
            ]),
        ),
        (
            "nominations",
            json!([
                {"competition_id": 1, "film_id": 1, "rank": 5},
                {"competition_id": 2, "film_id": 3, "rank": 1},
                {"competition_id": 3, "film_id": 2, "rank": 2},
                {"competition_id": 4, "film_id": 4, "rank": 5},
                {"competition_id": 5, "film_id": 6, "rank": 1},
            ]),
        ),
        (
            "addresses",
            json!([{"id": 1, "name": "12 Harbour Lane"}, {"id": 2, "name": "3 Mill Road"}]),
        ),
        (
            "orders",
            json!([
                {"id": 1, "name": "Kettle", "billing_address_id": 1, "shipping_address_id": 2},
                {"id": 2, "name": "Lamp", "billing_address_id": 1, "shipping_address_id": 1},
            ]),
        ),
        (
            "keepers",
            json!([
                {"id": 1, "last_name": "Alm", "predecessor_id": null},
                {"id": 2, "last_name": "Brandt", "predecessor_id": 1},
                {"id": 3, "last_name": "Cox", "predecessor_id": 2},
            ]),
        ),
        (
            "employees",
            json!([
                {"id": 1, "last_name": "Thorne", "supervisor_id": null},
                {"id": 2, "last_name": "Jansen", "supervisor_id": 1},
                {"id": 3, "last_name": "Mbeki", "supervisor_id": 1},
            ]),
        ),
        (
            "users",
            json!([{"id": 1, "username": "ada"}, {"id": 2, "username": "bea"}, {"id": 3, "username": "cyd"}]),
        ),
        (
            "subscriptions",
            json!([
                {"subscriber_id": 1, "subscribed_id": 3},
                {"subscriber_id": 2, "subscribed_id": 3},
                {"subscriber_id": 3, "subscribed_id": 2},
            ]),
        ),
        (
            "customers",
            json!([
                {"id": 1, "name": "Aurora Books", "city": "Bergen", "state": "VL", "joined_date": "2019-04-01"},
                {"id": 2, "name": "Blue Kiosk", "city": "Gdynia", "state": "PM", "joined_date": "2021-09-15"},
                {"id": 3, "name": "Corner Shop", "city": "Gdynia", "state": "PM", "joined_date": "2023-01-20"},
            ]),
        ),
        (
            "purchases",
            json!([
                {"id": 1, "customer_id": 1, "amount": 100.50, "order_date": "2023-09-01", "order_details": {"tax_amount": 10.5}},
                {"id": 2, "customer_id": 1, "amount": 20.25, "order_date": "2023-09-01", "order_details": {"tax_amount": 2}},
                {"id": 3, "customer_id": 1, "amount": 79.25, "order_date": "2023-09-02", "order_details": {"tax_amount": 8}},
                {"id": 4, "customer_id": 2, "amount": 300.00, "order_date": "2023-09-01", "order_details": {"tax_amount": 30.25}},
                {"id": 5, "customer_id": 3, "amount": 45.11, "order_date": "2023-09-02", "order_details": null},
                {"id": 6, "customer_id": 2, "amount": null, "order_date": "2023-09-02", "order_details": {"tax_amount": 0}},
            ]),
        ),
        ("people", people()),
        (
            "staff",
            json!([{"id": 1, "name": "Old Nora", "salary": 300}, {"id": 2, "name": "Old Otto", "salary": 420}]),
        ),
        (
            "timestamps",
            json!([{"id": 1, "t": "2023-10-18T12:37:59.611+00:00"}, {"id": 2, "t": "2023-12-18T12:37:59.611+00:00"}]),
        ),
    ]
}

fn people() -> Value {
    let phones = json!([{"code": "43", "number": "512-2"}, {"code": "43", "number": "213-3"}]);
    let first = json!([{"code": "61", "number": "917-1"}]);
    json!([
        {"id": 1, "first_name": "Jon", "age": 11, "height": 150, "salary": null, "student": true, "grade": 93, "birth_date": "2012-01-12",
            "json_data": {"blood_type": "A-", "phones": first, "age": 11}, "category": "none"},
        {"id": 2, "first_name": "Mia", "age": 17, "height": 168, "salary": 80.50, "student": true, "grade": 95, "birth_date": "2006-05-25",
            "json_data": {"blood_type": "O+", "phones": phones, "age": 17}, "category": "none"},
        {"id": 3, "first_name": "Ada", "age": 30, "height": 172, "salary": 90000.00, "student": false, "grade": null, "birth_date": "1993-08-08",
            "json_data": {"blood_type": "A-", "age": 30}, "category": "none"},
        {"id": 4, "first_name": "Per", "age": 25, "height": 181, "salary": 120000.50, "student": false, "grade": null, "birth_date": "1998-02-28",
            "json_data": null, "category": "none"},
        {"id": 5, "first_name": "Eli", "age": null, "height": null, "salary": null, "student": null, "grade": null, "birth_date": null,
            "json_data": null, "category": "none"},
    ])
}
