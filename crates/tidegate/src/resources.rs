//! The resources that Tidegate brings.

use std::sync::Arc;

use tidegate_application::posts::{Posts, PostsParts};
use tidegate_http::routes::posts;

use crate::app::{App, Wired};

/// Adds all of them. A new plain resource is one line here.
#[rustfmt::skip]
pub(crate) fn add(app: App) -> App {
    app
        // Plain resources.
        .resource::<tidegate_domain::employee::Employee>()
        .resource::<tidegate_domain::item::Item>()
        // Resources with rules of their own.
        .routes(posts::routes())
        .data(make_posts)
}

fn make_posts(wired: &Wired) -> Posts {
    Posts::new(PostsParts {
        posts: Arc::new(wired.stores.records()),
        votes: Arc::new(wired.stores.votes()),
        users: Arc::new(wired.stores.users()),
        unit_of_work: Arc::new(wired.stores.clone()),
        idempotency: wired.idempotency.clone(),
        clock: wired.clock.clone(),
        randomness: wired.randomness.clone(),
    })
}
