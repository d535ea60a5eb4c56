//! Puts things in an order that numbers say. One sort for things of every kind: the library's is
//! made anew for each kind and each key, 6 kB at a time, which a router's flash notices. Pure.

/// Sorts by a key of two numbers; what has the same key stays in the order that it has.
pub fn by_key<T>(items: &mut Vec<T>, key: impl Fn(&T) -> [i64; 2]) {
    let keys = items
        .iter()
        .enumerate()
        .map(|(index, item)| (key(item), index))
        .collect();
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(
        sorted(keys)
            .into_iter()
            .filter_map(|index| taken[index].take()),
    );
}

#[inline(never)]
fn sorted(mut keys: Vec<([i64; 2], usize)>) -> Vec<usize> {
    keys.sort_unstable();
    keys.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_of_the_same_key_stay_in_their_order() {
        let mut words = vec!["b2", "a1", "b1", "a2", "c", "a3"];
        by_key(&mut words, |word| [-i64::from(word.as_bytes()[0]), 0]);
        assert_eq!(words, ["c", "b2", "b1", "a1", "a2", "a3"]);
    }
}
