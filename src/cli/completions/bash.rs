//! Completions of bash.

use std::fmt::Write;

use super::{
    CommandOption, EVERYWHERE, FUNCTION, PROGRAM, Positional, Value, commands, common, header,
};

/// File names are completed by readline (`-o default`), which handles quoting and directories;
/// `compopt +o default` switches that off for everything else. bash 3.2, which macOS has, lacks
/// compopt and offers files too often.
pub fn completions() -> String {
    let (commands, common) = (commands(), common());
    let names: Vec<&str> = commands
        .iter()
        .flat_map(|command| command.names.iter().copied())
        .collect();
    let mut text = header("bash");
    let _ = write!(
        text,
        r#"{FUNCTION}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command= ended= words= word
    local common='{}'
    # bash splits --option=value into three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD - 1}}"; do
        if [[ $word == -- ]]; then
            ended=yes before=
        elif [[ -z $command && $word != -* ]]; then
            command=$word
        fi
    done
    COMPREPLY=()
    # Where this returns early, file names are offered.
    case $command:$before in
        :*) words='{} {}' ;;
"#,
        spellings(&common),
        names.join(" "),
        spellings(&EVERYWHERE)
    );
    for option in common.iter().filter(|option| option.value.is_some()) {
        let _ = writeln!(text, "        {}", bash_value(&["*"], option));
    }
    for command in &commands {
        let own: Vec<CommandOption> = command
            .options
            .iter()
            .filter(|option| !common.contains(option))
            .cloned()
            .collect();
        for option in own.iter().filter(|option| option.value.is_some()) {
            let _ = writeln!(text, "        {}", bash_value(&command.names, option));
        }
        let words = format!("{} $common", spellings(&own))
            .trim_start()
            .to_string();
        let any = patterns(&command.names, &["*".to_string()]);
        let _ = match &command.positional {
            Some(Positional {
                value: Value::File, ..
            }) => writeln!(
                text,
                "        {any})\n            if [[ $ended || $current != -* ]]; then return; fi\n            words=\"{words}\"\n            ;;"
            ),
            _ => writeln!(text, "        {any}) words=\"{words}\" ;;"),
        };
    }
    let _ = write!(
        text,
        r#"    esac
    compopt +o default 2>/dev/null
    if [[ -z $ended ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}}

complete -o default -F {FUNCTION} {PROGRAM}
"#
    );
    text
}

/// What is offered after an option.
fn bash_value(names: &[&str], option: &CommandOption) -> String {
    let patterns = patterns(names, &option.spellings());
    match &option.value {
        Some(Value::File) => format!("{patterns}) return ;;"),
        Some(Value::Words(words)) => format!("{patterns}) words='{}' ;;", words.join(" ")),
        Some(Value::Text(_)) | None => format!("{patterns}) ;;"),
    }
}

/// `command:word` for every combination.
fn patterns(names: &[&str], words: &[String]) -> String {
    let all = names
        .iter()
        .flat_map(|name| words.iter().map(move |word| format!("{name}:{word}")));
    all.collect::<Vec<_>>().join(" | ")
}

fn spellings(options: &[CommandOption]) -> String {
    options
        .iter()
        .flat_map(CommandOption::spellings)
        .collect::<Vec<_>>()
        .join(" ")
}
