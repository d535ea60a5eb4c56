#!/usr/bin/env python3
"""Prints the configuration that a package installs: packaging/lib/config_profile.py system|flash|container

It is config.yaml, which `init-config` writes too, with some of its lines replaced.

system     for a distribution's package: the database in /var/lib
flash      for OpenWrt: few writes and a short retention, on storage that survives a restart
container  for an image: the database in its volume, the page on the container's network
"""

import pathlib
import sys

PATH = "  path: connection_logs.db\n"
RETENTION = "  retention_days: 90\n"
FLUSH = "  flush_seconds: 60\n"
HOST = "  host: localhost\n"
ALLOWED = "  # allowed_hosts: []\n"

# For each profile the lines of config.yaml that it replaces.
PROFILES = {
    "system": {PATH: "  path: /var/lib/ace-connection-logger/connection_logs.db\n"},
    "flash": {
        # Measured with a check every minute: 39 bytes per check, and 7.2 kB of hourly summaries per host and day.
        PATH: """\
  # OpenWrt: on the router's own flash, which survives a restart; /var and /tmp are in memory and do not. Installing new
  # firmware erases it (docs/installing.md describes how to keep the data). A host that is checked once a minute takes 0.4 MB
  # for its week of checks and 2.6 MB for each year of its hourly summaries: three hosts take 9 MB after the first year and
  # 41 MB after the fifth. `df -h /overlay` shows how much is free. With less, set rollup_retention_days to 90 (three hosts then
  # never take more than 3.2 MB), or store the file on a USB stick: mount it (LuCI: System, Mount Points), set path to a file in
  # a folder on it, for example /mnt/sda1/logger/connection_logs.db, and set `folder` in /etc/config/ace-connection-logger to
  # that folder, as described in /etc/init.d/ace-connection-logger.
  path: /srv/ace-connection-logger/connection_logs.db
""",
        RETENTION: """\
  # OpenWrt: a week, to save space. The hourly summaries below cover older times, and outages are kept forever.
  retention_days: 7
""",
        FLUSH: """\
  # OpenWrt: five minutes, since flash wears out with every write. Results are written sooner when a host goes down or comes
  # back, while the page is open in a browser, and when the service stops. A power failure loses what is not written yet, and
  # the report says so.
  flush_seconds: 300
""",
        HOST: """\
  # OpenWrt: only the router itself. To open the page from the local network, set this to the router's address in it, for
  # example 192.168.1.1. With 0.0.0.0 the page is served to every network, and only the firewall protects it from the Internet.
  host: localhost
""",
        ALLOWED: """\
  # OpenWrt: to open the page as http://OpenWrt.lan:8501, set this to [OpenWrt.lan].
  # allowed_hosts: []
""",
    },
    "container": {
        PATH: "  path: /data/connection_logs.db\n",
        HOST: """\
  # Container: every network of the container. Publishing its port decides who else can open the page.
  host: 0.0.0.0
""",
    },
}


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in PROFILES:
        sys.exit(f"usage: packaging/lib/config_profile.py {'|'.join(PROFILES)}")
    text = pathlib.Path(__file__).resolve().parents[2].joinpath("config.yaml").read_text(encoding="utf-8")
    for line, replacement in PROFILES[sys.argv[1]].items():
        if text.count("\n" + line) != 1:
            sys.exit(f"packaging/lib/config_profile.py: config.yaml must have the line {line.strip()!r} exactly once")
        text = text.replace("\n" + line, "\n" + replacement)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
