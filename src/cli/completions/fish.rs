//! Completions of fish.

use std::fmt::Write;

use super::{
    CommandOption, EVERYWHERE, FUNCTION, PROGRAM, Positional, Value, commands, common, header,
    quoted,
};

pub fn completions() -> String {
    let (commands, common) = (commands(), common());
    let mut text = header("fish");
    let _ = write!(
        text,
        r#"function _{FUNCTION}_command -d 'Print the command of the line, if it has one yet'
    for word in (commandline -opc)[2..]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
    return 1
end

function _{FUNCTION}_is -d 'Test whether the command of the line is one of these'
    contains -- (_{FUNCTION}_command) $argv
end

complete -c {PROGRAM} -f
"#
    );
    for command in &commands {
        for name in &command.names {
            let help = quoted(command.help);
            let _ = writeln!(
                text,
                "complete -c {PROGRAM} -n 'not _{FUNCTION}_command' -a {name} -d {help}"
            );
        }
    }
    for option in &common {
        let condition = if EVERYWHERE.contains(option) {
            String::new()
        } else {
            format!(" -n _{FUNCTION}_command")
        };
        let _ = writeln!(
            text,
            "complete -c {PROGRAM}{condition}{}",
            option_arguments(option)
        );
    }
    // Options that several commands share are written once.
    let mut written = common;
    for option in commands.iter().flat_map(|command| &command.options) {
        if written.contains(option) {
            continue;
        }
        written.push(option.clone());
        let having = commands
            .iter()
            .filter(|command| command.options.contains(option));
        let names: Vec<&str> = having
            .flat_map(|command| command.names.iter().copied())
            .collect();
        let condition = format!("_{FUNCTION}_is {}", names.join(" "));
        let _ = writeln!(
            text,
            "complete -c {PROGRAM} -n '{condition}'{}",
            option_arguments(option)
        );
    }
    for command in commands.iter().filter(|command| {
        matches!(
            command.positional,
            Some(Positional {
                value: Value::File,
                ..
            })
        )
    }) {
        let _ = writeln!(
            text,
            "complete -c {PROGRAM} -n '_{FUNCTION}_is {}' -F",
            command.names.join(" ")
        );
    }
    text
}

fn option_arguments(option: &CommandOption) -> String {
    let short = option
        .short
        .map(|short| format!(" -s {short}"))
        .unwrap_or_default();
    let value = match &option.value {
        None => String::new(),
        Some(Value::File) => " -r -F".into(),
        Some(Value::Words(words)) => format!(" -x -a '{}'", words.join(" ")),
        Some(Value::Text(_)) => " -x".into(),
    };
    format!(
        "{short} -l {}{value} -d {}",
        option.long.trim_start_matches("--"),
        quoted(option.help)
    )
}
