//! What is checked on a real cluster.
