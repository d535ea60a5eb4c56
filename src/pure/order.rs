//! Size: one sort for items of every type. The library's sort is compiled for each type and key
//! function, 6 kB each time, which matters in a router's flash.

/// Sorts by a key of two numbers. The sort is stable.
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
    fn items_with_the_same_key_stay_in_their_order() {
        let mut words = vec!["b2", "a1", "b1", "a2", "c", "a3"];
        by_key(&mut words, |word| [-i64::from(word.as_bytes()[0]), 0]);
        assert_eq!(words, ["c", "b2", "b1", "a1", "a2", "a3"]);
    }
}
