use netprobe::Outcome;
use report::Protocol;

use super::of_faults;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// ICMP echo. A note where TCP or UDP passes: many healthy networks filter it.
pub(crate) static CHECK: Check = Check {
    id: "net-p2p-icmp",
    claim: "ICMP echo is answered between pods of every probed pair",
    needs: &[Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = of_faults(view, CHECK.id, &[Protocol::Icmp]);
    if let Some(what) = not_permitted(view) {
        judgement.skipped = Some(format!("the probe pods may not send ICMP ({what})"));
    }
    judgement
}

fn not_permitted<'a>(view: &View<'a>) -> Option<&'a str> {
    let mut cells = view
        .entries
        .iter()
        .filter(|(key, _)| key.protocol == Protocol::Icmp);
    cells.find_map(|(_, entry)| {
        entry.cell.samples.iter().find_map(|sample| {
            if let Outcome::NotPermitted { what } = &sample.outcome {
                Some(what.as_str())
            } else {
                None
            }
        })
    })
}
