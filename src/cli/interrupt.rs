//! Ctrl-C: the first asks the running command to stop at the next step, the second ends the program at once. So does SIGTERM, by
//! which schedulers announce the end.

use super::exit::{Exit, Failure};
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static LISTENING: AtomicBool = AtomicBool::new(false);

/// Starts listening, once.
pub(super) fn listen() -> Result<(), Failure> {
    if LISTENING.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let deaf = |error: &dyn std::fmt::Display| Failure::new(format!("cannot listen for Ctrl-C: {error}"));
    ctrlc::set_handler(asked).map_err(|error| deaf(&error))?;
    #[cfg(unix)]
    {
        use signal_hook::{consts::SIGTERM, iterator::Signals};
        let mut signals = Signals::new([SIGTERM]).map_err(|error| deaf(&error))?;
        std::thread::spawn(move || signals.forever().for_each(|_| asked()));
    }
    Ok(())
}

fn asked() {
    if INTERRUPTED.swap(true, Ordering::Relaxed) {
        std::process::exit(Exit::Cancelled as i32);
    }
}

/// True after Ctrl-C or SIGTERM.
pub(super) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
