//! Employees (contract of `/employees`): a resource known by a number of its own.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::engines::TestEngine;
use crate::support::resource::{assert_holds, members, names, statuses};

fn employee(number: i64, name: &str, city: &str, country: &str, born: &str) -> Value {
    json!({"emp_id": number, "emp_name": name, "city": city, "country": country, "emp_dob": born})
}

fn ingrid(number: i64) -> Value {
    employee(number, "Ingrid Aas", "Bergen", "Norway", "1990-05-01")
}

async fn some(admin: &Client) {
    for body in [
        employee(30, "Åse", "Bergen", "Norway", "1990-05-01"),
        employee(10, "Zoë", "Oslo", "Norway", "1985-12-31"),
        employee(20, "ann", "BERGEN", "norway", "2001-02-28"),
        employee(40, "Ann", "100%", "Nor_way", "1970-01-01"),
    ] {
        admin.post("/employees", &body).await.expect(201);
    }
}

on_every_engine! {
    async fn an_employee_is_known_by_the_companys_number(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (admin, member) = (app.admin(), app.member("member").await);
        let reply = admin.post("/employees", &ingrid(1001)).await.expect(201);
        let made = reply.value();
        assert_eq!(members(&made), ["city", "country", "emp_dob", "emp_id", "emp_name", "id"]);
        let id: uuid::Uuid = made["id"].as_str().expect("a text").parse().expect("a UUID");
        assert_eq!(id.get_version_num(), 4);
        assert_holds(&made, &ingrid(1001));
        assert_eq!(reply.header("location"), format!("{}/employees/1001", app.base()));
        assert_eq!(member.get("/employees/1001").await.expect(200).value(), made);
        member.get("/employees/1").await.problem(404, "not_found");
        member.get("/employees/x").await.problem(422, "validation_failed");

        let moved = admin.patch("/employees/1001", &json!({"city": "Oslo", "emp_id": 1002})).await.expect(200).value();
        assert_eq!((&moved["id"], &moved["city"], &moved["emp_id"]), (&made["id"], &json!("Oslo"), &json!(1002)));
        member.get("/employees/1001").await.problem(404, "not_found");
        let put = admin.json(Method::PUT, "/employees/1002", &ingrid(1003)).await.expect(200).value();
        assert_eq!((&put["id"], &put["emp_id"], &put["city"]), (&made["id"], &json!(1003), &json!("Bergen")));
        admin.json(Method::PUT, "/employees/1003", &json!({"city": "Oslo"})).await.problem(422, "validation_failed");
        assert_eq!(admin.delete("/employees/1003").await.expect(204).body, "");
        admin.delete("/employees/1003").await.problem(404, "not_found");
    }

    async fn administrators_write_and_users_read(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let (admin, member) = (app.admin(), app.member("member").await);
        admin.post("/employees", &ingrid(1)).await.expect(201);
        member.post("/employees", &ingrid(2)).await.problem(403, "forbidden");
        // Rights come before the body.
        member.text("/employees", "application/json", "{").await.problem(403, "forbidden");
        member.patch("/employees/1", &json!({"city": "Oslo"})).await.problem(403, "forbidden");
        member.json(Method::PUT, "/employees/1", &ingrid(1)).await.problem(403, "forbidden");
        member.delete("/employees/1").await.problem(403, "forbidden");
        assert_eq!(member.get("/employees").await.expect(200).value().as_array().map(Vec::len), Some(1));
        app.anonymous().get("/employees").await.problem(401, "not_authenticated");
        app.anonymous().get("/employees/1").await.problem(401, "not_authenticated");
    }

    async fn numbers_are_unique_on_create_patch_and_race(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        admin.post("/employees", &ingrid(1)).await.expect(201);
        admin.post("/employees", &ingrid(1)).await.problem(409, "emp_id_taken");
        admin.post("/employees", &ingrid(2)).await.expect(201);
        admin.patch("/employees/2", &json!({"emp_id": 1})).await.problem(409, "emp_id_taken");
        admin.json(Method::PUT, "/employees/2", &ingrid(1)).await.problem(409, "emp_id_taken");

        let body = ingrid(77);
        let replies = futures_util::future::join_all((0..50).map(|_| admin.post("/employees", &body))).await;
        assert_eq!(statuses(&replies), [(201, 1), (409, 49)].into());
        // Fifty want the same number in their stead.
        for number in 100..110 {
            admin.post("/employees", &ingrid(number)).await.expect(201);
        }
        let paths: Vec<String> = (100..110).map(|number| format!("/employees/{number}")).collect();
        let patch = json!({"emp_id": 500});
        let replies = futures_util::future::join_all(paths.iter().map(|path| admin.patch(path, &patch))).await;
        assert_eq!(statuses(&replies), [(200, 1), (409, 9)].into());
    }

    async fn what_does_not_fit_is_refused(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        admin.post("/employees", &ingrid(1)).await.expect(201);
        let today = admin.get("/auth/me").await.value()["created_at"].as_str().expect("a time")[..10].parse::<chrono::NaiveDate>().expect("a day");
        let tomorrow = today + chrono::Days::new(2);
        for (member, bad) in [
            ("emp_id", json!(0)), ("emp_id", json!(-1)), ("emp_id", json!(1.5)), ("emp_id", json!("1")), ("emp_id", json!(null)), ("emp_id", json!(9_223_372_036_854_775_808_u64)),
            ("emp_name", json!("")), ("emp_name", json!(" \t ")), ("emp_name", json!("x".repeat(101))), ("emp_name", json!(null)),
            ("city", json!("")), ("city", json!("  ")), ("country", json!("")), ("country", json!(7)),
            ("emp_dob", json!(tomorrow.to_string())), ("emp_dob", json!("1990-02-30")), ("emp_dob", json!("01.05.1990")), ("emp_dob", json!("0999-01-01")), ("emp_dob", json!("")), ("emp_dob", json!(null)),
        ] {
            let mut body = ingrid(2);
            body[member] = bad.clone();
            let problem = admin.post("/employees", &body).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{member}"), "{body}");
            let problem = admin.patch("/employees/1", &json!({member: bad})).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{member}"), "{body}");
        }
        admin.patch("/employees/1", &json!({"id": "x"})).await.problem(422, "validation_failed");
        assert_eq!(admin.get("/employees").await.value().as_array().map(Vec::len), Some(1), "nothing was stored");
        let most = admin.post("/employees", &ingrid(i64::MAX)).await.expect(201).value();
        assert_eq!(admin.get(&format!("/employees/{}", i64::MAX)).await.expect(200).value(), most);
    }

    async fn lists_are_arrays_with_searches_and_orders(engine: TestEngine) {
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        some(&admin).await;
        let found = async |query: &str| names(&admin.get(&format!("/employees?{query}")).await.expect(200).value(), "emp_name");
        assert_eq!(found("").await, ["Zoë", "ann", "Åse", "Ann"], "by number");
        assert_eq!(found("order=desc").await, ["Ann", "Åse", "ann", "Zoë"]);
        assert_eq!(found("sort_by=emp_name").await, ["Ann", "Zoë", "ann", "Åse"], "by code point");
        assert_eq!(found("sort_by=emp_dob").await, ["Ann", "Zoë", "Åse", "ann"]);
        assert_eq!(found("sort_by=emp_dob&order=desc&limit=2").await, ["ann", "Åse"]);
        assert_eq!(found("sort_by=country&order=asc&offset=1&limit=2").await.len(), 2);
        assert_eq!(found("city=berg").await, ["ann", "Åse"], "without case");
        assert_eq!(found("city=berg&sort_by=emp_id&order=desc").await, ["Åse", "ann"]);
        assert_eq!(found("city=%25").await, ["Ann"]);
        assert_eq!(found("country=r_w").await, ["Ann"]);
        assert_eq!(found("offset=3").await, ["Ann"]);
        assert_eq!(found("offset=9").await, Vec::<String>::new());
        for (query, pointer) in [("limit=0", "/limit"), ("offset=-1", "/offset"), ("sort_by=id", "/sort_by"), ("order=up", "/order"), ("page=1", "/page")] {
            let problem = admin.get(&format!("/employees?{query}")).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
        }
        let page = admin.get("/employees?limit=2&city=n").await.expect(200);
        assert!(page.header("link").contains("rel=\"first\""), "{}", page.header("link"));
        let request = admin.request(Method::GET, "/employees?limit=1&offset=1").header("prefer", "count=exact");
        let counted = crate::support::client::Reply::of(request).await.expect(200);
        assert_eq!(counted.header("x-total-count"), "4");
        for relation in ["first", "prev", "next", "last"] {
            assert!(counted.header("link").contains(&format!("rel=\"{relation}\"")), "{}", counted.header("link"));
        }
    }
}
