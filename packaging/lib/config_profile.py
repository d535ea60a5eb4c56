#!/usr/bin/env python3
"""Prints the configuration that a package installs: packaging/lib/config_profile.py system|flash|container

It is config.yaml, which `init-config` writes too, with the lines below in place of its own and nothing else changed.

system     for a distribution's package: the database where a service keeps its data
flash      for OpenWrt: written seldom and kept short, on storage that outlives a restart
container  for an image: the database in its volume, the page on the container's own network
"""

import pathlib
import sys

PATH = "  path: connection_logs.db\n"
RETENTION = "  retention_days: 90\n"
FLUSH = "  flush_seconds: 60\n"
HOST = "  host: localhost\n"
ALLOWED = "  # allowed_hosts: []\n"

# For each profile a line of config.yaml and what stands in its place.
PROFILES = {
    "system": {PATH: "  path: /var/lib/ace-connection-logger/connection_logs.db\n"},
    "flash": {
        # Measured with a check a minute: 39 bytes a check, and 7.2 kB of hourly summaries a host and day.
        PATH: """\
  # Here: on the router's own flash, which outlives a restart; /var and /tmp are memory on OpenWrt and do not. A new firmware
  # wipes it (README, OpenWrt: how to take it along). A host that is checked once a minute takes 0.4 MB for its week of checks
  # and 2.6 MB for each year of its hourly summaries: three hosts 9 MB after the first year, 41 MB after the fifth.
  # `df -h /overlay` says what there is. With less, make rollup_retention_days 90 (three hosts then take 3.2 MB for good), or
  # put the file on a stick: mount it (LuCI: System, Mount Points), name a file in a folder on it here,
  # /mnt/sda1/logger/connection_logs.db for example, and the folder as `folder` in /etc/config/ace-connection-logger, as
  # /etc/init.d/ace-connection-logger shows.
  path: /srv/ace-connection-logger/connection_logs.db
""",
        RETENTION: """\
  # Here: a week, to spare the room. Older times are told by the summaries below, outages are kept for good.
  retention_days: 7
""",
        FLUSH: """\
  # Here: five minutes, since flash wears with every write. It is written sooner when a host goes down or comes back, while
  # somebody watches the page, and at a regular stop. A power cut loses what was not written yet, and the report says so.
  flush_seconds: 300
""",
        HOST: """\
  # Here: the router alone. To see the page from the local network write the router's address in it, 192.168.1.1 for example.
  # 0.0.0.0 would be every network: what comes from the Internet is then kept out by the firewall alone.
  host: localhost
""",
        ALLOWED: """\
  # Here: for http://OpenWrt.lan:8501 name it, [OpenWrt.lan].
  # allowed_hosts: []
""",
    },
    "container": {
        PATH: "  path: /data/connection_logs.db\n",
        HOST: """\
  # Here: the container's own networks. Who else may see the page is said when its port is published.
  host: 0.0.0.0
""",
    },
}


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in PROFILES:
        sys.exit(f"usage: packaging/lib/config_profile.py {'|'.join(PROFILES)}")
    text = pathlib.Path(__file__).resolve().parents[2].joinpath("config.yaml").read_text(encoding="utf-8")
    for line, instead in PROFILES[sys.argv[1]].items():
        if text.count("\n" + line) != 1:
            sys.exit(f"packaging/lib/config_profile.py: config.yaml has not one line {line.strip()!r}: say here what takes its place")
        text = text.replace("\n" + line, "\n" + instead)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
