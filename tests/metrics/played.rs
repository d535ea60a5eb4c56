//! The sites that benches/sites plays, on a small scale: what docs/scale.md computes with is what a
//! Prometheus has of them.

use std::collections::BTreeMap;
use std::time::Duration;

use ace_connection_logger::sys::clocks;
use serde_json::Value;

use crate::common::{TempDir, http};
use crate::sites::{Prometheus, wait_for};
use crate::{in_network, openmetrics, promtool_says};
use site::{PlayedSite, Settings};

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the values are small and positive"
)]
#[path = "../../benches/history/random.rs"]
mod random;
#[path = "../../benches/sites/played.rs"]
mod site;

const SITES: usize = 3;
const HOSTS: usize = 2;
/// Pings of a check.
const PINGS: usize = 5;
/// What Prometheus itself adds for each target, such as `up`.
const OF_TARGET: usize = 5;

/// A number of docs/scale.md, in the row of a table that begins with this.
fn documented(row: &str) -> usize {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale.md");
    let text = std::fs::read_to_string(path).expect("it is there");
    let number = text.lines().find_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_prefix(row)?;
        cells.strip_prefix(" | ")?.split(' ').next()?.parse().ok()
    });
    number.unwrap_or_else(|| panic!("docs/scale.md has no row {row}"))
}

/// How many series of each site there are.
fn series(prometheus: &Prometheus, selector: &str) -> BTreeMap<String, f64> {
    let counted = prometheus.query(&format!("count by (site) ({selector})"));
    let of_site =
        |(labels, count): (BTreeMap<String, String>, f64)| (labels["site"].clone(), count);
    counted.into_iter().map(of_site).collect()
}

#[test]
fn prometheus_has_as_many_series_of_the_played_sites_as_the_documents_compute_with() {
    const TEST: &str =
        "prometheus_has_as_many_series_of_the_played_sites_as_the_documents_compute_with";
    in_network(TEST, &["prometheus", "promtool"], || {
        let folder = TempDir::new();
        let settings = Settings {
            hosts: HOSTS,
            interval: Duration::from_secs(60),
            delay: Duration::from_millis(200),
            push: Some(("remote-write", "http://127.0.0.1:9090/api/v1/write")),
        };
        let mut sites: Vec<PlayedSite> = (1..=SITES)
            .map(|number| PlayedSite::start(folder.path(), number, &settings))
            .collect();
        let targets: Vec<Value> = sites.iter().map(PlayedSite::target).collect();
        let targets = folder.write("targets.json", &Value::from(targets).to_string());
        let prometheus = Prometheus::start_with(&format!(
            "global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: ace
  file_sd_configs: [{{files: ['{}']}}]
  relabel_configs: [{{source_labels: [site], target_label: instance}}]
",
            targets.display()
        ));
        sites.iter_mut().for_each(|site| site.check(clocks().utc()));
        let pings = (SITES * HOSTS * PINGS) as f64;
        for sent in ["ace_pings_sent_total", "ace_check_sent_pings"] {
            wait_for(sent, || {
                let sum = prometheus.value(&format!("sum({sent})"));
                (sum == Some(pings)).then_some(())
            });
        }
        let [of_host, of_site] =
            ["series of a host", "series of a site, beside its hosts"].map(documented);
        let pushed = documented("pushed series of a host");
        for (selector, each) in [
            ("{job=\"ace\"}", of_site + OF_TARGET + HOSTS * of_host),
            ("{job=\"\",site!=\"\"}", HOSTS * pushed),
        ] {
            let counted = series(&prometheus, selector);
            let expected = (1..=SITES).map(|site| (format!("site{site:05}"), each as f64));
            assert_eq!(counted, expected.collect(), "{selector}");
        }
        for site in &sites {
            let accept = "Accept: application/openmetrics-text;version=1.0.0\r\n";
            let samples = openmetrics::read(&http::get(site.address, "/metrics", accept).body);
            assert_eq!(samples.len(), of_site + HOSTS * of_host);
            let text = http::get(site.address, "/metrics", "").body;
            assert_eq!(promtool_says(&text), "", "{text}");
        }
    });
}
