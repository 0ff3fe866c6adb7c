/// The position and the next few after it, around the end: who tries whom where all pairs would be too many.
pub(crate) fn next<T>(all: &[T], position: usize, count: usize) -> impl Iterator<Item = &T> {
    all.iter()
        .cycle()
        .skip(position + 1)
        .take(count.min(all.len().saturating_sub(1)))
}
