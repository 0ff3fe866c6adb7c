use report::Protocol;

use super::of_faults;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Neither TCP nor UDP passes somewhere: what every protocol has in common is broken there.
pub(crate) static CHECK: Check = Check {
    id: "net-mesh",
    claim: "packets pass between every probed pair of nodes, and between pods of one node",
    needs: &[Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    of_faults(view, CHECK.id, &[Protocol::Tcp, Protocol::Udp])
}
