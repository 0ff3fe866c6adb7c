//! Nodes, the network between them, and where it breaks, as a drawing.

mod marks;

use maud::{Markup, html};

use self::marks::{Chord, Marks};
use super::super::names::ShortNames;
use super::clean;
use crate::{Report, Subject};

/// So many nodes are drawn; of more, those where it breaks, and the others as one box.
const MOST_NODES: usize = 16;
/// So many columns of a node's name fit into its box.
const NAME: usize = 24;

const WIDTH: i32 = 760;
const ROW: i32 = 56;
const TOP: i32 = 8;
const BOX: (i32, i32) = (210, 36);
const PODS: (i32, i32) = (54, 28);
/// The network between the nodes, from and to.
const BAR: (i32, i32) = (345, 415);

pub(super) fn section(report: &Report) -> Markup {
    let nodes = nodes(report);
    if nodes.is_empty() {
        return html! {};
    }
    let marks = Marks::of(report);
    let drawn = choose(&nodes, &marks);
    let hidden = nodes.len() - drawn.len();
    let is_hidden = |node: &&&str| !drawn.contains(*node);
    let hit = nodes
        .iter()
        .filter(is_hidden)
        .filter(|node| marks.concerns(node))
        .count();
    let names = ShortNames::of(nodes.iter().copied());
    let places = Places {
        boxes: drawn.len() + usize::from(hidden > 0),
    };
    let seats: Vec<(&str, Seat)> = drawn
        .iter()
        .enumerate()
        .map(|(index, node)| (*node, places.seat(index)))
        .collect();
    let told = told(report, &marks);
    html! {
        section {
            h2 { "Where" }
            div.scroll role="region" tabindex="0" aria-label="Drawing of nodes and the network between them" {
                svg.map viewBox={ "0 0 " (WIDTH) " " (places.height() + 18) } role="img" aria-label=(clean(&told.join("; "))) {
                    (bar(places.height(), marks.middle))
                    @for (name, seat) in &seats { (links(*seat, name, &marks)) }
                    @if hidden > 0 { (link(places.seat(drawn.len()).spoke(), hit > 0)) }
                    @for (index, chord) in marks.chords.iter().enumerate() { (self::chord(chord, index, &seats)) }
                    @for (name, seat) in &seats { (node(*seat, name, names.short(name), &marks)) }
                    @if hidden > 0 { (others(places.seat(drawn.len()), hidden, hit)) }
                }
            }
            @for sentence in &told { p.soft.small { (clean(sentence)) } }
        }
    }
}

/// The nodes between which something was probed.
fn nodes(report: &Report) -> Vec<&str> {
    let mut nodes: Vec<&str> = Vec::new();
    let families = report.matrix.iter().flat_map(|matrix| &matrix.families);
    let mut seen = std::collections::BTreeSet::new();
    for name in families.flat_map(|family| family.sources.iter().chain(&family.targets)) {
        if seen.insert(name.as_str()) {
            nodes.push(name);
        }
    }
    nodes
}

/// All of them, or those where something breaks.
fn choose<'a>(nodes: &[&'a str], marks: &Marks<'_>) -> Vec<&'a str> {
    if nodes.len() <= MOST_NODES {
        return nodes.to_vec();
    }
    let hit = nodes.iter().copied().filter(|node| marks.concerns(node));
    hit.take(MOST_NODES - 1).collect()
}

/// What the drawing shows, in sentences.
fn told(report: &Report, marks: &Marks<'_>) -> Vec<String> {
    let places = report.localisation.iter();
    let mut told: Vec<String> = places.map(|place| format!("✗ {}", place.sentence)).collect();
    for cause in &report.root_causes {
        let is_drawn = match &cause.subject {
            Subject::Object { kind, name, .. } if kind == "node" => marks.concerns(name),
            Subject::NodePair { .. } => true,
            Subject::Object { .. } | Subject::Cluster => false,
        };
        let is_told = told.iter().any(|sentence| sentence.ends_with(&cause.summary));
        if !is_told && is_drawn {
            told.push(format!("✗ {}", cause.summary));
        } else if !is_told && cause.subject != Subject::Cluster {
            told.push(format!("The cause lies at {}, not between nodes.", cause.subject));
        }
    }
    if told.is_empty() {
        told.push("Nothing is seen to be broken between or within these nodes.".to_owned());
    }
    told
}

/// Where boxes stand.
struct Places {
    boxes: usize,
}

impl Places {
    fn rows(&self) -> i32 {
        i32::try_from(self.boxes.div_ceil(2)).unwrap_or(1).max(1)
    }

    fn height(&self) -> i32 {
        2 * TOP + self.rows() * ROW
    }

    fn seat(&self, index: usize) -> Seat {
        let row = i32::try_from(index / 2).unwrap_or(0);
        let space = (self.height() - self.rows() * ROW) / 2;
        Seat {
            is_left: index.is_multiple_of(2),
            y: space + row * ROW + ROW / 2,
        }
    }
}

/// Where one node stands.
#[derive(Clone, Copy)]
struct Seat {
    is_left: bool,
    y: i32,
}

impl Seat {
    /// The left edge of something that is `width` wide and `gap` away from the middle of the drawing.
    fn x(self, gap: i32, width: i32) -> i32 {
        if self.is_left {
            WIDTH / 2 - gap - width
        } else {
            WIDTH / 2 + gap
        }
    }

    /// From the box to the network: two ends.
    fn spoke(self) -> ((i32, i32), (i32, i32)) {
        ((self.x(80, 0), self.y), (self.x(35, 0), self.y))
    }

    /// From the box to the pods.
    fn to_pods(self) -> ((i32, i32), (i32, i32)) {
        ((self.x(80 + BOX.0, 0), self.y), (self.x(320, 0), self.y))
    }
}

fn bar(height: i32, is_hit: bool) -> Markup {
    let (middle, y) = (i32::midpoint(BAR.0, BAR.1), height / 2);
    let class = if is_hit { "box hit" } else { "box" };
    html! {
        rect class=(class) x=(BAR.0) y=(TOP) width=(BAR.1 - BAR.0) height=(height - 2 * TOP) rx="6" {}
        text.faint x=(middle) y=(height + 10) text-anchor="middle" { "network between the nodes" }
        @if is_hit { (cross(middle, y)) }
    }
}

type Line = ((i32, i32), (i32, i32));

fn link(line: Line, is_broken: bool) -> Markup {
    let ((x1, y1), (x2, y2)) = line;
    html! {
        line class=(if is_broken { "broken" } else { "wire" }) x1=(x1) y1=(y1) x2=(x2) y2=(y2) {}
        @if is_broken { (cross(i32::midpoint(x1, x2), i32::midpoint(y1, y2))) }
    }
}

fn links(seat: Seat, name: &str, marks: &Marks<'_>) -> Markup {
    let way = marks.spokes.get(name);
    let ((near, y), (far, _)) = seat.spoke();
    html! {
        (link(seat.to_pods(), marks.pods.contains(name)))
        (link(seat.spoke(), way.is_some()))
        @if let Some(word) = way.and_then(|way| way.word()) {
            text.hit x=(i32::midpoint(near, far)) y=(y - 12) text-anchor="middle" { (word) }
        }
    }
}

fn node(seat: Seat, name: &str, short: &str, marks: &Marks<'_>) -> Markup {
    let class = if marks.nodes.contains(name) {
        "box hit"
    } else {
        "box"
    };
    let x = seat.x(80, BOX.0);
    html! {
        g {
            title { (clean(name)) }
            rect class=(class) x=(x) y=(seat.y - BOX.1 / 2) width=(BOX.0) height=(BOX.1) rx="6" {}
            text x=(x + BOX.0 / 2) y=(seat.y + 4) text-anchor="middle" { (fit(&clean(short))) }
            @if marks.is_only_node(name) { (cross(x + BOX.0 - 4, seat.y - BOX.1 / 2 + 2)) }
        }
        rect.box x=(seat.x(320, PODS.0)) y=(seat.y - PODS.1 / 2) width=(PODS.0) height=(PODS.1) rx="14" {}
        text.faint x=(seat.x(320 + PODS.0 / 2, 0)) y=(seat.y + 4) text-anchor="middle" { "pods" }
    }
}

fn others(seat: Seat, count: usize, hit: usize) -> Markup {
    let text = match hit {
        0 => format!("{count} nodes without a mark"),
        hit => format!("{count} nodes more, {hit} with a mark"),
    };
    let x = seat.x(80, BOX.0);
    html! {
        rect.box x=(x) y=(seat.y - BOX.1 / 2) width=(BOX.0) height=(BOX.1) rx="6" {}
        text.faint x=(x + BOX.0 / 2) y=(seat.y + 4) text-anchor="middle" { (text) }
    }
}

/// The way between two nodes, through the network.
fn chord(chord: &Chord<'_>, index: usize, seats: &[(&str, Seat)]) -> Markup {
    let seat = |name: &str| {
        seats
            .iter()
            .find(|(node, _)| *node == name)
            .map(|(_, seat)| *seat)
    };
    let (Some(from), Some(to)) = (seat(chord.from), seat(chord.to)) else {
        return html! {};
    };
    let step = i32::try_from(index % 4).unwrap_or(0);
    let middle = i32::midpoint(BAR.0, BAR.1) + 4 + step * 8;
    let ((start, y1), _) = from.spoke();
    let ((end, y2), _) = to.spoke();
    let path = format!("M{start} {y1}H{middle}V{y2}H{end}");
    // An arrow's head, where it should have arrived.
    let back = if to.is_left { 9 } else { -9 };
    let head = format!("M{end} {y2}l{back} -5v10z");
    html! {
        path.broken d=(path) {}
        @if !chord.both { path.mark d=(head) {} }
        (cross(middle, i32::midpoint(y1, y2)))
    }
}

/// A cross in a disc: where it breaks.
fn cross(x: i32, y: i32) -> Markup {
    html! {
        circle.mark cx=(x) cy=(y) r="9" {}
        path.cross d={ "M" (x - 4) " " (y - 4) "l8 8m0 -8l-8 8" } {}
    }
}

/// A name that is too long for its box, without its middle.
fn fit(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= NAME {
        return name.to_owned();
    }
    let (head, tail) = (NAME / 2, NAME - NAME / 2 - 1);
    let head = characters.iter().take(head);
    let tail = characters.iter().skip(characters.len() - tail);
    head.chain(std::iter::once(&'…')).chain(tail).collect()
}
