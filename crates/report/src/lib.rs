//! What a diagnosis says: what was seen and what was not, what is wrong, how it is known, and what to do.
//!
//! Values and their renderers only. Nothing here reads a cluster, a clock or a terminal.

mod check;
mod exit;
mod finding;
mod localisation;
mod matrix;
mod observed;
mod render;
mod report;
#[cfg(feature = "schema")]
mod schema;
mod subject;
mod table;
mod tried;
mod verdict;

pub use check::CheckResult;
pub use exit::{ExitStatus, FailOn};
pub use finding::{Confidence, Evidence, Finding, Origin, RootCause, RuledOut};
pub use localisation::{Direction, Localisation, LookNext, Scope};
pub use matrix::{
    CellState, Coverage, Failure, FailureClass, Family, FamilyMatrix, Loss, Matrix, MatrixCell, PathMtu,
    ProbeState, Protocol,
};
pub use observed::{Gap, GapReason, Observed};
pub use render::{Format, RenderOptions, ascii, render, sanitize, wrap};
pub use report::{API_VERSION, Note, NoteKind, PhaseStats, ProbePodInfo, Report, Stats, Target};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use subject::Subject;
pub use table::Table;
pub use tried::{Tried, TriedFrom};
pub use verdict::{Severity, Verdict};
