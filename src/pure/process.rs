//! What Linux says of a process in `/proc/PID/stat` and `/proc/PID/limits`.

/// Figures of a process, by the names that every program has on Prometheus.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessFigures {
    pub cpu_seconds: f64,
    pub threads: u64,
    pub virtual_bytes: u64,
    pub resident_bytes: u64,
    /// When it began, in seconds after the machine was booted.
    pub started_after_boot: f64,
    pub open_files: Option<u64>,
    /// `None` without a limit.
    pub max_files: Option<u64>,
}

impl ProcessFigures {
    /// Reads `/proc/PID/stat`, proc_pid_stat(5). Times there are in ticks, the memory in use in pages.
    pub fn of_stat(stat: &str, ticks_per_second: u64, page_bytes: u64) -> Option<ProcessFigures> {
        // The name of the program is in parentheses and may contain both.
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // The first is the third of the manual.
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<u64>().ok();
        let seconds = |ticks: u64| ticks as f64 / ticks_per_second.max(1) as f64;
        Some(ProcessFigures {
            cpu_seconds: seconds(field(14)?.saturating_add(field(15)?)),
            threads: field(20)?,
            started_after_boot: seconds(field(22)?),
            virtual_bytes: field(23)?,
            resident_bytes: field(24)?.saturating_mul(page_bytes),
            open_files: None,
            max_files: None,
        })
    }
}

/// The soft limit of open files in `/proc/PID/limits`. `None` where there is none.
pub fn max_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_read_behind_a_name_with_spaces_and_parentheses() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 7 0 12345 9000000 300 18446744073709551615 1";
        let figures = ProcessFigures::of_stat(stat, 100, 4096).expect("figures");
        let expected = ProcessFigures {
            cpu_seconds: 3.0,
            threads: 7,
            virtual_bytes: 9_000_000,
            resident_bytes: 300 * 4096,
            started_after_boot: 123.45,
            open_files: None,
            max_files: None,
        };
        assert_eq!(figures, expected);
        for short in ["", "42 (a", "42 (a) S 1", &stat.replace("9000000", "many")] {
            assert_eq!(ProcessFigures::of_stat(short, 100, 4096), None, "{short}");
        }
    }

    #[test]
    fn the_limit_of_open_files_is_the_soft_one_or_none() {
        let limits = |soft| {
            format!(
                "Limit   Soft Limit   Hard Limit   Units\nMax open files     {soft}   524288    files\n"
            )
        };
        assert_eq!(max_files(&limits("1024")), Some(1024));
        assert_eq!(max_files(&limits("unlimited")), None);
        assert_eq!(max_files(""), None);
    }
}
