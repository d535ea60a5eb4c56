//! Size: one sort for items of every type. The library's sort is compiled for each type and key
//! function, 6 kB each time, which matters in a router's flash.

/// Sorts by a key of two numbers. The sort is stable.
pub fn by_key<T>(items: &mut [T], key: impl Fn(&T) -> [i64; 2]) {
    let keys = items
        .iter()
        .enumerate()
        .map(|(index, item)| (key(item), index))
        .collect();
    let mut sources = sorted(keys);
    // Items change places within the slice: thousands of outages take megabytes, and a copy as much.
    for start in 0..items.len() {
        let mut place = start;
        while sources[place] != start {
            let source = std::mem::replace(&mut sources[place], place);
            items.swap(place, source);
            place = source;
        }
        sources[place] = place;
    }
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

    #[test]
    fn every_order_of_a_few_items_is_sorted() {
        for code in 0..5i64.pow(5) {
            let numbers: Vec<i64> = (0..5).map(|place| code / 5i64.pow(place) % 5).collect();
            let mut items: Vec<(i64, usize)> = numbers.iter().copied().zip(0..).collect();
            by_key(&mut items, |(number, _)| [*number, 0]);
            let mut expected: Vec<(i64, usize)> = numbers.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            assert_eq!(items, expected, "{numbers:?}");
        }
    }
}
