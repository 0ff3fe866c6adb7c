use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One line on stderr that says what is under way. Nothing at all where nobody would see it. Clones share the line.
#[derive(Clone, Debug)]
pub struct Spinner {
    bar: ProgressBar,
}

impl Spinner {
    /// A spinner that is drawn only when `visible`.
    pub fn new(visible: bool) -> Self {
        let target = if visible {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        if visible {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar }
    }

    /// Replaces the line.
    pub fn say(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// Removes the line, so that what is printed next stands alone.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl probe::Progress for Spinner {
    fn say(&self, message: &str) {
        self.bar.set_message(message.to_owned());
    }
}
