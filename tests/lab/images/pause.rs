//! What runs in the sandbox of a pod: nothing, for as long as the pod lives.
//!
//! As the first process of its pid namespace it has no default action for signals, so the runtime ends it with
//! SIGKILL, as it does with every sandbox.

fn main() {
    loop {
        std::thread::park();
    }
}
