use report::Protocol;

use super::of_faults;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// TCP fails where UDP passes, or fails more widely.
pub(crate) static CHECK: Check = Check {
    id: "net-p2p-tcp",
    claim: "TCP connects and is answered between pods of every probed pair",
    needs: &[Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    of_faults(view, CHECK.id, &[Protocol::Tcp])
}
