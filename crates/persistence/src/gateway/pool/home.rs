//! Where connections live.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::runtime::Handle;

/// A thread with a runtime of its own, or (0) all others.
pub(super) type HomeId = u64;

/// What connections are opened by.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) id: HomeId,
    /// The runtime of the home; `None`: the present one.
    pub(super) runtime: Option<Handle>,
}

/// How many connections there have to be for each home. With fewer, homes would close each
/// other's to open their own.
const EACH: usize = 2;

/// How many threads are homes.
static SETTLED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static HERE: RefCell<Option<Settled>> = const { RefCell::new(None) };
}

/// The home of a thread, until it ends.
struct Settled(Home);

impl Drop for Settled {
    fn drop(&mut self) {
        SETTLED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes this thread, which has a runtime of its own, the home of the connections that are
/// needed on it. The runtime has to last as long as anybody uses one of them.
pub fn settle() {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    HERE.with_borrow_mut(|here| {
        here.get_or_insert_with(|| {
            SETTLED.fetch_add(1, Ordering::Relaxed);
            Settled(Home {
                id: NEXT.fetch_add(1, Ordering::Relaxed),
                runtime: Some(runtime),
            })
        });
    });
}

impl Home {
    /// What runs on the shared runtime.
    pub(super) const SHARED: Self = Self {
        id: 0,
        runtime: None,
    };

    /// The home of this thread in a pool of at most so many connections: the shared one where
    /// there are too few for all homes.
    pub(super) fn here(most: usize) -> Self {
        let homes = SETTLED.load(Ordering::Relaxed) + 1;
        if most / EACH < homes {
            return Self::SHARED;
        }
        HERE.with_borrow(|here| here.as_ref().map_or(Self::SHARED, |it| it.0.clone()))
    }

    /// Does what makes sockets so that they belong to the home.
    pub(super) async fn within<F: Future>(&self, work: F) -> F::Output {
        let Some(runtime) = &self.runtime else {
            return work.await;
        };
        let mut work = Box::pin(work);
        std::future::poll_fn(|context| {
            let _entered = runtime.enter();
            work.as_mut().poll(context)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_a_home_once_it_says_so() {
        let here = || Home::here(usize::MAX);
        assert_eq!(here().id, Home::SHARED.id);
        settle();
        assert_eq!(here().id, Home::SHARED.id, "it has no runtime");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async { settle() });
        let home = here();
        assert!(home.id != Home::SHARED.id && home.runtime.is_some());
        runtime.block_on(async { settle() });
        assert_eq!(here().id, home.id);
        // The shared home is one more.
        let enough = EACH * (SETTLED.load(Ordering::Relaxed) + 1);
        assert_eq!(Home::here(enough).id, home.id);
        let few = Home::here(enough - 1);
        assert!(few.id == Home::SHARED.id && few.runtime.is_none());
        // A thread that has ended does not count.
        let other = std::thread::spawn(move || {
            runtime.block_on(async { settle() });
            let few = Home::here(enough);
            (few.id, here().id)
        });
        let (few, other) = other.join().unwrap();
        assert!(few == Home::SHARED.id && other != Home::SHARED.id && other != home.id);
        assert_eq!(Home::here(enough).id, home.id);
    }
}
