//! For which request a thread is at work, so that every line of the log can name it.
//!
//! Whoever serves a request says so for as long as a thread is at it; whoever hands work to another
//! thread or task carries it over. It costs next to nothing, and a request that logs nothing pays
//! no more.

use std::borrow::Cow;
use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a line of the log tells of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: Arc<str>,
    /// Its method.
    pub method: Cow<'static, str>,
    /// Its path, as it may be logged.
    pub path: Arc<str>,
    /// The trace that it belongs to, if it does.
    pub trace_id: Option<Arc<str>>,
}

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current(None)) };
}

/// The request that is being worked on, or none.
#[derive(Debug, Clone, Default)]
pub struct Current(Option<Arc<Request>>);

/// Puts back what was there before.
struct Restore(Option<Current>);

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            let _ = CURRENT.try_with(|current| current.replace(before));
        }
    }
}

impl Current {
    /// That of this thread.
    pub fn here() -> Self {
        // A thread that ends may still log.
        let current = CURRENT.try_with(|current| current.borrow().clone());
        current.unwrap_or_default()
    }

    /// What is known of it.
    pub fn request(&self) -> Option<&Request> {
        self.0.as_deref()
    }

    /// Does something for it.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        // A thread that ends may still drop what is carried.
        let before = CURRENT.try_with(|current| current.replace(self.clone()));
        let _restore = Restore(before.ok());
        work()
    }

    /// Has a future work for it, on whichever threads it is polled and dropped. It is to own its
    /// work: what it only points to is dropped by somebody else.
    pub fn carry<P: Future + Unpin>(self, work: P) -> Carried<P> {
        Carried {
            current: self,
            work: Some(work),
        }
    }
}

impl From<Request> for Current {
    fn from(request: Request) -> Self {
        Self(Some(Arc::new(request)))
    }
}

/// Work for a request, see [`Current::carry`].
#[derive(Debug)]
pub struct Carried<P> {
    current: Current,
    // Empty only once it is dropped.
    work: Option<P>,
}

impl<P: Future + Unpin> Future for Carried<P> {
    type Output = P::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { current, work } = self.get_mut();
        match work {
            Some(work) => current.in_scope(|| Pin::new(work).poll(context)),
            None => Poll::Pending,
        }
    }
}

impl<P> Drop for Carried<P> {
    fn drop(&mut self) {
        let Self { current, work } = self;
        current.in_scope(|| drop(work.take()));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;
    use std::task::Waker;

    use super::*;

    fn request(id: &str) -> Current {
        Current::from(Request {
            id: id.into(),
            method: "GET".into(),
            path: "/".into(),
            trace_id: None,
        })
    }

    fn here() -> Option<Arc<str>> {
        Current::here().request().map(|it| Arc::clone(&it.id))
    }

    #[test]
    fn scopes_nest_and_end_also_by_a_panic() {
        assert_eq!(here(), None);
        request("outer").in_scope(|| {
            assert_eq!(here().as_deref(), Some("outer"));
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                request("inner").in_scope(|| {
                    assert_eq!(here().as_deref(), Some("inner"));
                    std::panic::resume_unwind(Box::new(()));
                })
            }));
            assert!(panicked.is_err());
            assert_eq!(here().as_deref(), Some("outer"));
            Current::default().in_scope(|| assert_eq!(here(), None));
        });
        assert_eq!(here(), None);
    }

    #[test]
    fn a_future_carries_its_request_from_thread_to_thread() {
        let mut polled = 0;
        let work = std::future::poll_fn(move |_| {
            polled += 1;
            if polled == 2 {
                Poll::Ready(here())
            } else {
                assert_eq!(here().as_deref(), Some("it"));
                Poll::Pending
            }
        });
        let mut work = request("it").carry(Box::pin(work));
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut work).poll(&mut context).is_pending());
        assert_eq!(here(), None);
        let elsewhere = std::thread::spawn(move || {
            Pin::new(&mut work).poll(&mut Context::from_waker(Waker::noop()))
        });
        let Poll::Ready(name) = elsewhere.join().unwrap() else {
            panic!("the work is done");
        };
        assert_eq!(name.as_deref(), Some("it"));
    }

    #[test]
    fn work_that_is_given_up_is_dropped_for_its_request() {
        struct Tells(Arc<Mutex<Option<Arc<str>>>>);
        impl Drop for Tells {
            fn drop(&mut self) {
                *self.0.lock().unwrap() = here();
            }
        }
        let told = Arc::default();
        let tells = Tells(Arc::clone(&told));
        let work = async move {
            let _tells = tells;
            std::future::pending::<()>().await;
        };
        let mut work = request("it").carry(Box::pin(work));
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut work).poll(&mut context).is_pending());
        request("another").in_scope(|| {
            drop(work);
            assert_eq!(here().as_deref(), Some("another"));
        });
        assert_eq!(told.lock().unwrap().as_deref(), Some("it"));
    }
}
