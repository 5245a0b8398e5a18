//! TLS to the database's server: what is checked, what is refused, and what may be waived. The
//! account may only come with TLS, so whoever gets in has it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection};
use tidegate::app::App;

use crate::support::app::{ADMIN_PASSWORD, sign_in, test_settings};
use crate::support::certificates::Authority;
use crate::support::client::Client;
use crate::support::engines::{TestDatabase, TestEngine};
use crate::support::server::OwnServer;

/// Starts on the server with these settings; the address, or why it does not start.
async fn start(
    room: &TestDatabase,
    settings: &[(&str, &str)],
) -> Result<tidegate::app::Running, String> {
    let settings = test_settings(room, settings);
    App::default()
        .start(settings)
        .await
        .map_err(|error| format!("{error:#}"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    // A server in a container reads it as another user.
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("permissions");
}

on_every_engine! {
    async fn the_server_is_verified_and_a_wrong_authority_refuses(engine: TestEngine) {
        if !engine.is_server() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let (authority, stranger) = (Authority::new("the authority"), Authority::new("another one"));
        let pair = authority.issue(&["127.0.0.1", "0.0.0.0"]);
        let path = |name: &str| folder.path().join(name);
        write(&path("ca.pem"), &authority.pem());
        write(&path("server.pem"), &pair.chain);
        write(&path("server.key"), &pair.key);
        write(&path("stranger.pem"), &stranger.pem());
        let server = OwnServer::start_with_tls(engine, folder.path());
        let (ca, other) = (path("ca.pem").display().to_string(), path("stranger.pem").display().to_string());

        let base = server.url().rsplit_once('/').expect("a database").0;
        let mut connection = MySqlConnection::connect(&format!("{base}/mysql")).await.expect("a connection");
        for host in ["127.0.0.1", "localhost", "%"] {
            let sql = format!("ALTER USER IF EXISTS 'tidegate'@'{host}' REQUIRE SSL");
            connection.execute(AssertSqlSafe(sql)).await.expect("a right");
        }
        connection.close().await.expect("an end");

        // This machine under an address that is none of its own: as any other machine.
        let here = server.url().to_owned();
        let away = here.replace("127.0.0.1", "0.0.0.0");
        assert_ne!(here, away);
        let named = here.replace("127.0.0.1", "localhost");
        let room = TestEngine::Sqlite.create_database().await;
        for (url, settings, expected) in [
            (&away, vec![], "TLS to the database server"),
            (&away, vec![("database.tls_ca", other.as_str())], "UnknownIssuer"),
            (&named, vec![("database.tls", "verify-identity"), ("database.tls_ca", ca.as_str())], "not valid for name"),
            (&here, vec![("database.tls", "verify-ca"), ("database.tls_ca", &other)], "UnknownIssuer"),
            (&here, vec![("database.tls", "verify-identity"), ("database.tls_ca", &other)], "UnknownIssuer"),
            (&here, vec![("database.tls", "disabled")], "refused"),
        ] {
            let mut settings = settings;
            settings.push(("database.url", url));
            let fault = start(&room, &settings).await.map(drop).expect_err("no start");
            assert!(fault.contains(expected), "{settings:?}: {fault}");
            assert!(!fault.contains("tidegate:"), "no password: {fault}");
        }
        let said = format!("{away}?ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}");
        for (url, settings) in [
            (&here, vec![("database.tls", "verify-identity"), ("database.tls_ca", ca.as_str())]),
            (&here, vec![("database.tls_ca", ca.as_str())]),
            (&here, vec![]),
            (&away, vec![("database.tls_ca", &ca)]),
            (&away, vec![("database.tls", "required")]),
            (&said, vec![]),
        ] {
            let mut settings = settings;
            settings.push(("database.url", url));
            let running = start(&room, &settings).await.expect("a start");
            let base = format!("http://{}", running.address().expect("an address"));
            let anonymous = Client::anonymous(&base);
            // Both the own database and the gateway's.
            let admin = anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await);
            admin.post("/databases", &json!({"name": "harbour"})).await.expect(201);
            admin.delete("/databases/harbour").await.expect(204);
            running.shutdown();
            running.wait().await.expect("a good end");
        }
    }
}
