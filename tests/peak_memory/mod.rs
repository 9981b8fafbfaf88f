//! The most memory that a process has had. Linux tells, and forgets when asked to.
#![allow(dead_code, reason = "not every test program forgets, or asks about others")]

use std::fs;

/// Bytes of this process; none where the system does not tell.
pub fn peak() -> Option<u64> {
    peak_of("self")
}

/// Bytes of the process of this number; none where the system does not tell, or it has ended.
pub fn peak_of(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Begins anew with what the process has now.
pub fn forget() -> std::io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}
