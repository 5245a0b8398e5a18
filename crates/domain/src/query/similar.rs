//! "Perhaps you meant": the known name that is nearest to an unknown one.

/// The name with the smallest edit distance, if it is near enough to be what was meant.
pub(crate) fn most_similar<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<String> {
    // Longer than any name: nothing resembles it, and comparing would cost by its length.
    if name.chars().nth(64).is_some() {
        return None;
    }
    let most = (name.chars().count() / 2).clamp(1, 3);
    // Thousands of tables must not make a typing error dear.
    candidates
        .take(2_000)
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// Levenshtein's distance, case apart.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().take(64).collect();
    let b: Vec<char> = b.to_lowercase().chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let names = ["films", "actors", "roles"];
        for (name, similar) in [
            ("filsm", Some("films")),
            ("Actor", Some("actors")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(
                most_similar(name, names.into_iter()).as_deref(),
                similar,
                "{name}"
            );
        }
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
