#![no_main]

#[path = "../../tests/grantor/tried.rs"]
#[expect(dead_code, reason = "each target tries one of them")]
mod tried;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tried::ledger(bytes));
