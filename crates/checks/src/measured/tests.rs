use netprobe::{Direction as Way, Outcome};

use super::scene::{both_lengths, observe, sized, train};
use super::*;

fn kinds(change: impl Fn(&mut Cell)) -> Vec<Kind> {
    let mut observation = observe(&[], |_, _, _| None);
    let mesh = observation.mesh.as_mut().unwrap();
    mesh.cells.iter_mut().for_each(change);
    wanted_measures(mesh, Asked::default())
}

#[test]
fn on_a_healthy_cluster_nothing_is_measured_unless_it_is_asked_for() {
    assert_eq!(kinds(|_| ()), []);
    let mesh = observe(&[], |_, _, _| None).mesh.unwrap();
    let asked = Asked {
        loss: true,
        size: true,
    };
    assert_eq!(wanted_measures(&mesh, asked).len(), 3);
}

#[test]
fn what_flaps_calls_for_trains_and_what_stalls_for_sizes() {
    let silence = || Outcome::TimedOut { after_us: 4_000_000 };
    let flaps = kinds(|cell| {
        if cell.kind == Kind::Udp && cell.source == "node1" {
            cell.samples[0].outcome = silence();
        }
    });
    assert_eq!(flaps.len(), 2);
    assert!(flaps.iter().all(|kind| matches!(kind, Kind::Train { .. })));
    let stalls = kinds(|cell| {
        if matches!(cell.kind, Kind::Bulk { .. }) {
            cell.samples[0].outcome = Outcome::Stalled {
                direction: Way::ToTarget,
                bytes: 0,
                after_us: 4_000_000,
            };
        }
    });
    assert_eq!(stalls, [Kind::Size]);
    // A pair that is simply dead is not measured.
    assert_eq!(
        kinds(|cell| cell.samples.iter_mut().for_each(|it| it.outcome = silence())),
        []
    );
}

#[test]
fn what_a_train_loses_on_its_way_back_is_the_other_direction_s() {
    let observation = observe(&both_lengths(), |source, target, _| {
        ((source, target) == ("node1", "node2")).then(|| train(0, 10))
    });
    let view = View::new(&observation);
    let found = directions(&view);
    assert!(!is_lossy(&found[&("node1", "node2")]));
    // Two trains of its own answers lost ten each; its own trains lost none.
    assert_eq!(found[&("node2", "node1")].small, Length { sent: 300, lost: 20 });
    assert!(is_lossy(&found[&("node2", "node1")]));
}

#[test]
fn one_lost_packet_is_noise_and_all_large_ones_are_a_matter_of_size() {
    let length = |sent, lost| Length { sent, lost };
    assert_eq!(length(100, 1).share(), None);
    assert_eq!(length(10, 5).share(), None);
    assert_eq!(length(1000, 10).share(), None);
    assert_eq!(length(100, 2).share(), Some(0.02));
    let by_size = Direction {
        small: length(100, 0),
        large: length(100, 100),
    };
    assert!(!is_lossy(&by_size));
}

#[test]
fn the_matrix_of_the_report_has_sizes_and_losses() {
    let kinds = [both_lengths().as_slice(), &[Kind::Size]].concat();
    let observation = observe(&kinds, |source, _, kind| match kind {
        Kind::Size if source == "node1" => Some(sized(1350, 1450)),
        Kind::Train { .. } if source == "node1" => Some(train(3, 1)),
        _ => None,
    });
    let options = crate::JudgeOptions {
        command: "mtu".into(),
        tool: "test".into(),
    };
    let report = crate::judge(&observation, &options);
    let cells = &report.matrix.as_ref().unwrap().families[0].cells;
    let cell = cells
        .iter()
        .find(|cell| cell.source == "node1" && cell.target == "node3")
        .unwrap();
    assert!(cell.path_mtu.as_ref().unwrap().has_hole());
    assert_eq!(
        (cell.loss[0].lost_there, cell.loss[0].lost_back, cell.loss[0].lost),
        (Some(3), Some(1), 4)
    );
    let text = report::render(&report, report::Format::Text, &report::RenderOptions::default());
    assert!(text.contains("longest packet that arrives, in bytes"), "{text}");
    assert!(text.contains("✗ 1350 of 1450"), "{text}");
    assert!(text.contains("6+2/200"), "{text}");
}
