//! What is planned and judged, and how: pure functions of an [`observation::Observation`].
//!
//! Nothing here talks to a cluster, reads a clock or prints.
