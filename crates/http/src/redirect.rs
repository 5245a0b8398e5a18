//! A listener that speaks plain HTTP only to send clients to HTTPS.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::http::header::{HOST, LOCATION};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

use crate::error::ApiError;
use crate::middleware::client::is_host;

/// Where clients are sent.
#[derive(Debug, Clone)]
pub struct Target {
    /// The base of all addresses, where it is fixed; otherwise the host that was asked for.
    pub public_url: Option<String>,
    /// The port that speaks HTTPS.
    pub port: u16,
}

impl Target {
    fn of(&self, request: &HttpRequest) -> Option<String> {
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
        if !path.starts_with('/') {
            return None;
        }
        if let Some(url) = self.public_url.as_deref()
            && let Some(rest) = url.strip_prefix("https://")
        {
            return Some(format!("https://{}{path}", rest.trim_end_matches('/')));
        }
        let host = request.headers().get(HOST)?.to_str().ok()?;
        // The port of an address in brackets stands after them.
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => name,
            _ => host,
        };
        if name.is_empty() || !is_host(name) {
            return None;
        }
        Some(match self.port {
            443 => format!("https://{name}{path}"),
            port => format!("https://{name}:{port}{path}"),
        })
    }
}

async fn answer(request: HttpRequest, target: web::Data<Target>) -> HttpResponse {
    match target.of(&request) {
        Some(to) => HttpResponse::PermanentRedirect()
            .insert_header((LOCATION, to))
            .finish(),
        None => HttpResponse::from_error(ApiError::new(
            actix_web::http::StatusCode::BAD_REQUEST,
            "no_host",
            "This port answers with the way to HTTPS, and the request names no host",
        )),
    }
}

/// Answers every request with 308 until `shutdown` is done.
///
/// # Errors
/// When the socket fails.
pub fn serve(
    listener: TcpListener,
    target: Target,
    patience: Duration,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
    let target = web::Data::new(target);
    let app = move || {
        App::new()
            .app_data(target.clone())
            .default_service(web::to(answer))
    };
    Ok(HttpServer::new(app)
        .workers(1)
        .client_request_timeout(patience)
        .shutdown_timeout(1)
        .shutdown_signal(shutdown)
        .listen(listener)?
        .run())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_host_stays_and_the_port_is_that_of_https() {
        let target = |public_url: Option<&str>, port, host: &str, path: &str| {
            let target = Target {
                public_url: public_url.map(str::to_owned),
                port,
            };
            let request = TestRequest::get().uri(path).insert_header((HOST, host));
            target.of(&request.to_http_request())
        };
        let some = |text: &str| Some(text.to_owned());
        for (port, host, expected) in [
            (443, "a.example", some("https://a.example/x?y=1")),
            (443, "a.example:80", some("https://a.example/x?y=1")),
            (8443, "a.example:8080", some("https://a.example:8443/x?y=1")),
            (443, "[::1]:80", some("https://[::1]/x?y=1")),
            (8443, "[::1]", some("https://[::1]:8443/x?y=1")),
            (443, "a.example/evil", None),
            (443, "user@a.example", None),
            (443, "", None),
        ] {
            assert_eq!(target(None, port, host, "/x?y=1"), expected, "{host}");
        }
        assert_eq!(
            target(Some("https://b.example/api/"), 8443, "a", "/x"),
            some("https://b.example/api/x")
        );
        assert_eq!(
            target(Some("http://b.example"), 443, "a", "/x"),
            some("https://a/x")
        );
    }
}
