//! The listener of the metrics, apart from the API: whoever reaches it needs no credentials.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::BoxFuture;

/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Gives the metrics.
pub type Scrape = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

/// Serves `GET /metrics` on `listener` until `shutdown` is done. Called within a tokio runtime,
/// on which what is asked of the database lives.
///
/// # Errors
/// When the socket fails.
pub fn serve(
    listener: TcpListener,
    scrape: Scrape,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
    let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
    let server = HttpServer::new(move || {
        let (scrape, runtime) = (Arc::clone(&scrape), runtime.clone());
        let metrics = move || {
            let text = runtime.spawn(scrape());
            async move {
                match text.await {
                    Ok(text) => HttpResponse::Ok()
                        .content_type(TEXT)
                        .insert_header((CACHE_CONTROL, "no-store"))
                        .body(text),
                    Err(_) => HttpResponse::InternalServerError().finish(),
                }
            }
        };
        App::new().route("/metrics", web::get().to(metrics))
    });
    Ok(server
        .workers(1)
        .shutdown_signal(shutdown)
        .shutdown_timeout(1)
        .listen(listener)?
        .run())
}
