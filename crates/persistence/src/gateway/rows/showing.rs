//! Written rows on their way to the answer: collected as they are, or by their keys, where more is
//! shown of them than their columns and they are read again.

use std::collections::HashMap;

use bytes::Bytes;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::{Member, Reread, Returning};

use super::collect::Collected;
use super::document::Document;
use super::field::Field;

/// What is to be shown of written rows.
pub(crate) enum Showing<'p> {
    /// Their columns.
    Columns(Box<Collected>),
    /// What is read by their keys.
    Keys(Keys<'p>),
}

/// Keys of written rows, each with its place in the order of the writing.
pub(crate) struct Keys<'p> {
    reread: &'p Reread,
    found: Vec<(usize, Vec<Value>)>,
}

impl<'p> Keys<'p> {
    /// How the rows are read.
    pub(crate) fn reread(&self) -> &'p Reread {
        self.reread
    }

    /// The keys in the order of the writing.
    pub(crate) fn in_order(mut self) -> Vec<Vec<Value>> {
        self.found.sort_by_key(|(place, _)| *place);
        self.found.into_iter().map(|(_, key)| key).collect()
    }

    /// Adds the next key.
    pub(crate) fn push(&mut self, key: Vec<Value>) {
        self.found.push((self.found.len(), key));
    }
}

impl<'p> Showing<'p> {
    /// No rows yet.
    pub(crate) fn new(returning: &'p Returning, encoding: Encoding) -> Self {
        match returning {
            Returning::Columns(shape) => Self::Columns(Box::new(Collected::new(shape, encoding))),
            Returning::Reread(reread) => Self::Keys(Keys {
                reread,
                found: Vec::new(),
            }),
        }
    }

    /// The places of the columns that each row has to be given with.
    pub(crate) fn columns(&self) -> &[usize] {
        match self {
            Self::Columns(collected) => collected.columns(),
            Self::Keys(keys) => keys.reread.key(),
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Columns(collected) => collected.len(),
            Self::Keys(keys) => keys.found.len(),
        }
    }

    /// Adds a row at its place in the order of the writing, whose fields `field` gives, in
    /// the order of [`Showing::columns`].
    ///
    /// # Errors
    /// Those of `field`.
    pub(crate) fn add<'f, E>(
        &mut self,
        place: usize,
        mut field: impl FnMut(usize) -> Result<Field<'f>, E>,
    ) -> Result<(), E> {
        match self {
            Self::Columns(collected) => collected.add(place, field),
            Self::Keys(keys) => {
                let key = (0..keys.reread.key().len())
                    .map(|at| field(at).map(Field::into_value))
                    .collect::<Result<_, E>>()?;
                keys.found.push((place, key));
                Ok(())
            }
        }
    }
}

/// Shows nothing: the document without rows.
pub(crate) fn nothing(returning: &Returning, encoding: Encoding) -> Bytes {
    match returning {
        Returning::Columns(shape) => Collected::new(shape, encoding).finish(),
        Returning::Reread(reread) => {
            let names = reread.child().node().members().iter().map(Member::name);
            let document = Document::new(encoding, names);
            let mut out = Vec::new();
            document.open(&mut out);
            document.close(&mut out);
            out.into()
        }
    }
}

/// A text that is the same for equal keys, in whatever form they were given.
pub(crate) fn told_apart(table: &Table, key: &[usize], values: &[Value]) -> String {
    let columns = key.iter().filter_map(|at| table.columns.get(*at));
    let fields = columns
        .zip(values)
        .map(|(column, value)| Field::from_value(&column.column_type, value).into_value());
    format!("{:?}", fields.collect::<Vec<_>>())
}

/// The places of keys among others, by [`told_apart`].
pub(crate) fn places(
    table: &Table,
    key: &[usize],
    keys: &[Vec<Value>],
    start: usize,
) -> HashMap<String, usize> {
    keys.iter()
        .enumerate()
        .map(|(at, values)| (told_apart(table, key, values), start + at))
        .collect()
}
