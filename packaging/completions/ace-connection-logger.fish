# Completions of ace-connection-logger for fish, made from src/cli/arguments.rs by src/cli/completions.rs.

function __ace_connection_logger_command -d 'The command of the line, where it has one yet'
    for word in (commandline -opc)[2..]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
    return 1
end

function __ace_connection_logger_is -d 'Whether the command of the line is one of these'
    contains -- (__ace_connection_logger_command) $argv
end

complete -c ace-connection-logger -f
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a init-config -d 'Write the commented default configuration'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a check-config -d 'Print every problem of the configuration; exit status 1 if there is any'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a monitor -d 'Check every host at its interval, record the results and serve the dashboard, until SIGTERM or SIGINT'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a dashboard -d 'Serve the dashboard alone, from the same database'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a check -d 'Check the hosts once, side by side, and record the results; exit status 1 if a host is down or not measured'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a status -d 'Print the newest result of every host'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a cleanup -d 'Delete once what is older than the retention'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a cleanup-continuous -d 'Delete what is older than the retention, now and again'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a outages -d 'List the outages, newest first, and note things on them'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a events -d 'List the outages, newest first, and note things on them'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a export -d 'Write the recorded checks, oldest first'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a import -d 'Take over a database that the Python original wrote'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a backup -d 'Write a consistent copy of the database, also while the monitor runs'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a report -d 'Print what was down in a period, whose fault it was and how that is known'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a doctor -d 'Say whether this machine can ping, resolve, write and serve, and what cures what it cannot'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a alert-test -d 'Run alerts.command once with a made-up event; exit status 1 unless it exits with 0'
complete -c ace-connection-logger -n __ace_connection_logger_command -s c -l config -r -F -d 'the configuration file (default: ./config.yaml, else /etc/ace-connection-logger/config.yaml)'
complete -c ace-connection-logger -n __ace_connection_logger_command -l strict -d 'refuse a configuration with problems (exit status 78)'
complete -c ace-connection-logger -n __ace_connection_logger_command -s v -l verbose -d 'log more'
complete -c ace-connection-logger -n __ace_connection_logger_command -s q -l quiet -d 'log errors only'
complete -c ace-connection-logger -s h -l help -d 'display usage information'
complete -c ace-connection-logger -s V -l version -d 'print the version'
complete -c ace-connection-logger -n '__ace_connection_logger_is init-config' -l force -d 'overwrite an existing file'
complete -c ace-connection-logger -n '__ace_connection_logger_is monitor' -l no-dashboard -d 'serve no dashboard'
complete -c ace-connection-logger -n '__ace_connection_logger_is monitor' -l host -x -d 'where the dashboard listens, an address or a name, in place of dashboard.host'
complete -c ace-connection-logger -n '__ace_connection_logger_is monitor dashboard' -s p -l port -x -d 'its TCP port, in place of dashboard.port'
complete -c ace-connection-logger -n '__ace_connection_logger_is dashboard' -l host -x -d 'where it listens, an address or a name, in place of dashboard.host'
complete -c ace-connection-logger -n '__ace_connection_logger_is check status cleanup outages events doctor' -l json -d 'print JSON'
complete -c ace-connection-logger -n '__ace_connection_logger_is check' -l no-store -d 'do not record the results'
complete -c ace-connection-logger -n '__ace_connection_logger_is status' -l fresh -d 'exit status 1 unless every configured host has a result of its last three intervals, for a watchdog'
complete -c ace-connection-logger -n '__ace_connection_logger_is cleanup-continuous' -s i -l interval -x -d 'hours from one time to the next (default: 24)'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l active -d 'only those that go on'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l host -x -d 'only those of a host, by name or address'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l days -x -d 'only those of the last days (default: all)'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l limit -x -d 'at most so many, 0 for all (default: 50)'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l note -x -d 'note the text on the outage with this id'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l planned -d 'it was planned, so it is listed apart and not counted (with --note)'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l host -x -d 'only the checks of a host, by name or address'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l from -x -d 'only checks from this time on'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l to -x -d 'only checks before this time'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l format -x -a 'csv jsonl openmetrics sqlite' -d 'how they are written'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -s o -l output -r -F -d 'write to a file, which is replaced when all is written (default: standard output); a database must not exist yet'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l days -x -d 'today and the days before it (default: 30)'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l month -x -d 'a month, as 2026-11'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l from -x -d 'from when on'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l to -x -d 'until when (default: now)'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l host -x -d 'the name or address of one host (default: all)'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l format -x -a 'text html csv json' -d 'how it is written'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -s o -l output -r -F -d 'write to this file instead of standard output'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l raw -d 'add every ping of the period'
complete -c ace-connection-logger -n '__ace_connection_logger_is alert-test' -l event -x -a 'down up degraded incident' -d 'what it is told'
complete -c ace-connection-logger -n '__ace_connection_logger_is import' -F
complete -c ace-connection-logger -n '__ace_connection_logger_is backup' -F
