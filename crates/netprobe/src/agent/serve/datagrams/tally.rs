//! How many datagrams of each train have arrived.

use std::collections::{HashMap, VecDeque};

use crate::agent::peering::UNCOUNTED;

/// How many trains are counted at once. The oldest makes room: whoever runs it has long ended.
const MOST: usize = 4096;

#[derive(Default)]
pub(super) struct Tally {
    arrived: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

impl Tally {
    /// Counts one datagram of a train, unless it only asks, and says how many have arrived.
    pub(super) fn arrived(&mut self, train: u64, number: u64) -> u64 {
        if !self.arrived.contains_key(&train) {
            if self.order.len() >= MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.arrived.remove(&oldest);
            }
            self.order.push_back(train);
        }
        let count = self.arrived.entry(train).or_default();
        *count += u64::from(number != UNCOUNTED);
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_train_is_counted_by_itself_and_a_question_is_not_counted() {
        let mut tally = Tally::default();
        assert_eq!((tally.arrived(1, 0), tally.arrived(1, 1)), (1, 2));
        assert_eq!(tally.arrived(2, 0), 1);
        assert_eq!(tally.arrived(1, UNCOUNTED), 2);
        assert_eq!(tally.arrived(3, UNCOUNTED), 0);
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut tally = Tally::default();
        for train in 0..=MOST as u64 {
            tally.arrived(train, 0);
        }
        assert_eq!(tally.arrived.len(), MOST);
        assert_eq!(tally.arrived(0, UNCOUNTED), 0);
    }
}
