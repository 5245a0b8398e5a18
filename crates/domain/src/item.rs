//! Items: names with a description, each owned by the user who made it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::resource::{List, Resource, Spec, Writers};
use crate::text::{Line, Text};

/// The resource `/items`.
#[derive(Debug)]
pub struct Item;

/// What a client may send of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Lantern", "description": "Brass, with a red glass"}))]
pub struct ItemDraft {
    /// No two items have the same.
    #[schema(inline)]
    pub name: Line<1, 255>,
    /// Whatever there is to say.
    #[schema(inline)]
    pub description: Option<Text<0, 2000>>,
}

impl Resource for Item {
    type Draft = ItemDraft;

    const SPEC: Spec = Spec {
        owner: Some("user_id"),
        writers: Writers::Owners,
        tells_deleted: true,
        list: List {
            search: &[("name", "name"), ("description", "description")],
            ..List::pages(20, 100)
        },
        unique: &[("name", "item_name_taken")],
        ..Spec::new("item", "items")
    };
}
