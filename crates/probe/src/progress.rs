//! What is under way, for whoever wants to show it.

/// Hears what is under way.
pub trait Progress: Sync {
    /// A clause for people, without a full stop: `starting probe pods, 2 of 3 ready`. Replaces the one before.
    fn say(&self, message: &str);
}

/// Nobody listens.
impl Progress for () {
    fn say(&self, _message: &str) {}
}
