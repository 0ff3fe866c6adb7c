//! The lints, one file each.

pub(crate) mod absent_label;
pub(crate) mod count_as_rate;
pub(crate) mod coverage;
pub(crate) mod job_name;
pub(crate) mod never_true;
pub(crate) mod quantile;
pub(crate) mod readiness;
pub(crate) mod relabel_drop;
pub(crate) mod syntax;
pub(crate) mod unknown_metric;
pub(crate) mod vector_match;
