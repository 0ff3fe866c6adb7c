use report::Protocol;

use super::of_faults;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// UDP fails where TCP passes, or fails more widely.
pub(crate) static CHECK: Check = Check {
    id: "net-p2p-udp",
    claim: "UDP datagrams are answered between pods of every probed pair",
    needs: &[Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    of_faults(view, CHECK.id, &[Protocol::Udp])
}
