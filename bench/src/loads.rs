//! What is measured, with what it is compared, and what share of that is aimed at.

use crate::data::Scale;

/// The account that signs in over and over; each of its log-ins ends an older session.
pub(crate) const VISITOR: &str = "visitor";
pub(crate) const VISITOR_PASSWORD: &str = "a bench needs no better password";

/// One of the things that are measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    Key,
    Page,
    Thousand,
    Embed,
    Count,
    Stream,
    Insert,
    Update,
    Upsert,
    Bulk,
    Import,
    Inbox,
    Items,
    Me,
    Login,
}

impl Load {
    /// In the order in which they are measured: those that only read come first.
    pub(crate) const ALL: [Self; 15] = [
        Self::Key,
        Self::Page,
        Self::Thousand,
        Self::Embed,
        Self::Count,
        Self::Stream,
        Self::Insert,
        Self::Update,
        Self::Upsert,
        Self::Bulk,
        Self::Import,
        Self::Inbox,
        Self::Items,
        Self::Me,
        Self::Login,
    ];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Page => "page",
            Self::Thousand => "thousand",
            Self::Embed => "embed",
            Self::Count => "count",
            Self::Stream => "stream",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Bulk => "bulk",
            Self::Import => "import",
            Self::Inbox => "inbox",
            Self::Items => "items",
            Self::Me => "me",
            Self::Login => "login",
        }
    }

    /// What it is called in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Key => "one row by key",
            Self::Page => "page of 20, filtered by an index, sorted",
            Self::Thousand => "1,000 rows",
            Self::Embed => "20 rows with 10 embedded rows each",
            Self::Count => "the page of 20 with `count=exact`",
            Self::Stream => "stream of a million rows",
            Self::Insert => "insert of one row",
            Self::Update => "update by key",
            Self::Upsert => "upsert of one row",
            Self::Bulk => "insert of 1,000 rows, JSON",
            Self::Import => "import of 100,000 rows, CSV",
            Self::Inbox => "message of 1 KiB to a webhook",
            Self::Items => "`GET /items`, 20 of 200",
            Self::Me => "`GET /auth/me`",
            Self::Login => "log-in (bcrypt, cost 10)",
        }
    }

    /// What it is compared with.
    pub(crate) fn floor(self) -> Floor {
        match self {
            Self::Items | Self::Login => Floor::None,
            Self::Me => Floor::Fixed,
            _ => Floor::Bare,
        }
    }

    /// The share of the floor that is aimed at, if there is an aim.
    pub(crate) fn target(self, is_embedded: bool) -> Option<f64> {
        match (self, is_embedded) {
            (Self::Me | Self::Inbox, _) => Some(0.70),
            // Many inserts share one commit.
            (Self::Insert, true) => Some(5.0),
            (Self::Key | Self::Page | Self::Thousand | Self::Embed | Self::Stream, true)
            | (Self::Key, false) => Some(0.75),
            (Self::Page | Self::Embed | Self::Insert | Self::Update, false) => Some(0.80),
            (Self::Thousand | Self::Stream | Self::Import, false) => Some(0.85),
            _ => None,
        }
    }

    /// How many connections it has, of as many as are asked for.
    pub(crate) fn clients(self, most: usize) -> usize {
        match self {
            Self::Stream | Self::Import => 1,
            Self::Bulk | Self::Login => most.min(8),
            _ => most,
        }
    }

    /// Rows of a load whose single request takes seconds, which is timed by itself.
    pub(crate) fn rows_of_one(self, scale: Scale) -> Option<u64> {
        match self {
            Self::Stream => Some(scale.salaries() / 2),
            Self::Import => Some(scale.employees / 3),
            _ => None,
        }
    }

    /// Whether both sides are to give the same body.
    pub(crate) fn same_answer(self) -> bool {
        matches!(
            self,
            Self::Key | Self::Page | Self::Thousand | Self::Embed | Self::Count
        )
    }

    /// The table that it fills and that is emptied afterwards.
    pub(crate) fn fills(self) -> Option<&'static str> {
        match self {
            Self::Insert | Self::Bulk | Self::Import => Some("hires"),
            Self::Upsert => Some("labels"),
            Self::Inbox => Some("events"),
            _ => None,
        }
    }
}

/// With what a load is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floor {
    /// The same work without anything around it.
    Bare,
    /// The answer that is always the same.
    Fixed,
    /// Nothing.
    None,
}
