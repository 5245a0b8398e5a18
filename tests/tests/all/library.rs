//! Tidegate as a library: the program of `examples/boats`.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::engines::TestEngine;

on_every_engine! {
    async fn a_program_of_ones_own_has_its_resource_and_route_beside_all_others(engine: TestEngine) {
        let app = TestApp::start_app(engine, boats::app()).await;
        let (admin, member) = (app.admin(), app.member("member").await);
        let made = admin.post("/boats", &json!({"name": "Tern", "length_cm": 1250})).await.expect(201).value();
        admin.post("/boats", &json!({"name": "Tern", "length_cm": 9})).await.problem(409, "boat_name_taken");
        admin.post("/boats", &json!({"name": "Skua", "length_cm": 0})).await.problem(422, "validation_failed");
        admin.post("/boats", &json!({"name": "Skua", "length_cm": 750})).await.expect(201);
        member.post("/boats", &json!({"name": "Gull", "length_cm": 1})).await.problem(403, "forbidden");
        let list = member.get("/boats?sort_by=length_cm&order=desc").await.expect(200).value();
        assert_eq!((&list["total"], &list["boats"][0]), (&json!(2), &made));
        assert_eq!(member.get("/berths").await.expect(200).value(), json!({"boats": 2, "length_cm": 2000}));
        app.anonymous().get("/berths").await.problem(401, "not_authenticated");
        let document = admin.get("/openapi.json").await.expect(200).value();
        for path in ["/boats", "/boats/{id}", "/berths", "/items"] {
            assert!(document["paths"][path].is_object(), "{path}");
        }
        // Without it there is no such thing.
        let plain = TestApp::start(engine).await;
        plain.admin().get("/boats").await.expect(404);
    }
}
