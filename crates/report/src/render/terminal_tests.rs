//! The matrix on terminals of all kinds: nothing is wider than the terminal, and every node can be told.

use super::pen::Pen;
use super::tests::{matrix, report};
use super::{Format, RenderOptions, render};
use crate::{CellState, Failure, FailureClass, Matrix, Report};

/// What a page says of the matrix: from the blank line after the answer to the next one that begins a finding.
fn shown(
    nodes: usize,
    name: impl Fn(usize) -> String,
    break_it: impl Fn(&mut Matrix),
    options: &RenderOptions,
    format: Format,
) -> String {
    let page = render(&mesh(nodes, name, break_it), format, options);
    let lines: Vec<&str> = page.lines().collect();
    let begins = |line: &&str| line.contains("IPv4");
    let start = lines.iter().position(begins).expect("a matrix");
    let ends = |line: &&str| {
        ["✗ node", "x node", "? not seen"]
            .iter()
            .any(|mark| line.starts_with(mark))
    };
    let end = lines.iter().skip(start).position(ends).expect("its end");
    lines[start..start + end].join("\n")
}

fn mesh(nodes: usize, name: impl Fn(usize) -> String, break_it: impl Fn(&mut Matrix)) -> Report {
    let names: Vec<String> = (1..=nodes.max(2)).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut report = report(&names);
    let mut matrix = matrix(&names[..nodes]);
    for probe in matrix
        .families
        .iter_mut()
        .flat_map(|family| &mut family.cells)
        .flat_map(|cell| &mut cell.probes)
    {
        probe.result = CellState::Ok {
            median_us: 300,
            worst_us: 12_000,
        };
    }
    break_it(&mut matrix);
    report.matrix = Some(matrix);
    report.probe_pods.clear();
    report
}

/// Every third pair fails, so that no row and no column does.
fn scattered(matrix: &mut Matrix) {
    for (index, cell) in matrix.families[0].cells.iter_mut().enumerate() {
        if index % 7 == 3 && cell.source != cell.target {
            for probe in &mut cell.probes {
                probe.result = failed();
            }
        }
    }
}

/// Nothing gets to or from the second node.
fn cut_off(matrix: &mut Matrix) {
    let Some(node) = matrix.families[0].targets.get(1).cloned() else {
        return;
    };
    for cell in &mut matrix.families[0].cells {
        if (cell.source == node) != (cell.target == node) {
            for probe in &mut cell.probes {
                probe.result = failed();
            }
        }
    }
}

fn failed() -> CellState {
    CellState::Failed {
        failure: Failure {
            class: FailureClass::Timeout,
            detail: "no answer in 4.0s".into(),
        },
    }
}

fn short(number: usize) -> String {
    format!("node{number}")
}

/// As clouds name them: 60 characters, that differ in a few.
fn cloud(number: usize) -> String {
    format!("gke-production-europe-west1-default-pool-{number:08x}-vm.internal.example")
}

fn wide(width: usize) -> RenderOptions {
    RenderOptions {
        width: Some(width),
        ..RenderOptions::default()
    }
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let names: [fn(usize) -> String; 2] = [short, cloud];
    let breaks: [fn(&mut Matrix); 3] = [|_| {}, cut_off, scattered];
    for width in [60, 80, 120, 200] {
        for nodes in [1, 2, 3, 8, 12, 13, 30, 40, 100] {
            for name in names {
                for break_it in breaks {
                    for unicode in [true, false] {
                        for format in [Format::Text, Format::Wide] {
                            let options = RenderOptions {
                                unicode,
                                ..wide(width)
                            };
                            let text = shown(nodes, name, break_it, &options, format);
                            for line in text.lines() {
                                assert!(
                                    Pen::columns(line) <= width,
                                    "{nodes} nodes on {width}: {line}\n{text}"
                                );
                                assert!(unicode || line.is_ascii(), "{line}");
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn three_nodes_of_a_cloud_on_80_columns() {
    insta::assert_snapshot!(shown(3, cloud, cut_off, &wide(80), Format::Text));
}

#[test]
fn eight_nodes_on_80_columns() {
    insta::assert_snapshot!(shown(8, short, cut_off, &wide(80), Format::Text));
}

#[test]
fn eight_nodes_on_200_columns() {
    insta::assert_snapshot!(shown(8, short, cut_off, &wide(200), Format::Text));
}

#[test]
fn eight_nodes_of_a_cloud_on_60_columns_without_unicode() {
    let options = RenderOptions {
        unicode: false,
        ..wide(60)
    };
    insta::assert_snapshot!(shown(8, cloud, cut_off, &options, Format::Text));
}

#[test]
fn thirty_nodes_of_which_one_is_cut_off_on_80_columns() {
    insta::assert_snapshot!(shown(30, cloud, cut_off, &wide(80), Format::Text));
}

#[test]
fn thirty_nodes_with_scattered_failures_on_80_columns() {
    insta::assert_snapshot!(shown(30, cloud, scattered, &wide(80), Format::Text));
}

#[test]
fn thirty_nodes_with_scattered_failures_on_60_columns_without_unicode() {
    let options = RenderOptions {
        unicode: false,
        ..wide(60)
    };
    insta::assert_snapshot!(shown(30, short, scattered, &options, Format::Text));
}

#[test]
fn one_node() {
    insta::assert_snapshot!(shown(1, short, |_| {}, &wide(80), Format::Text));
}

#[test]
fn bars_and_quotes_become_what_ascii_has_for_them() {
    assert_eq!(
        crate::ascii("█▅▃·▁ “x” 0.25ms ‥ 2.5s"),
        "#=-._ \"x\" 0.25ms .. 2.5s"
    );
}
