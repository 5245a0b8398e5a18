//! An HTTP client that plays one role, and its answers.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::documented;

/// A client with a base address and, unless anonymous, credentials.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    authorization: Option<String>,
}

impl Client {
    /// A client without credentials.
    pub fn anonymous(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // Traffic is plain HTTP: the system's certificates are not read for each client.
            .tls_certs_only([])
            .build()
            .expect("an HTTP client");
        Self {
            http,
            base: base.to_owned(),
            authorization: None,
        }
    }

    /// The same client with a bearer token.
    pub fn bearer(&self, token: &str) -> Self {
        Self {
            authorization: Some(format!("Bearer {token}")),
            ..self.clone()
        }
    }

    /// The same client with HTTP Basic.
    pub fn basic(&self, user: &str, password: &str) -> Self {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        Self {
            authorization: Some(format!("Basic {pair}")),
            ..self.clone()
        }
    }

    /// The same client with this `Authorization` header.
    pub fn authorization(&self, value: &str) -> Self {
        Self {
            authorization: Some(value.to_owned()),
            ..self.clone()
        }
    }

    /// A request to be completed with headers and a body.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }

    /// Sends a method without a body.
    pub async fn send(&self, method: Method, path: &str) -> Reply {
        Reply::of(self.request(method, path)).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path).await
    }

    /// Sends a JSON body.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Reply {
        Reply::of(self.request(method, path).json(body)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.json(Method::POST, path, body).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.json(Method::PATCH, path, body).await
    }

    /// Posts a form.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        Reply::of(self.request(Method::POST, path).form(fields)).await
    }

    /// Posts a text of a media type.
    pub async fn text(
        &self,
        path: &str,
        media_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        Reply::of(
            self.request(Method::POST, path)
                .header(CONTENT_TYPE, media_type)
                .body(body),
        )
        .await
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    /// Sends a request and reads the answer to its end.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::try_of(request).await.expect("an answer")
    }

    /// The same, where the connection may fail.
    pub async fn try_of(request: reqwest::RequestBuilder) -> Result<Self, reqwest::Error> {
        let (client, request) = request.build_split();
        let request = request?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        // Other listeners and other servers give no ids, and are not described.
        if headers.contains_key("x-request-id") {
            documented::check(&method, &path, status.as_u16());
        }
        Ok(Self {
            status,
            headers,
            body: response.text().await?,
        })
    }

    /// Asserts the status and gives the reply back.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    /// A header's text; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Asserts that this is a problem (RFC 9457) with this status and code, all its members,
    /// and nothing of the inside in its text.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let reply = self.expect(status);
        assert!(
            reply
                .header("content-type")
                .starts_with("application/problem+json"),
            "{:?}",
            reply.headers
        );
        let value = reply.value();
        assert_eq!(value["code"], code, "{value}");
        assert_eq!(value["status"], status, "{value}");
        for member in ["type", "title", "detail", "request_id"] {
            assert!(
                value[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {value}"
            );
        }
        value
    }
}
