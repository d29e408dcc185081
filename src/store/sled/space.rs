//! Room on the disk: looked at before each commit, so that sled is never asked for what fails.
//!
//! sled 0.34 answers nothing any more after one write that failed. So a commit is refused while
//! there is still room for it, and for what sled writes beside it: pages again, segments, its own
//! snapshot. It must never be taken for a promise: others write to the same disk.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::store::error::StoreError;

/// Bytes that stay free on the disk of a store: four times the largest commit.
pub(super) const RESERVE_BYTES: u64 = 32 * 1024 * 1024;
/// How often the bytes of a commit are written: as entries, as a change set, in pages twice.
const COPIES: u64 = 4;

/// That a commit of so many bytes may be written to the directory's disk, and leaves a reserve.
///
/// # Errors
/// [`StoreError::Full`] when there is no room, or the disk may not be written at all.
pub(super) fn check(dir: &Path, commit_bytes: usize, reserve: u64) -> Result<(), StoreError> {
    if reserve == 0 {
        return Ok(());
    }
    // Where nobody can tell, the writing itself does.
    let Ok(disk) = statvfs(dir) else { return Ok(()) };
    let dir = dir.display();
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let detail = format!("the file system of `{dir}` is read-only: mount it writable again");
        return Err(StoreError::Full { detail });
    }
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let bytes = u64::try_from(commit_bytes).unwrap_or(u64::MAX).saturating_mul(COPIES);
    let wanted = reserve.saturating_add(bytes);
    if free >= wanted {
        return Ok(());
    }
    let detail = format!(
        "the file system of `{dir}` has {free} bytes free, and a commit needs {wanted}: make room"
    );
    Err(StoreError::Full { detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_numbers() {
        let dir = tempfile::TempDir::new().unwrap();
        assert_eq!(check(dir.path(), 1, 1), Ok(()));
        let error = check(dir.path(), 1, u64::MAX / 2).unwrap_err().to_string();
        assert!(error.contains("bytes free") && error.contains("needs 92233720368547"), "{error}");
        assert_eq!(check(dir.path(), 1, 0), Ok(()));
    }
}
