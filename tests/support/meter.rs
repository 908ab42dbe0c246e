//! The memory that a thread holds and has held at most, counted at each allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The global allocator of a test.
pub struct Meter;

/// The most bytes that one input may take at a time, without the input itself.
pub const MEMORY_BUDGET: usize = 16 << 20;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// Runs `work` and returns its result with the most bytes that this thread held during it, in
/// addition to the bytes that it held before.
pub fn max_held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let done = work();
    (done, usize::try_from(MOST.get() - before).unwrap_or(0))
}

/// Runs `work` and returns its result with the bytes that this thread freed.
#[allow(dead_code)] // each test program uses a part
pub fn freed<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    let done = work();
    (done, usize::try_from(before - HELD.get()).unwrap_or(0))
}

fn count(bytes: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST.try_with(|max_held| max_held.set(max_held.get().max(held.get())));
    });
}

// SAFETY: all calls go to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // the old and the new block may exist at the same time
        count(size as isize);
        count(-(layout.size() as isize));
        unsafe { System.realloc(pointer, layout, size) }
    }
}
