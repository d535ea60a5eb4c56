//! The bytes of a configuration file: what is read is usable, and each problem has a text.

use crate::api::ApiConfig;
use crate::config;

pub fn run(data: &[u8]) {
    let loaded = config::parse(data, "config.yaml");
    for problem in &loaded.problems {
        assert!(!problem.to_string().is_empty());
    }
    let config = &loaded.config;
    assert!(loaded.errors(true).count() <= loaded.problems.len());
    for host in &config.hosts {
        assert!(host.ping_count > 0 && !host.interval.is_zero() && !host.timeout.is_zero());
    }
    drop(ApiConfig::of(config));
    // The same bytes mean the same.
    assert_eq!(config::parse(data, "config.yaml").config, loaded.config);
}
