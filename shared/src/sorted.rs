//! Sorting short lists, and maps of few entries, in little code.
//!
//! The standard library's stable sort is some four kilobytes for every type that is sorted, and a page
//! downloads them all. The lists that are sorted here have tens of items.

mod map;

use std::cmp::Ordering;

pub use self::map::SortedMap;

/// Sorts a short list; equal items keep their order.
pub(crate) fn sort_short<T>(items: &mut [T], order: impl Fn(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let place = items[..end].partition_point(|item| order(item, &items[end]).is_le());
        items[place..=end].rotate_right(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_keeps_its_order() {
        let mut pairs = [(2, 'a'), (1, 'b'), (2, 'c'), (0, 'd'), (1, 'e')];
        sort_short(&mut pairs, |one, two| one.0.cmp(&two.0));
        assert_eq!(pairs, [(0, 'd'), (1, 'b'), (1, 'e'), (2, 'a'), (2, 'c')]);
        let mut none: [u8; 0] = [];
        sort_short(&mut none, Ord::cmp);
    }

    #[test]
    fn it_sorts_as_the_standard_library() {
        let mut numbers: Vec<u64> = (0..300u64).map(|n| n * 7_919 % 101).collect();
        let mut expected = numbers.clone();
        expected.sort_unstable();
        sort_short(&mut numbers, Ord::cmp);
        assert_eq!(numbers, expected);
    }
}
