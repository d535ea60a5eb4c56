//! Completions of zsh.

use std::fmt::Write;

use super::{CommandOption, EVERYWHERE, PROGRAM, Value, commands, common, header, quoted};

pub fn completions() -> String {
    let (commands, common) = (commands(), common());
    let indented = |options: &[CommandOption], indent: &str| -> String {
        options
            .iter()
            .map(|option| format!("{indent}{}\n", option_spec(option)))
            .collect()
    };
    let names: String = commands
        .iter()
        .flat_map(|command| {
            command
                .names
                .iter()
                .map(|name| quoted(&format!("{name}:{}", command.help)))
        })
        .map(|name| format!("                {name}\n"))
        .collect();
    let mut text = format!(
        r#"#compdef {PROGRAM}
{}_{PROGRAM}() {{
    local curcontext=$curcontext context state state_descr line
    local -A opt_args
    local -a commands everywhere common
    everywhere=(
{}    )
    common=(
{}    )
    _arguments -C -S $everywhere '1: :->command' '*:: :->arguments' && return
    case $state in
        command)
            commands=(
{names}            )
            _describe -t commands command commands
            ;;
        arguments)
            case $words[1] in
"#,
        header("zsh"),
        indented(&EVERYWHERE, "        "),
        indented(&common, "        "),
    );
    for command in &commands {
        let mut specs: Vec<String> = command
            .options
            .iter()
            .filter(|option| !common.contains(option))
            .map(option_spec)
            .collect();
        if let Some(positional) = &command.positional {
            let which = if positional.is_repeated { "*" } else { "1" };
            specs.push(quoted(&format!("{which}{}", value_spec(&positional.value))));
        }
        let specs: String = specs
            .iter()
            .map(|spec| format!(" \\\n                        {spec}"))
            .collect();
        let _ = writeln!(
            text,
            "                {})\n                    _arguments -s -S $common{specs}\n                    ;;",
            command.names.join(" | ")
        );
    }
    let _ = write!(
        text,
        "            esac\n            ;;\n    esac\n}}\n\n_{PROGRAM} \"$@\"\n"
    );
    text
}

/// One argument of `_arguments`.
fn option_spec(option: &CommandOption) -> String {
    let help = option.help.replace('[', "\\[").replace(']', "\\]");
    let value = option.value.as_ref().map(value_spec).unwrap_or_default();
    let (with_short, with_long) = if option.value.is_some() {
        ("+", "=")
    } else {
        ("", "")
    };
    match option.short {
        Some(short) => {
            let excluded = if EVERYWHERE.contains(option) {
                "- *".to_string()
            } else {
                option.spellings().join(" ")
            };
            let spellings = format!("{{-{short}{with_short},{}{with_long}}}", option.long);
            format!(
                "'({excluded})'{spellings}{}",
                quoted(&format!("[{help}]{value}"))
            )
        }
        None => quoted(&format!("{}{with_long}[{help}]{value}", option.long)),
    }
}

fn value_spec(value: &Value) -> String {
    match value {
        Value::File => ":file:_files".into(),
        Value::Words(words) => format!(":word:({})", words.join(" ")),
        Value::Text(name) => format!(":{name}: "),
    }
}
