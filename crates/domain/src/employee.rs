//! Employees, known by the number that their company gave them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::InvalidInput;
use crate::resource::{IdKind, List, Resource, Spec};
use crate::text::{Day, Int, Line};

/// The resource `/employees`.
#[derive(Debug)]
pub struct Employee;

/// What a client may send of an employee.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "emp_id": 1001, "emp_name": "Ingrid Aas", "city": "Bergen", "country": "Norway", "emp_dob": "1990-05-01",
}))]
pub struct EmployeeDraft {
    /// The company's number for the person, which stands in the path.
    #[schema(inline)]
    pub emp_id: Int<1, { i64::MAX }>,
    /// The person's name.
    #[schema(inline)]
    pub emp_name: Line<1, 100>,
    /// Where the person works.
    #[schema(inline)]
    pub city: Line<1, 100>,
    /// The city's country.
    #[schema(inline)]
    pub country: Line<1, 100>,
    /// The day of birth, which has come.
    #[schema(inline)]
    pub emp_dob: Day,
}

impl Resource for Employee {
    type Draft = EmployeeDraft;

    const SPEC: Spec = Spec {
        id: IdKind::Uuid,
        key: "emp_id",
        shows_times: false,
        list: List {
            search: &[("city", "city"), ("country", "country")],
            sort: &["emp_id", "emp_name", "emp_dob", "city", "country"],
            ..List::array("offset", 100, 1000)
        },
        unique: &[("emp_id", "emp_id_taken")],
        ..Spec::new("employee", "employees")
    };

    fn check(draft: &EmployeeDraft, now: DateTime<Utc>) -> Result<(), InvalidInput> {
        if draft.emp_dob.get() > now.date_naive() {
            return Err(InvalidInput::member(
                "emp_dob",
                "must not lie in the future",
            ));
        }
        Ok(())
    }
}
