//! The error numbers of MySQL and MariaDB. Both share those up to 1899; above, each has
//! its own, and the few used here do not collide.

use tidegate_domain::error::{RejectionKind, ViolationKind};

use super::message::{last_part, name_after};
use super::{Meaning, TOO_COMPLEX};

/// How the meaning of a number is made from its message.
#[derive(Clone, Copy)]
enum Class {
    Unavailable,
    Busy(&'static str),
    ReadOnly,
    Timeout,
    Denied,
    Unique,
    Parent,
    Child,
    NotNull,
    Check,
    Value(RejectionKind),
    // What the statement may not do, or cannot: its SQLSTATE, and words for the client.
    Refused(&'static str, &'static str),
    Missing(&'static str),
    Exists(&'static str),
}

use RejectionKind::{Division, Generated, Malformed, Other, OutOfRange, TooLong};

const NUMBERS: &[(&[u16], Class)] = &[
    // Deadlocks, locks, a changed snapshot or table definition: try again.
    (&[1213], Class::Busy("40P01")),
    (&[1205, 3572], Class::Busy("55P03")),
    (&[1020, 1412, 1614, 1615], Class::Busy("40001")),
    // Too many connections or statements.
    (&[1040, 1203, 1226], Class::Busy("53300")),
    // A replica, which others write; what only reads.
    (&[1290, 1836], Class::Busy("25006")),
    (&[1792], Class::ReadOnly),
    // Shutdown, killed, blocked host, lost connection.
    (
        &[
            1042, 1043, 1053, 1077, 1079, 1080, 1129, 1152, 1158, 1159, 1160, 1161, 1184,
        ],
        Class::Unavailable,
    ),
    (&[1637, 1927, 3032, 3168, 4031], Class::Unavailable),
    // Client-side numbers, which proxies pass on.
    (
        &[2002, 2003, 2005, 2006, 2012, 2013, 2055],
        Class::Unavailable,
    ),
    // Disk and table space, memory, threads.
    (&[1021, 1114], Class::Busy("53100")),
    (&[1037, 1038, 1041], Class::Busy("53200")),
    (&[1030, 1135], Class::Unavailable),
    (&[1317, 1969, 3024], Class::Timeout),
    (
        &[
            1044, 1045, 1095, 1130, 1142, 1143, 1211, 1227, 1370, 1698, 3118,
        ],
        Class::Denied,
    ),
    (
        &[1022, 1062, 1169, 1557, 1586, 1761, 1762, 1859],
        Class::Unique,
    ),
    (&[1216, 1452], Class::Parent),
    (&[1217, 1451, 1701, 1834, 3730], Class::Child),
    (&[1048, 1263, 1364, 1423], Class::NotNull),
    (&[3819, 4025], Class::Check),
    (&[1406], Class::Value(TooLong)),
    (&[1264, 1441, 1690], Class::Value(OutOfRange)),
    (
        &[1265, 1292, 1300, 1366, 1367, 1411, 1525, 3140, 3141, 3144],
        Class::Value(Malformed),
    ),
    (&[1906, 3105], Class::Value(Generated)),
    (&[1365], Class::Value(Division)),
    // Points and other shapes.
    (&[1416, 3037], Class::Value(Malformed)),
    // Views that cannot be written, or not so.
    (
        &[1369],
        Class::Refused("44000", "new row violates check option for view"),
    ),
    (
        &[1288, 1348, 1393, 1394, 1395],
        Class::Refused("0A000", "the view cannot be changed in this way"),
    ),
    // A routine or trigger that changes the table which it is read or changed for.
    (
        &[1442],
        Class::Refused("0A000", "a table is changed while a statement uses it"),
    ),
    // What arguments make a routine say.
    (
        &[1172, 1242],
        Class::Refused("21000", "more than one row returned where one is expected"),
    ),
    (&[1339], Class::Refused("20000", "case not found")),
    (
        &[1436, 1456],
        Class::Refused("54001", "stack depth limit exceeded"),
    ),
    (&[1390], Class::Refused("54001", TOO_COMPLEX)),
    // Regular expressions that MySQL does not understand, or that cost it too much.
    (
        &[3684, 3698, 3699, 3700],
        Class::Refused("54001", "the regular expression is too complex"),
    ),
    (
        &[
            3685, 3686, 3687, 3688, 3689, 3690, 3691, 3692, 3693, 3694, 3695, 3696, 3697, 3887,
        ],
        Class::Refused("2201B", "invalid regular expression"),
    ),
    // A row, packet or document too large, a password too weak.
    (&[1118, 1139, 1153, 1301, 1819, 3157], Class::Value(Other)),
    // Definitions of tables that do not hold together.
    (
        &[
            1063, 1067, 1068, 1069, 1070, 1071, 1072, 1073, 1074, 1075, 1089, 1090, 1101, 1102,
            1103,
        ],
        Class::Value(Other),
    ),
    (
        &[
            1110, 1113, 1117, 1121, 1138, 1166, 1170, 1171, 1215, 1239, 1280, 1291, 1294, 1425,
            1426,
        ],
        Class::Value(Other),
    ),
    (
        &[
            1427, 1439, 1553, 1822, 1824, 1828, 1829, 1832, 1833, 1901, 3106, 3107, 3108, 3734,
        ],
        Class::Value(Other),
    ),
    (&[3780, 3813, 3814, 3815, 3816, 3823], Class::Value(Other)),
    (&[1008, 1049], Class::Missing("database")),
    (&[1051, 1109, 1146, 1932], Class::Missing("table")),
    (&[1054], Class::Missing("column")),
    // One that is not there, or takes another number of arguments than it did.
    (&[1305, 1318], Class::Missing("routine")),
    (&[1091, 1176], Class::Missing("column or key")),
    (&[1133, 1141, 1147, 1269, 1410], Class::Missing("user")),
    (&[1007], Class::Exists("database")),
    (&[1050], Class::Exists("table")),
    (&[1060], Class::Exists("column")),
    (&[1061], Class::Exists("index")),
    (&[1826, 3822], Class::Exists("constraint")),
];

/// What an error of this number says.
pub(super) fn meaning(number: u16, message: &str) -> Meaning {
    // Two numbers mean different things, told apart only by the text.
    match number {
        1005 | 1025 if message.contains("errno: 121") => return Meaning::Exists("constraint"),
        1005 | 1025 if message.contains("errno: 150") => return Meaning::Rejection(Other, None),
        1396 if message.contains("CREATE USER") => return Meaning::Exists("user"),
        1396 => return Meaning::Missing("user"),
        _ => {}
    }
    let class = NUMBERS
        .iter()
        .find(|(numbers, _)| numbers.contains(&number))
        .map(|(_, class)| *class);
    let constraint = || name_after(message, "CONSTRAINT ").unwrap_or_default();
    let column = || name_after(message, "column ").or_else(|| name_after(message, "Column "));
    match class {
        None => Meaning::Internal,
        Some(Class::Unavailable) => Meaning::Unavailable,
        Some(Class::Busy(state)) => Meaning::Busy(state),
        Some(Class::ReadOnly) => Meaning::ReadOnly,
        Some(Class::Timeout) => Meaning::Timeout,
        Some(Class::Denied) => Meaning::Denied,
        Some(Class::Unique) => {
            let key = name_after(message, "for key ").unwrap_or_default();
            Meaning::Violation(ViolationKind::Unique, last_part(&key).to_owned())
        }
        Some(Class::Parent) => Meaning::Violation(ViolationKind::ForeignKeyParent, constraint()),
        Some(Class::Child) => Meaning::Violation(ViolationKind::ForeignKeyChild, constraint()),
        Some(Class::NotNull) => {
            let name = column()
                .or_else(|| name_after(message, "Field "))
                .unwrap_or_default();
            Meaning::Violation(ViolationKind::NotNull, name)
        }
        Some(Class::Check) => {
            let name = name_after(message, "Check constraint ").unwrap_or_else(constraint);
            Meaning::Violation(ViolationKind::Check, last_part(&name).to_owned())
        }
        Some(Class::Value(kind)) => {
            // MySQL names the table as well where the text is JSON, and only there.
            let column = column().map(|name| {
                if number == 3140 {
                    last_part(&name).to_owned()
                } else {
                    name
                }
            });
            Meaning::Rejection(kind, column)
        }
        Some(Class::Refused(state, words)) => Meaning::Raised(state.into(), words.into()),
        Some(Class::Missing(kind)) => Meaning::Missing(kind),
        Some(Class::Exists(kind)) => Meaning::Exists(kind),
    }
}

/// The SQLSTATE of an error that a routine or trigger raised by itself (`SIGNAL`). 45000 is set
/// aside for them, and so is what begins like PostgREST's states that choose a status; any other
/// state comes with a number of its own, unless the routine chose that as well.
pub(super) fn raised(number: u16, state: Option<&str>) -> Option<&str> {
    state.filter(|state| number == 1644 || *state == "45000" || state.starts_with("PT"))
}

/// Whether `NOWAIT` met a lock: MySQL has a number for that, MariaDB calls it a wait that took
/// too long.
pub(super) fn is_locked(number: u16) -> bool {
    matches!(number, 3572 | 1205)
}

/// Deadlock, lock wait, changed snapshot: worth running the transaction again.
pub(super) fn is_contention(number: u16) -> bool {
    matches!(number, 1020 | 1205 | 1213)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_stands_twice() {
        let mut all: Vec<u16> = NUMBERS
            .iter()
            .flat_map(|(numbers, _)| numbers.iter().copied())
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn numbers_and_texts_of_both_servers() {
        let unique = |name: &str| Meaning::Violation(ViolationKind::Unique, name.into());
        let value = |kind, column: &str| Meaning::Rejection(kind, Some(column.into()));
        let cases = [
            (
                1062,
                "Duplicate entry 'ann' for key 'users.users_username_key'",
                unique("users_username_key"),
            ),
            (
                1062,
                "Duplicate entry 'x' for key 'y'' for key 'users_email_key'",
                unique("users_email_key"),
            ),
            (
                1452,
                "Cannot add or update a child row: a foreign key constraint fails (`d`.`c`, CONSTRAINT `c_fk` FOREIGN KEY (`p`) REFERENCES `p` (`id`))",
                Meaning::Violation(ViolationKind::ForeignKeyParent, "c_fk".into()),
            ),
            (
                1451,
                "Cannot delete or update a parent row: a foreign key constraint fails (`d`.`c`, CONSTRAINT `c_fk` FOREIGN KEY (`p`) REFERENCES `p` (`id`))",
                Meaning::Violation(ViolationKind::ForeignKeyChild, "c_fk".into()),
            ),
            (
                1048,
                "Column 'a' cannot be null",
                Meaning::Violation(ViolationKind::NotNull, "a".into()),
            ),
            (
                1364,
                "Field 'a' doesn't have a default value",
                Meaning::Violation(ViolationKind::NotNull, "a".into()),
            ),
            (
                3819,
                "Check constraint 't_chk_1' is violated.",
                Meaning::Violation(ViolationKind::Check, "t_chk_1".into()),
            ),
            (
                4025,
                "CONSTRAINT `c1` failed for `d`.`t`",
                Meaning::Violation(ViolationKind::Check, "c1".into()),
            ),
            (
                4025,
                "CONSTRAINT `t.j` failed for `d`.`t`",
                Meaning::Violation(ViolationKind::Check, "j".into()),
            ),
            (
                1406,
                "Data too long for column 'a' at row 1",
                value(TooLong, "a"),
            ),
            (
                1264,
                "Out of range value for column 'a' at row 1",
                value(OutOfRange, "a"),
            ),
            (
                1366,
                "Incorrect integer value: 'x' for column `d`.`t`.`a` at row 1",
                value(Malformed, "a"),
            ),
            (
                3140,
                "Invalid JSON text: \"Invalid value.\" at position 0 in value for column 't.j'.",
                value(Malformed, "j"),
            ),
            (
                1906,
                "The value specified for generated column 'g' in table 't' has been ignored",
                value(Generated, "g"),
            ),
            (
                1213,
                "Deadlock found when trying to get lock; try restarting transaction",
                Meaning::Busy("40P01"),
            ),
            (
                1969,
                "Query execution was interrupted (max_statement_time exceeded)",
                Meaning::Timeout,
            ),
            (
                1045,
                "Access denied for user 'x'@'localhost' (using password: YES)",
                Meaning::Denied,
            ),
            (1146, "Table 'd.t' doesn't exist", Meaning::Missing("table")),
            (
                1396,
                "Operation CREATE USER failed for 'x'@'%'",
                Meaning::Exists("user"),
            ),
            (
                1396,
                "Operation DROP USER failed for 'x'@'%'",
                Meaning::Missing("user"),
            ),
            (
                1005,
                "Can't create table `d`.`t` (errno: 150 \"Foreign key constraint is incorrectly formed\")",
                Meaning::Rejection(Other, None),
            ),
            (
                1369,
                "CHECK OPTION failed `d`.`big`",
                Meaning::Raised(
                    "44000".into(),
                    "new row violates check option for view".into(),
                ),
            ),
            (
                3688,
                "Syntax error in regular expression on line 1, character 3.",
                Meaning::Raised("2201B".into(), "invalid regular expression".into()),
            ),
            (
                1416,
                "Cannot get geometry object from data you send to the GEOMETRY field",
                Meaning::Rejection(Malformed, None),
            ),
            (
                1423,
                "Field of view 'd.v' underlying table doesn't have a default value",
                Meaning::Violation(ViolationKind::NotNull, String::new()),
            ),
            (
                1064,
                "You have an error in your SQL syntax",
                Meaning::Internal,
            ),
        ];
        for (number, message, expected) in cases {
            assert_eq!(meaning(number, message), expected, "{number} {message}");
        }
    }
}
