/// How the process ends. The numbers are a promise to scripts: a script that takes everything above 1 for "could not
/// tell" is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Nothing wrong was seen, and everything asked for was seen.
    NoProblem = 0,
    /// A problem was found.
    ProblemFound = 1,
    /// Bad usage, no cluster, or another failure of the tool itself.
    CouldNotRun = 2,
    /// Nothing wrong was seen, but not enough could be seen to say so.
    Inconclusive = 3,
}

impl From<ExitStatus> for u8 {
    fn from(status: ExitStatus) -> Self {
        status as Self
    }
}

/// From which severity on a finding is a problem to the exit status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Errors only.
    #[default]
    Error,
    /// Errors and warnings.
    Warning,
}
