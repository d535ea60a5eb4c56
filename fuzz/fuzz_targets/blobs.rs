#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ace_connection_logger::fuzzing::run("blobs", data));
