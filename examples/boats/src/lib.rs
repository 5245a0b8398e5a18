//! Tidegate as a library, without a fork: a resource with its table, and a route with a use case.

mod berths;
mod boat;
mod m20261201_000001_boats;

use tidegate::app::App;
use tidegate_migrations::Steps;

/// Tidegate with all that it brings, and with boats.
pub fn app() -> App {
    App::default()
        .migrations(steps)
        .resource::<boat::Boat>()
        .routes(berths::routes())
        .data(|wired| berths::Berths::new(wired.stores.records()))
}

fn steps() -> Steps {
    vec![Box::new(m20261201_000001_boats::Migration)]
}
