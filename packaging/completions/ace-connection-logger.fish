# Completions of ace-connection-logger for fish, generated from src/cli/arguments.rs by src/cli/completions.

function __ace_connection_logger_command -d 'Print the command of the line, if it has one yet'
    for word in (commandline -opc)[2..]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
    return 1
end

function __ace_connection_logger_is -d 'Test whether the command of the line is one of these'
    contains -- (__ace_connection_logger_command) $argv
end

complete -c ace-connection-logger -f
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a init-config -d 'Write the commented default configuration'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a check-config -d 'Print every problem in the configuration; exit status 1 if there is one'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a monitor -d 'Check every host at its interval, record the results and serve the dashboard, until SIGTERM or SIGINT'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a dashboard -d 'Serve only the dashboard, from the same database'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a check -d 'Check all hosts once at the same time and record the results; exit status 1 if a host is down or not measured'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a status -d 'Print the newest result of every host'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a cleanup -d 'Delete results older than the retention period, once'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a cleanup-continuous -d 'Delete results older than the retention period, now and at every interval'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a outages -d 'List the outages, newest first, or add a note to one'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a events -d 'List the outages, newest first, or add a note to one'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a export -d 'Write the recorded checks, oldest first'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a import -d 'Import a database of the Python original, or another of this program'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a backup -d 'Write a consistent copy of the database, even while the monitor runs'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a report -d 'Print what was down in a period, the cause of each outage and the evidence for it'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a doctor -d 'Check whether this machine can ping, resolve names, write and serve, and print cures; or read a damaged database'
complete -c ace-connection-logger -n 'not __ace_connection_logger_command' -a alert-test -d 'Run alerts.command once with a test notice; exit status 1 unless it exits with 0'
complete -c ace-connection-logger -n __ace_connection_logger_command -s c -l config -r -F -d 'configuration file (default: ./config.yaml, else /etc/ace-connection-logger/config.yaml)'
complete -c ace-connection-logger -n __ace_connection_logger_command -l strict -d 'refuse a configuration with problems (exit status 78)'
complete -c ace-connection-logger -n __ace_connection_logger_command -s v -l verbose -d 'log more'
complete -c ace-connection-logger -n __ace_connection_logger_command -s q -l quiet -d 'log only errors'
complete -c ace-connection-logger -s h -l help -d 'print usage information'
complete -c ace-connection-logger -s V -l version -d 'print the version'
complete -c ace-connection-logger -n '__ace_connection_logger_is init-config' -l force -d 'overwrite an existing file'
complete -c ace-connection-logger -n '__ace_connection_logger_is monitor' -l no-dashboard -d 'do not serve the dashboard'
complete -c ace-connection-logger -n '__ace_connection_logger_is monitor dashboard' -l host -x -d 'address or name to listen on instead of dashboard.host'
complete -c ace-connection-logger -n '__ace_connection_logger_is monitor dashboard' -s p -l port -x -d 'TCP port to listen on instead of dashboard.port'
complete -c ace-connection-logger -n '__ace_connection_logger_is check status cleanup outages events doctor' -l json -d 'print JSON'
complete -c ace-connection-logger -n '__ace_connection_logger_is check' -l no-store -d 'do not record the results'
complete -c ace-connection-logger -n '__ace_connection_logger_is status' -l fresh -d 'exit status 1 unless every configured host has a result from its last three intervals'
complete -c ace-connection-logger -n '__ace_connection_logger_is cleanup-continuous' -s i -l interval -x -d 'hours between two cleanups (default: 24)'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l active -d 'only ongoing outages'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l host -x -d 'only outages of this host, by name or address'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l days -x -d 'only outages of the last so many days (default: all)'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l limit -x -d 'maximum number of outages, 0 for all (default: 50)'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l each-host -d 'list each host of an incident below it, with the ID of its outage'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l note -x -d 'write the text as the note of the outage with this ID; an empty text ("") removes the note'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l planned -d 'mark the outage of --note as planned'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l not-planned -d 'take back that the outage of --note was planned'
complete -c ace-connection-logger -n '__ace_connection_logger_is outages events' -l all-hosts -d 'with --note'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l host -x -d 'only checks of this host, by name or address'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l from -x -d 'only checks at or after this time'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l to -x -d 'only checks before this time'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l format -x -a 'csv jsonl openmetrics sqlite' -d 'file format'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l job -x -d 'with openmetrics'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -l instance -x -d 'with openmetrics'
complete -c ace-connection-logger -n '__ace_connection_logger_is export' -s o -l output -r -F -d 'file to write, replaced at the end; must not exist with sqlite (default: standard output)'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l days -x -d 'number of days, ending today (default: 30)'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l month -x -d 'month, such as 2026-11'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l from -x -d 'start'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l to -x -d 'end (default: now)'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l host -x -d 'name or address of one host (default: all)'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l format -x -a 'text html csv json' -d 'format of the report'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -s o -l output -r -F -d 'file to write instead of standard output'
complete -c ace-connection-logger -n '__ace_connection_logger_is report' -l raw -d 'append every ping of the period'
complete -c ace-connection-logger -n '__ace_connection_logger_is doctor' -l salvage -r -F -d 'write what is readable of this damaged database into a new one; it is not changed'
complete -c ace-connection-logger -n '__ace_connection_logger_is doctor' -s o -l output -r -F -d 'file that --salvage writes, which must not exist (default: FILE.salvaged)'
complete -c ace-connection-logger -n '__ace_connection_logger_is alert-test' -l event -x -a 'down up degraded incident loss database digest' -d 'kind of notice'
complete -c ace-connection-logger -n '__ace_connection_logger_is import' -F
complete -c ace-connection-logger -n '__ace_connection_logger_is backup' -F
