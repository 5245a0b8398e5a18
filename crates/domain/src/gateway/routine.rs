//! Stored routines, and the statements that the settings give a name: what they take, what they
//! give back, and the port by which they are called.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::column_type::ColumnType;
use super::port::Encoding;
use super::schema::{DatabaseSchema, Table};
use super::value::{Fault, Value};
use crate::error::StoreError;
use crate::query::change::Ending;
use crate::query::error::QueryError;
use crate::query::plan::ReadPlan;
use crate::query::planner::JsonRow;
use crate::query::similar::most_similar;

/// Something that can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routine {
    /// Its name.
    pub name: String,
    /// What it is to the engine.
    pub kind: RoutineKind,
    /// What it takes, in its order.
    pub parameters: Vec<Parameter>,
    /// What it gives back.
    pub returns: Returns,
    /// Whether it is known to write nothing.
    pub reads_only: bool,
    /// The comment; empty without one.
    pub comment: String,
}

/// What a routine is to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoutineKind {
    /// A stored function: a value in an expression.
    Function,
    /// A stored procedure.
    Procedure,
    /// A statement that the settings give a name.
    Statement,
}

/// What a routine takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Which way its value goes.
    pub mode: ParameterMode,
}

/// Which way a parameter's value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterMode {
    /// Into the routine.
    In,
    /// Out of it.
    Out,
    /// Both.
    InOut,
}

/// What a routine gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    /// One value, of this type where it is known before.
    Scalar(Option<ColumnType>),
    /// One value of each row.
    Scalars,
    /// Rows; a procedure may give none at all, and then gives nothing.
    Rows,
    /// The values of its parameters that go out.
    Parameters,
    /// Nothing.
    Nothing,
}

impl Returns {
    /// Whether there may be any number of rows.
    pub fn is_set(&self) -> bool {
        matches!(self, Self::Rows | Self::Scalars)
    }
}

impl Routine {
    /// The parameters for which a caller gives values.
    pub fn taken(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters
            .iter()
            .filter(|parameter| parameter.mode != ParameterMode::Out)
    }

    /// Whether it takes exactly these arguments.
    fn takes(&self, names: &BTreeSet<&str>) -> bool {
        let mut taken = 0;
        self.taken().all(|parameter| {
            taken += 1;
            names.contains(parameter.name.as_str())
        }) && taken == names.len()
    }

    /// The arguments as values of the parameters, one for each; null for those that only go out.
    ///
    /// # Errors
    /// A value that is none of its parameter's type.
    pub fn values(&self, arguments: &Arguments) -> Result<Vec<Value>, QueryError> {
        let value = |parameter: &Parameter| {
            if parameter.mode == ParameterMode::Out {
                return Ok(Value::Null);
            }
            let value = match arguments {
                Arguments::Json(members) => members
                    .get(&parameter.name)
                    .map(|json| parameter.column_type.value_from_json(json)),
                // Of several values for one name the last counts.
                Arguments::Texts(texts) => texts
                    .iter()
                    .rfind(|(name, _)| *name == parameter.name)
                    .map(|(_, text)| parameter.column_type.value_from_text(text)),
            };
            // All are there: that is how the routine was chosen.
            value
                .unwrap_or(Ok(Value::Null))
                .map_err(|fault| wrong(parameter, fault))
        };
        self.parameters.iter().map(value).collect()
    }
}

fn wrong(parameter: &Parameter, fault: Fault) -> QueryError {
    QueryError::Value {
        column: parameter.name.clone(),
        kind: fault.kind,
        message: fault.message,
    }
}

/// What a caller gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Arguments {
    /// The members of a JSON object.
    Json(JsonRow),
    /// Texts by name.
    Texts(Vec<(String, String)>),
}

impl Arguments {
    fn names(&self) -> BTreeSet<&str> {
        match self {
            Self::Json(members) => members.keys().map(String::as_str).collect(),
            Self::Texts(texts) => texts.iter().map(|(name, _)| name.as_str()).collect(),
        }
    }
}

/// Chooses the one routine of this name that takes exactly these arguments.
///
/// # Errors
/// None does, or several do (a function and a procedure).
pub fn choose<'r>(
    database: &str,
    routines: &'r [Arc<Routine>],
    name: &str,
    arguments: &Arguments,
) -> Result<&'r Arc<Routine>, QueryError> {
    let names = arguments.names();
    let mut fitting = named(routines, name).filter(|routine| routine.takes(&names));
    match (fitting.next(), fitting.next()) {
        (Some(routine), None) => Ok(routine),
        (Some(one), Some(other)) => Err(QueryError::AmbiguousRoutine {
            candidates: [one, other].map(|it| signature(database, it)).into(),
        }),
        (None, _) => Err(unknown(database, routines, name, &names)),
    }
}

/// All routines of this name.
pub fn named<'r>(
    routines: &'r [Arc<Routine>],
    name: &str,
) -> impl Iterator<Item = &'r Arc<Routine>> {
    routines.iter().filter(move |routine| routine.name == name)
}

/// That no routine has this name and takes these arguments, and which one may have been meant.
fn unknown(
    database: &str,
    routines: &[Arc<Routine>],
    name: &str,
    arguments: &BTreeSet<&str>,
) -> QueryError {
    let same = named(routines, name).next();
    let similar = match same {
        Some(routine) => {
            let names: Vec<&str> = routine.taken().map(|it| it.name.as_str()).collect();
            Some(format!("{database}.{name}({})", names.join(", ")))
        }
        None => most_similar(name, routines.iter().map(|it| it.name.as_str()))
            .map(|name| format!("{database}.{name}")),
    };
    QueryError::UnknownRoutine {
        database: database.to_owned(),
        routine: name.to_owned(),
        arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
        similar,
    }
}

/// That a database has no routine of this name, whatever it takes.
pub fn unknown_name(database: &str, routines: &[Arc<Routine>], name: &str) -> QueryError {
    unknown(database, routines, name, &BTreeSet::new())
}

fn signature(database: &str, routine: &Routine) -> String {
    let parameters: Vec<String> = routine
        .taken()
        .map(|it| format!("{} => {}", it.name, it.column_type))
        .collect();
    format!("{database}.{}({})", routine.name, parameters.join(", "))
}

/// A call.
pub struct Call<'a> {
    /// The database, with its tables: a column that comes straight from one has its type.
    pub schema: &'a DatabaseSchema,
    /// What is called.
    pub routine: &'a Routine,
    /// One value for each of its parameters.
    pub arguments: &'a [Value],
    /// Whether it may only read; the engine then refuses what writes.
    pub read_only: bool,
    /// How the transaction ends.
    pub ending: Ending,
}

/// Plans what of a result is shown: its rows are those of a table made for them.
pub type PlanRows<'a> = &'a (dyn Fn(&Arc<Table>) -> Result<ReadPlan, QueryError> + Send + Sync);

/// How a result is shown.
pub struct Shown<'a> {
    /// Plans it.
    pub plan: PlanRows<'a>,
    /// Whether all its rows and columns are shown as they came, but for limit and offset.
    pub as_it_is: bool,
    /// The offset that has to be within the rows; `None` where nobody counts them.
    pub from: Option<u64>,
    /// In which form.
    pub encoding: Encoding,
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// How many rows are shown; one for a value.
    pub returned: u64,
    /// How many there are in all, where the plan counts.
    pub total: Option<u64>,
    /// The document; `None` where the routine gives nothing.
    pub body: Option<Bytes>,
    /// Whether the document is a list, however many it holds.
    pub is_list: bool,
}

/// Calls routines. Each call is one transaction, by the account of the gateway; whatever fails,
/// the showing of the result included, leaves nothing behind.
#[async_trait]
pub trait RoutineStore: Send + Sync {
    /// The routines of a database, by name. They may be as old as the description of the schema
    /// that is given; those of another description are read anew.
    async fn routines(
        &self,
        schema: &Arc<DatabaseSchema>,
    ) -> Result<Arc<[Arc<Routine>]>, StoreError>;

    /// The routines read anew, for whoever misses one; the same as before where they were read
    /// less than a second ago.
    async fn newer(&self, schema: &Arc<DatabaseSchema>) -> Result<Arc<[Arc<Routine>]>, StoreError>;

    /// Calls one.
    async fn call(&self, call: &Call<'_>, shown: &Shown<'_>) -> Result<Called, StoreError>;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn int() -> ColumnType {
        ColumnType::Integer {
            bytes: 4,
            unsigned: false,
        }
    }

    fn routine(
        name: &str,
        kind: RoutineKind,
        parameters: &[(&str, ParameterMode)],
    ) -> Arc<Routine> {
        Arc::new(Routine {
            name: name.into(),
            kind,
            parameters: parameters
                .iter()
                .map(|(name, mode)| Parameter {
                    name: (*name).into(),
                    column_type: int(),
                    mode: *mode,
                })
                .collect(),
            returns: Returns::Rows,
            reads_only: false,
            comment: String::new(),
        })
    }

    fn json(value: serde_json::Value) -> Arguments {
        Arguments::Json(value.as_object().cloned().unwrap())
    }

    fn routines() -> Vec<Arc<Routine>> {
        use ParameterMode::{In, InOut, Out};
        vec![
            routine("add", RoutineKind::Function, &[("b", In), ("a", In)]),
            routine(
                "split",
                RoutineKind::Procedure,
                &[("a", InOut), ("rest", Out)],
            ),
            routine("twice", RoutineKind::Function, &[]),
            routine("twice", RoutineKind::Procedure, &[]),
        ]
    }

    #[test]
    fn a_routine_is_chosen_by_exactly_its_arguments() {
        let routines = routines();
        let choose = |name, arguments| choose("shop", &routines, name, &arguments);
        let add = choose("add", json(json!({"a": 1, "b": "2"}))).unwrap();
        assert_eq!(
            add.values(&json(json!({"a": 1, "b": "2"}))).unwrap(),
            [Value::Int(2), Value::Int(1)]
        );
        let split = choose("split", json(json!({"a": 1}))).unwrap();
        let texts = vec![("a".into(), "1".into()), ("a".into(), "7".into())];
        assert_eq!(
            split.values(&Arguments::Texts(texts)).unwrap(),
            [Value::Int(7), Value::Null]
        );
        let QueryError::UnknownRoutine {
            arguments, similar, ..
        } = choose("add", json(json!({"c": 1, "a": 1}))).unwrap_err()
        else {
            panic!("another error")
        };
        assert_eq!(arguments, ["a", "c"]);
        assert_eq!(similar.as_deref(), Some("shop.add(b, a)"));
        assert!(choose("add", json(json!({"a": 1, "b": 2, "c": 3}))).is_err());
        assert!(matches!(
            choose("ad", json(json!({}))).unwrap_err(),
            QueryError::UnknownRoutine { similar: Some(name), .. } if name == "shop.add"
        ));
        assert!(matches!(
            choose("twice", json(json!({}))).unwrap_err(),
            QueryError::AmbiguousRoutine { candidates } if candidates.len() == 2
        ));
    }

    #[test]
    fn a_value_of_another_type_is_refused_by_name() {
        let routines = routines();
        let add = &routines[0];
        let error = add.values(&json(json!({"a": "x", "b": 1}))).unwrap_err();
        assert!(matches!(error, QueryError::Value { column, .. } if column == "a"));
    }
}
