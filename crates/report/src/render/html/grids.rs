//! Who reaches whom, and how long it takes: source by target.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::grid::{Shown, figure, longest, lost, pair, single};
use super::super::names::ShortNames;
use super::super::page::{planned_protocols, way_of};
use super::super::pen::Tone;
use super::clean;
use crate::{CellState, Coverage, FamilyMatrix, Matrix, MatrixCell, Protocol, Report};

/// Above so many nodes only pairs that are not well are listed: a table of more is not read.
const MOST_NODES: usize = 40;
/// From so many nodes on cells are narrow, and columns have numbers.
const DENSE_FROM: usize = 9;
/// So many pairs are listed.
const MOST_PAIRS: usize = 200;

/// Up to how many microseconds a step of the heat map reaches, and how it is told; the last has no end. Fixed, so that
/// pages of different days and clusters compare.
const STEPS: [(u64, &str); 6] = [
    (500, "up to 0.5 ms"),
    (1_000, "1 ms"),
    (2_000, "2 ms"),
    (5_000, "5 ms"),
    (20_000, "20 ms"),
    (u64::MAX, "more"),
];

pub(super) fn section(report: &Report) -> Markup {
    let Some(matrix) = &report.matrix else {
        return html! {};
    };
    html! {
        section {
            h2 { "Pairs of nodes" }
            @for family in &matrix.families {
                @if family.sources.len().max(family.targets.len()) > MOST_NODES {
                    (counts(family))
                    (list(matrix, family))
                } @else {
                    (tables(matrix, family))
                }
            }
        }
    }
}

fn tables(matrix: &Matrix, family: &FamilyMatrix) -> Markup {
    let names = short_names(family);
    let grid = Grid {
        family,
        names: &names,
    };
    let sizes = family.cells.iter().any(|cell| cell.path_mtu.is_some());
    let loss = family.cells.iter().any(|cell| !cell.loss.is_empty());
    html! {
        (counts(family))
        (grid.table(&format!("{}, who reaches whom", family.family), "", |cell| {
            let shown = pair(cell);
            match shown.tone {
                Tone::Plain => Cell { class: "well", text: "✓".to_owned(), title: shown.text },
                _ => Cell::of(&shown, grid.is_dense()),
            }
        }))
        @if let Some(pattern) = names.pattern() {
            p.soft.small { "Names stand for * in " code { (clean(&pattern)) } }
        }
        @let protocols = planned_protocols(family);
        @for (index, protocol) in protocols.iter().enumerate() {
            @if index == 0 {
                h3.section { "Latency" }
                (legend())
                (heat(&grid, matrix, *protocol))
            } @else {
                details {
                    summary { (family.family) ", median of " (way_of(matrix, *protocol)) }
                    (heat(&grid, matrix, *protocol))
                }
            }
        }
        @if sizes {
            (grid.table(&format!("{}, longest packet that arrives, in bytes", family.family), "", |cell| {
                Cell::of(&longest(cell), false)
            }))
        }
        @if loss {
            (grid.table(
                &format!("{}, lost on the way there + on the way back, of all datagrams", family.family),
                "",
                |cell| Cell::of(&lost(cell), false),
            ))
        }
    }
}

fn short_names(family: &FamilyMatrix) -> ShortNames {
    let names = family.sources.iter().chain(&family.targets);
    ShortNames::of(names.map(String::as_str))
}

fn heat(grid: &Grid<'_>, matrix: &Matrix, protocol: Protocol) -> Markup {
    let title = format!(
        "{}, median of {}, in milliseconds",
        grid.family.family,
        way_of(matrix, protocol)
    );
    grid.table(&title, "heat", |cell| {
        let probe = cell.probes.iter().find(|probe| probe.protocol == protocol);
        match probe.map(|probe| (&probe.result, single(probe, false))) {
            Some((CellState::Ok { median_us, .. }, shown)) => Cell {
                class: step(*median_us),
                text: figure(*median_us, 1000),
                title: shown.text,
            },
            Some((_, shown)) => Cell::of(&shown, grid.is_dense()),
            None => Cell::not_probed(),
        }
    })
}

fn step(median_us: u64) -> &'static str {
    let index = STEPS.iter().position(|(end, _)| median_us <= *end).unwrap_or(0);
    ["h0", "h1", "h2", "h3", "h4", "h5"][index]
}

fn legend() -> Markup {
    html! {
        ul.legend {
            @for (end, text) in STEPS { li.key.(step(end)) { (text) } }
            li { "✗ failed" } li { "~ in part" } li { "? not known" } li { "· not probed" }
        }
    }
}

/// One cell: what it shows, and what it says in full.
struct Cell {
    class: &'static str,
    text: String,
    title: String,
}

impl Cell {
    fn of(shown: &Shown, is_dense: bool) -> Self {
        let class = match shown.tone {
            Tone::Bad => "bad",
            Tone::Warning => "flaky",
            Tone::Unknown => "open",
            Tone::Faint => "none",
            Tone::Plain | Tone::Strong | Tone::Good => "well",
        };
        let text = if is_dense && class != "well" {
            shown.text.chars().take(1).collect()
        } else {
            shown.text.clone()
        };
        Self {
            class,
            text,
            title: shown.text.clone(),
        }
    }

    fn not_probed() -> Self {
        Self {
            class: "none",
            text: "·".to_owned(),
            title: "not probed".to_owned(),
        }
    }
}

struct Grid<'a> {
    family: &'a FamilyMatrix,
    names: &'a ShortNames,
}

impl Grid<'_> {
    fn is_dense(&self) -> bool {
        self.family.sources.len().max(self.family.targets.len()) >= DENSE_FROM
    }

    fn table(&self, title: &str, class: &str, show: impl Fn(&MatrixCell) -> Cell) -> Markup {
        let Self { family, names } = self;
        let dense = self.is_dense();
        let by_pair: BTreeMap<(&str, &str), &MatrixCell> = family
            .cells
            .iter()
            .map(|cell| ((cell.source.as_str(), cell.target.as_str()), cell))
            .collect();
        let class = format!("grid {class}{}", if dense { " dense" } else { "" });
        html! {
            div.scroll role="region" tabindex="0" aria-label=(title) {
                table class=(class) {
                    caption { (title) }
                    thead {
                        tr {
                            th scope="col" { "from ↓ to →" }
                            @for (index, target) in family.targets.iter().enumerate() {
                                th scope="col" title=(clean(target)) {
                                    @if dense { (index + 1) } @else { (clean(names.short(target))) }
                                }
                            }
                        }
                    }
                    tbody {
                        @for source in &family.sources {
                            tr {
                                th scope="row" title=(clean(source)) {
                                    @let number = family.targets.iter().position(|target| target == source);
                                    @if let Some(number) = number.filter(|_| dense) {
                                        span.soft { (number + 1) " " }
                                    }
                                    (clean(names.short(source)))
                                }
                                @for target in &family.targets {
                                    @let cell = match by_pair.get(&(source.as_str(), target.as_str())) {
                                        Some(cell) => show(cell),
                                        None => Cell::not_probed(),
                                    };
                                    td.(cell.class) title=[self.title(source, target, &cell)] { (clean(&cell.text)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The cell in a sentence, where it shows less: pages of many nodes stay small.
    fn title(&self, source: &str, target: &str, cell: &Cell) -> Option<String> {
        let is_short = cell.text != cell.title && cell.class != "none";
        let is_well = matches!(cell.class, "well" | "h0" | "h1" | "h2" | "h3" | "h4" | "h5");
        let is_told = is_short && (!self.is_dense() || !is_well);
        is_told.then(|| clean(&format!("{source} → {target}: {}", cell.title)))
    }
}

/// How many pairs are well, for each way of probing.
fn counts(family: &FamilyMatrix) -> Markup {
    let lines = planned_protocols(family).into_iter().map(|protocol| {
        let probes = family.cells.iter().flat_map(|cell| &cell.probes);
        let results: Vec<bool> = probes
            .filter(|probe| probe.protocol == protocol)
            .map(|probe| probe.result.is_ok())
            .collect();
        let well = results.iter().filter(|is_ok| **is_ok).count();
        format!("{} {well} of {}", protocol.short(), results.len())
    });
    let lines: Vec<String> = lines.collect();
    html! { p { (family.family) ", pairs that answer: " (lines.join(" · ")) } }
}

/// Pairs that are not well, of a mesh that no table shows.
fn list(matrix: &Matrix, family: &FamilyMatrix) -> Markup {
    let bad: Vec<(&MatrixCell, Shown)> = family
        .cells
        .iter()
        .map(|cell| (cell, pair(cell)))
        .filter(|(_, shown)| matches!(shown.tone, Tone::Bad | Tone::Warning | Tone::Unknown))
        .collect();
    html! {
        @if let Coverage::Ring { neighbours, sample } = matrix.coverage {
            p.soft {
                "Each node was probed to " (neighbours) " next in a ring and " (sample)
                " more; --full-mesh probes all."
            }
        }
        @if !bad.is_empty() {
            div.scroll role="region" tabindex="0" aria-label="Pairs that are not well" {
                table.grid {
                    thead { tr { th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Result" } } }
                    tbody {
                        @for (cell, shown) in bad.iter().take(MOST_PAIRS) {
                            @let result = Cell::of(shown, false);
                            tr {
                                td { (clean(&cell.source)) }
                                td { (clean(&cell.target)) }
                                td.(result.class) { (clean(&result.text)) }
                            }
                        }
                    }
                }
            }
            @if bad.len() > MOST_PAIRS {
                p.soft { (bad.len() - MOST_PAIRS) " more; -o json lists all." }
            }
        }
    }
}
