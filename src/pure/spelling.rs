//! The known word that a user probably meant by an unknown one.

/// The most similar of the known words; `None` where none is similar.
pub fn nearest_word<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const MAX_BYTES: usize = 64;
    if word.len() > MAX_BYTES {
        return None;
    }
    known
        .map(|known| (distance(word, known), known))
        .min()
        .filter(|(distance, known)| *distance * 3 <= known.len())
        .map(|(_, known)| known)
}

/// Edit distance: how many characters must be inserted, removed, replaced or swapped with their
/// neighbour (Damerau-Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let replaced = previous[column] + usize::from(a != b);
            let mut min = replaced
                .min(previous[column + 1] + 1)
                .min(current[column] + 1);
            if row > 0 && column > 0 && *a == to[column - 1] && from[row - 1] == *b {
                min = min.min(before[column - 1] + 1);
            }
            current.push(min);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_typing_mistake_has_the_distance_one() {
        for slip in ["adress", "addresss", "addrezs", "adrdess"] {
            assert_eq!(distance(slip, "address"), 1, "{slip}");
        }
        assert_eq!(distance("", "role"), 4);
        assert_eq!(distance("role", "role"), 0);
    }

    #[test]
    fn only_a_word_of_which_two_thirds_are_right_is_proposed() {
        let long = "a".repeat(64);
        for (word, known, expected) in [
            ("adress", &["name", "address"][..], Some("address")),
            ("abcdxy", &["abcdef"], Some("abcdef")),
            ("abcxy", &["abcde"], None),
            ("port", &[], None),
            (&long, &[&long[1..]], Some(&long[1..])),
            (&(long.clone() + "a"), &[&long], None),
        ] {
            assert_eq!(
                nearest_word(word, known.iter().copied()),
                expected,
                "{word}"
            );
        }
    }
}
