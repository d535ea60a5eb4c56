# Completions of ace-connection-logger for bash, generated from src/cli/arguments.rs by src/cli/completions.

_ace_connection_logger() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= ended= words= word
    local common='-c --config --strict -v --verbose -q --quiet -h --help -V --version'
    # bash splits --option=value into three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
        if [[ $word == -- ]]; then
            ended=yes before=
        elif [[ -z $command && $word != -* ]]; then
            command=$word
        fi
    done
    COMPREPLY=()
    # Where this returns early, file names are offered.
    case $command:$before in
        :*) words='init-config check-config monitor dashboard check status cleanup cleanup-continuous outages events export import backup report doctor alert-test -h --help -V --version' ;;
        *:-c | *:--config) return ;;
        init-config:*) words="--force $common" ;;
        check-config:*) words="$common" ;;
        monitor:--host) ;;
        monitor:-p | monitor:--port) ;;
        monitor:*) words="--no-dashboard --host -p --port $common" ;;
        dashboard:--host) ;;
        dashboard:-p | dashboard:--port) ;;
        dashboard:*) words="--host -p --port $common" ;;
        check:*) words="--json --no-store $common" ;;
        status:*) words="--fresh --json $common" ;;
        cleanup:*) words="--json $common" ;;
        cleanup-continuous:-i | cleanup-continuous:--interval) ;;
        cleanup-continuous:*) words="-i --interval $common" ;;
        outages:--host | events:--host) ;;
        outages:--days | events:--days) ;;
        outages:--limit | events:--limit) ;;
        outages:--note | events:--note) ;;
        outages:* | events:*) words="--active --host --days --limit --json --each-host --note --planned --not-planned --all-hosts $common" ;;
        export:--host) ;;
        export:--from) ;;
        export:--to) ;;
        export:--format) words='csv jsonl openmetrics sqlite' ;;
        export:--job) ;;
        export:--instance) ;;
        export:-o | export:--output) return ;;
        export:*) words="--host --from --to --format --job --instance -o --output $common" ;;
        import:*)
            if [[ $ended || $current != -* ]]; then return; fi
            words="$common"
            ;;
        backup:*)
            if [[ $ended || $current != -* ]]; then return; fi
            words="$common"
            ;;
        report:--days) ;;
        report:--month) ;;
        report:--from) ;;
        report:--to) ;;
        report:--host) ;;
        report:--format) words='text html csv json' ;;
        report:-o | report:--output) return ;;
        report:*) words="--days --month --from --to --host --format -o --output --raw $common" ;;
        doctor:--salvage) return ;;
        doctor:-o | doctor:--output) return ;;
        doctor:*) words="--salvage -o --output --json $common" ;;
        alert-test:--event) words='down up degraded incident loss database digest' ;;
        alert-test:*) words="--event $common" ;;
    esac
    compopt +o default 2>/dev/null
    if [[ -z $ended ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}

complete -o default -F _ace_connection_logger ace-connection-logger
