//! How many requests a client may send in a minute, counted before authentication.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use tidegate_application::backoff::client_key;
use tidegate_domain::account::UserId;

use crate::app::HttpOptions;
use crate::error::ApiError;
use crate::route::LimitClass;

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// The counters, shared by all workers.
pub struct Limits {
    general: Option<Counter>,
    credentials: Option<Counter>,
    senders: Option<Counter>,
    owners: Option<Counter<i64>>,
}

struct Counter<K: Hash + Eq + Clone = IpAddr> {
    name: &'static str,
    per_minute: NonZeroU32,
    limiter: Limiter<K>,
    clock: DefaultClock,
}

/// What is left to a client after a request that was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    policy: HeaderValue,
    limit: HeaderValue,
}

impl Allowance {
    /// Adds the headers `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    pub fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT_POLICY.clone(), self.policy.clone());
        headers.insert(RATE_LIMIT.clone(), self.limit.clone());
    }
}

impl Limits {
    /// The counters that `options` ask for. A limit of 0 is none.
    pub fn new(options: &HttpOptions) -> Self {
        fn counter<K: Hash + Eq + Clone>(
            options: &HttpOptions,
            name: &'static str,
            per_minute: u32,
        ) -> Option<Counter<K>> {
            let per_minute = NonZeroU32::new(per_minute).filter(|_| options.limits_enabled)?;
            let limiter = RateLimiter::dashmap(Quota::per_minute(per_minute)).with_middleware();
            Some(Counter {
                name,
                per_minute,
                limiter,
                clock: DefaultClock::default(),
            })
        }
        Self {
            general: counter(options, "general", options.general_per_minute),
            credentials: counter(options, "credentials", options.credentials_per_minute),
            senders: counter(options, "inbox-source", options.inbox_source_per_minute),
            owners: counter(options, "inbox-owner", options.inbox_owner_per_minute),
        }
    }

    /// Counts a message for the owner of the webhook that it came to.
    ///
    /// # Errors
    /// 429 when the owner's webhooks have used up their limit.
    pub fn check_owner(&self, owner: UserId) -> Result<(), ApiError> {
        match &self.owners {
            Some(counter) => counter.check(&owner.0).map(drop),
            None => Ok(()),
        }
    }

    /// Counts a request. For the strict class what is left is given back; under the
    /// general limit only a refusal says it, to keep ordinary answers short.
    ///
    /// # Errors
    /// 429 when the client has used up its limit.
    pub fn check(&self, class: LimitClass, client: IpAddr) -> Result<Option<Allowance>, ApiError> {
        match class {
            LimitClass::Unlimited => Ok(None),
            LimitClass::General => self
                .general
                .as_ref()
                .map_or(Ok(None), |c| c.check(&client_key(client)).map(|_| None)),
            LimitClass::Inbox => self
                .senders
                .as_ref()
                .map_or(Ok(None), |c| c.check(&client_key(client)).map(|_| None)),
            LimitClass::Credentials => self.credentials.as_ref().map_or(Ok(None), |c| {
                c.check(&client_key(client))
                    .map(|left| Some(c.allowance(left, 0)))
            }),
        }
    }

    /// Forgets clients that have been quiet long enough to start afresh. Called every
    /// minute, so that the counters do not grow with the number of addresses seen.
    pub fn forget_quiet(&self) {
        let by_address = [&self.general, &self.credentials, &self.senders];
        by_address
            .into_iter()
            .flatten()
            .for_each(Counter::forget_quiet);
        self.owners.iter().for_each(Counter::forget_quiet);
    }

    /// How many clients are remembered.
    #[cfg(test)]
    fn remembered(&self) -> usize {
        [&self.general, &self.credentials]
            .into_iter()
            .flatten()
            .map(|c| c.limiter.len())
            .sum()
    }
}

impl<K: Hash + Eq + Clone> Counter<K> {
    fn forget_quiet(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }

    fn check(&self, key: &K) -> Result<u32, ApiError> {
        match self.limiter.check_key(key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(refused) => {
                let limit = self.name.replace('-', "_");
                metrics::counter!("tidegate_rate_limited_total", "limit" => limit).increment(1);
                let wait = refused.wait_time_from(self.clock.now());
                // Rounded up: who comes back then is let through.
                let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
                Err(self.refusal(seconds))
            }
        }
    }

    fn refusal(&self, seconds: u64) -> ApiError {
        let allowance = self.allowance(0, seconds);
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            format!(
                "More than {} requests in a minute; try again in {seconds} seconds",
                self.per_minute
            ),
        )
        .retry_after(seconds)
        .header(RATE_LIMIT_POLICY.clone(), &text(&allowance.policy))
        .header(RATE_LIMIT.clone(), &text(&allowance.limit))
    }

    /// `left` requests now; `seconds` until the next one where none is left.
    fn allowance(&self, left: u32, seconds: u64) -> Allowance {
        // The bucket fills evenly: what was used up comes back within this time.
        let used = u64::from(self.per_minute.get().saturating_sub(left));
        let reset = if left == 0 && seconds > 0 {
            seconds
        } else {
            (used * 60).div_ceil(u64::from(self.per_minute.get()))
        };
        let header = |text: String| {
            HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
        };
        Allowance {
            policy: header(format!(r#""{}";q={};w=60"#, self.name, self.per_minute)),
            limit: header(format!(r#""{}";r={left};t={reset}"#, self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(enabled: bool) -> Limits {
        Limits::new(&HttpOptions {
            limits_enabled: enabled,
            credentials_per_minute: 30,
            ..HttpOptions::default()
        })
    }

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_31st_request_is_refused_for_this_client_and_class_only() {
        let limits = limits(true);
        for sent in 1..=30 {
            let allowance = limits
                .check(LimitClass::Credentials, client("192.0.2.1"))
                .unwrap()
                .unwrap();
            let limit = allowance.limit.to_str().unwrap();
            assert!(
                limit.starts_with(&format!("\"credentials\";r={};t=", 30 - sent)),
                "{limit}"
            );
            assert_eq!(allowance.policy, "\"credentials\";q=30;w=60");
        }
        let refused = limits
            .check(LimitClass::Credentials, client("192.0.2.1"))
            .unwrap_err();
        assert_eq!(refused.status(), 429);
        let response = actix_web::ResponseError::error_response(&refused);
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        let seconds: u64 = header("retry-after").parse().unwrap();
        assert!((1..=2).contains(&seconds));
        assert_eq!(
            header("ratelimit"),
            format!("\"credentials\";r=0;t={seconds}")
        );
        assert_eq!(header("ratelimit-policy"), "\"credentials\";q=30;w=60");
        assert!(
            limits
                .check(LimitClass::Credentials, client("192.0.2.2"))
                .is_ok()
        );
        assert!(
            limits
                .check(LimitClass::General, client("192.0.2.1"))
                .is_ok()
        );
        assert!(
            limits
                .check(LimitClass::Unlimited, client("192.0.2.1"))
                .is_ok()
        );
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let limits = limits(true);
        for host in 0..30 {
            limits
                .check(
                    LimitClass::Credentials,
                    client(&format!("2001:db8::{host:x}")),
                )
                .unwrap();
        }
        assert!(
            limits
                .check(LimitClass::Credentials, client("2001:db8::ffff"))
                .is_err()
        );
        assert_eq!(limits.remembered(), 1);
    }

    #[test]
    fn limits_can_be_switched_off() {
        let limits = limits(false);
        for _ in 0..100 {
            assert_eq!(
                limits
                    .check(LimitClass::Credentials, client("192.0.2.1"))
                    .unwrap(),
                None
            );
        }
    }

    #[test]
    fn quiet_clients_are_forgotten() {
        // 6000 a minute: a client that sent one request is quiet again after 10 ms.
        let limits = limits(true);
        limits
            .check(LimitClass::General, client("192.0.2.1"))
            .unwrap();
        assert_eq!(limits.remembered(), 1);
        std::thread::sleep(std::time::Duration::from_millis(50));
        limits.forget_quiet();
        assert_eq!(limits.remembered(), 0);
    }
}
