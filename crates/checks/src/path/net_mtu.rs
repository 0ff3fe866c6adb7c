use report::Protocol;

use super::of_faults;
use crate::check::{Check, Judgement};
use crate::view::View;

/// Much data stalls where small requests pass: packets above some size vanish in silence.
pub(crate) static CHECK: Check = Check {
    id: "net-mtu",
    claim: "large packets pass in both directions between pods of every probed pair",
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    of_faults(view, CHECK.id, &[Protocol::Bulk])
}
