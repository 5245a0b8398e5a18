//! What a change must be to the table as it is: everything named is there, and what comes of
//! it is a table that every engine can have.

use std::collections::{HashMap, HashSet};

use super::check::{
    MAX_COLUMNS, Shape, check_column, check_foreign_key, check_index_bytes, check_key_of,
    check_names, fault, foreign_key_name, index_name,
};
use crate::error::{InvalidInput, escape_pointer};
use crate::gateway::change::TableChange;
use crate::gateway::schema::{Table, TableKind};

impl TableChange {
    /// Checks a change against the table as it is.
    ///
    /// # Errors
    /// Something named that is not there, something added that is, or no column left.
    pub fn check(&self, current: &Table) -> Result<(), InvalidInput> {
        if current.kind == TableKind::View {
            return fault("a view cannot be changed; drop it and make a table");
        }
        let mut faults = InvalidInput::default();
        let has = |name: &str| current.column_index(name).is_some();
        let missing = |what: &str, name: &str| fault(format!("the table has no {what} {name}"));
        for (at, name) in self.drop_columns.iter().enumerate() {
            let pointer = format!("/drop_columns/{at}");
            if !has(name) {
                faults.collect(&pointer, missing("column", name));
            } else if current.primary_key.contains(name) {
                faults.collect(
                    &pointer,
                    fault(format!("the column {name} is part of the primary key")),
                );
            } else if current.foreign_keys.iter().any(|key| {
                key.columns.contains(name) && !self.drop_foreign_keys.contains(&key.name)
            }) {
                faults.collect(
                    &pointer,
                    fault(format!(
                        "a foreign key needs the column {name}; drop it first"
                    )),
                );
            } else if let Some(index) = current.indexes.iter().find(|index| {
                let stays = |column: &String| !self.drop_columns.contains(column);
                index.columns.contains(name)
                    && index.columns.iter().any(stays)
                    && !self.drop_indexes.contains(&index.name)
            }) {
                faults.collect(
                    &pointer,
                    fault(format!(
                        "the index {} needs the column {name}; drop it as well (drop_indexes)",
                        index.name
                    )),
                );
            }
        }
        for (from, _) in self
            .rename_columns
            .iter()
            .filter(|(from, _)| !has(from) || self.drop_columns.contains(from))
        {
            faults.collect(
                &format!("/rename_columns/{}", escape_pointer(from)),
                missing("column", from),
            );
        }
        for (at, name) in self.drop_indexes.iter().enumerate() {
            if !current.indexes.iter().any(|index| index.name == *name) {
                faults.collect(&format!("/drop_indexes/{at}"), missing("index", name));
            }
        }
        for (at, name) in self.drop_foreign_keys.iter().enumerate() {
            if name.is_empty() || !current.foreign_keys.iter().any(|key| key.name == *name) {
                faults.collect(
                    &format!("/drop_foreign_keys/{at}"),
                    missing("foreign key", name),
                );
            }
        }

        // The columns as they will be, by the steps' order.
        let renames: HashMap<&str, &str> = self
            .rename_columns
            .iter()
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .collect();
        let renamed = |name: &'_ str| {
            renames
                .get(name)
                .map_or(name.to_owned(), |to| (*to).to_owned())
        };
        let key: Vec<String> = current
            .primary_key
            .iter()
            .map(|name| renamed(name))
            .collect();
        let mut shapes: Vec<Shape<'_>> = current
            .columns
            .iter()
            .filter(|column| !self.drop_columns.contains(&column.name))
            .map(|column| Shape {
                name: renames
                    .get(column.name.as_str())
                    .copied()
                    .unwrap_or(&column.name),
                column_type: &column.column_type,
                nullable: column.nullable,
            })
            .collect();
        let mut altered = HashSet::new();
        for (at, column) in self.alter_columns.iter().enumerate() {
            let name = column.name.as_str();
            let pointer = format!("/alter_columns/{at}");
            faults.collect(&pointer, check_column(column, &key));
            if !altered.insert(name) {
                let twice = fault(format!("the column {name} stands there twice"));
                faults.collect(&format!("{pointer}/name"), twice);
            }
            let Some(shape) = shapes.iter_mut().find(|shape| shape.name == name) else {
                faults.collect(&format!("{pointer}/name"), missing("column", name));
                continue;
            };
            if (current.columns.iter())
                .any(|old| renamed(&old.name) == name && old.generated.is_some())
            {
                let generated = fault("a generated column cannot be defined anew");
                faults.collect(&format!("{pointer}/name"), generated);
            }
            let same_type = *shape.column_type == column.column_type;
            *shape = Shape {
                nullable: column.nullable && !key.iter().any(|part| part == name),
                ..Shape::from(column)
            };
            // What an index holds as it is (a part of a text, say) it may go on holding.
            let lists = current
                .indexes
                .iter()
                .filter(|index| !self.drop_indexes.contains(&index.name))
                .map(|index| index.columns.iter().map(|name| renamed(name)).collect())
                .chain([key.clone()]);
            for list in lists.filter(|list: &Vec<String>| list.iter().any(|part| part == name)) {
                let indexed = shapes
                    .iter()
                    .filter(|shape| list.iter().any(|part| part == shape.name));
                if !same_type {
                    faults.collect(&format!("{pointer}/type"), check_index_bytes(indexed));
                }
            }
        }
        let mut names: Vec<&str> = shapes.iter().map(|shape| shape.name).collect();
        for (at, column) in self.add_columns.iter().enumerate() {
            names.push(column.name.as_str());
            shapes.push(Shape::from(column));
            if column.auto_increment {
                faults.collect(
                    &format!("/add_columns/{at}/auto_increment"),
                    fault("a column with auto_increment comes with the table"),
                );
            }
            faults.collect(&format!("/add_columns/{at}"), check_column(column, &[]));
        }
        let mut folded = HashSet::new();
        if let Some(name) = names
            .iter()
            .find(|name| !folded.insert(name.to_lowercase()))
        {
            faults.collect(
                "",
                fault(format!("the table would have the column {name} twice")),
            );
        }
        if names.is_empty() {
            faults.collect("/drop_columns", fault("a table keeps one column or more"));
        }
        if names.len() > MAX_COLUMNS {
            faults.collect(
                "/add_columns",
                fault(format!("a table has at most {MAX_COLUMNS} columns")),
            );
        }
        for (at, index) in self.add_indexes.iter().enumerate() {
            let outcome = check_key_of(&index.columns, &shapes);
            faults.collect(&format!("/add_indexes/{at}/columns"), outcome);
        }
        for (at, key) in self.add_foreign_keys.iter().enumerate() {
            let outcome = check_foreign_key(key, &shapes);
            faults.collect(&format!("/add_foreign_keys/{at}"), outcome);
        }
        let kept = current
            .indexes
            .iter()
            .map(|index| index.name.as_str())
            .filter(|name| !self.drop_indexes.iter().any(|dropped| dropped == name));
        check_names(
            &mut faults,
            "/add_indexes",
            kept.map(Some)
                .chain(self.add_indexes.iter().map(index_name)),
        );
        let kept = current
            .foreign_keys
            .iter()
            .map(|key| key.name.as_str())
            .filter(|name| {
                !name.is_empty() && !self.drop_foreign_keys.iter().any(|dropped| dropped == name)
            });
        check_names(
            &mut faults,
            "/add_foreign_keys",
            kept.map(Some)
                .chain(self.add_foreign_keys.iter().map(foreign_key_name)),
        );
        faults.into_result()
    }
}
