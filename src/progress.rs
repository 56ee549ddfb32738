//! The progress bar on stderr: bytes, records a second, time left. Only on a terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::tally::counter::Progress;

/// Whether a bar may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// If stderr is a terminal.
    OnTerminal,
    /// Never (`--quiet`).
    Never,
}

const REDRAW: Duration = Duration::from_millis(100);

/// Runs the work while a bar follows it over `total` bytes.
pub fn follow<T>(show: Show, total: u64, progress: &Progress, work: impl FnOnce() -> T) -> T {
    if show == Show::Never || !console::user_attended_stderr() {
        return work();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {msg} {eta} left")
    {
        bar.set_style(style);
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                bar.set_position(progress.bytes.load(Ordering::Relaxed));
                let records = u128::from(progress.records.load(Ordering::Relaxed));
                let rate = records * 1000 / bar.elapsed().as_millis().max(1);
                let rate = HumanCount(u64::try_from(rate).unwrap_or(u64::MAX));
                bar.set_message(format!("{rate} records/s"));
                std::thread::park_timeout(REDRAW);
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        follower.thread().unpark();
        bar.finish_and_clear();
        result
    })
}
