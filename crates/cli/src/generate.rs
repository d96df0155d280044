//! Completion of shells and manual pages, made from the tables of commands and options.

use crate::commands::{self, Command};
use crate::help;
use crate::options::{Kind, SWITCHES, Switch};
use crate::tool::Tool;
use std::fmt::Write;

/// A script for `bash`, `zsh` or `fish` that completes commands and options of all tools; `None` for another shell.
pub fn completions(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "zsh" => Some(zsh()),
        "fish" => Some(fish()),
        _ => None,
    }
}

/// Manual pages: names of files and what is in them, for each tool.
pub fn man_pages() -> Vec<(String, String)> {
    Tool::ALL.into_iter().map(|tool| (format!("{}.8", tool.program()), man_page(tool))).collect()
}

fn of_tool(tool: Tool) -> impl Iterator<Item = &'static Command> {
    let mut all: Vec<_> = commands::all().filter(|command| command.is_in(tool)).collect();
    all.sort_unstable_by_key(|command| command.name);
    all.into_iter()
}

/// The options of a command that are not of every command.
fn own_options(command: &Command) -> Vec<&'static Switch> {
    SWITCHES.iter().filter(|switch| !switch.is_common && switch.belongs_to(command.usage)).collect()
}

fn common_options() -> String {
    let names: Vec<String> =
        SWITCHES.iter().filter(|switch| switch.is_common).map(|switch| format!("--{}", switch.name)).collect();
    names.join(" ")
}

fn bash() -> String {
    let mut text = String::from(
        "# Completion of Leveret's tools for bash.\n_leveret_tool() {\n    local current=\"${COMP_WORDS[COMP_CWORD]}\" \
         names=\"$1\" first=\"$2\" command=\"\" word\n    for word in \"${COMP_WORDS[@]:$first:$((COMP_CWORD - first))}\"; do\n        \
         case \"$word\" in -*) ;; *) command=\"$word\"; break ;; esac\n    done\n    if [[ \"$current\" == -* ]]; then\n        \
         COMPREPLY=($(compgen -W \"$(_leveret_options \"$command\")\" -- \"$current\"))\n    elif [[ -z \"$command\" ]]; then\n        \
         COMPREPLY=($(compgen -W \"$names\" -- \"$current\"))\n    else\n        \
         COMPREPLY=($(compgen -f -- \"$current\"))\n    fi\n}\n",
    );
    // Writing to a string cannot fail.
    let _ = write!(text, "_leveret_options() {{\n    local own=\"\"\n    case \"$1\" in\n");
    let mut all: Vec<_> = commands::all().collect();
    all.sort_unstable_by_key(|command| command.name);
    all.dedup_by_key(|command| command.name);
    for command in all {
        let own: Vec<String> = own_options(command).iter().map(|switch| format!("--{}", switch.name)).collect();
        if !own.is_empty() {
            let _ = writeln!(text, "    {}) own=\"{}\" ;;", command.name, own.join(" "));
        }
    }
    let _ = write!(text, "    esac\n    echo \"$own {}\"\n}}\n", common_options());
    for tool in Tool::ALL {
        let (function, names) = (tool.program().replace('-', "_"), help::names(tool).join(" "));
        let _ = write!(
            text,
            "_{function}() {{ _leveret_tool \"{names}\" 1; }}\ncomplete -F _{function} {}\n",
            tool.program()
        );
    }
    text.push_str("_leveret() {\n    case \"${COMP_WORDS[1]}\" in\n");
    for tool in Tool::ALL {
        let names = help::names(tool).join(" ");
        let _ = writeln!(
            text,
            "    {}) [[ $COMP_CWORD -gt 1 ]] && {{ _leveret_tool \"{names}\" 2; return; }} ;;",
            tool.word()
        );
    }
    let _ = write!(
        text,
        "    esac\n    COMPREPLY=($(compgen -W \"{WORDS}\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n}}\ncomplete -F _leveret leveret\n"
    );
    text
}

/// The words behind `leveret`.
const WORDS: &str =
    "server ctl diagnostics queues streams plugins upgrade admin doctor config store import completions man";

/// zsh can use what is for bash.
fn zsh() -> String {
    format!("#compdef leveret\nautoload -U +X bashcompinit && bashcompinit\n{}", bash())
}

fn fish() -> String {
    let mut text = String::from("# Completion of Leveret's tools for fish.\n");
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    for tool in Tool::ALL {
        let program = tool.program();
        for switch in SWITCHES.iter().filter(|switch| switch.is_common) {
            let takes = if switch.kind == Kind::Flag { "" } else { " -r" };
            let _ = writeln!(text, "complete -c {program} -l {}{takes} -d {}", switch.name, quoted(switch.description));
        }
        for command in of_tool(tool) {
            let (name, description) = (command.name, quoted(command.description));
            let _ = writeln!(text, "complete -c {program} -f -n __fish_use_subcommand -a {name} -d {description}");
            let _ = writeln!(
                text,
                "complete -c leveret -f -n '__fish_seen_subcommand_from {}' -a {name} -d {description}",
                tool.word()
            );
            for switch in own_options(command) {
                let takes = if switch.kind == Kind::Flag { "" } else { " -r" };
                let condition = format!("'__fish_seen_subcommand_from {name}'");
                let _ = writeln!(text, "complete -c {program} -n {condition} -l {}{takes}", switch.name);
            }
        }
    }
    let _ = writeln!(text, "complete -c leveret -f -n __fish_use_subcommand -a {}", quoted(WORDS));
    text
}

/// A text as roff has it: no line begins with a dot, and dashes are dashes.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn man_page(tool: Tool) -> String {
    let program = tool.program();
    let mut text = format!(
        ".TH {} 8 \"\" \"Leveret {}\" \"Leveret\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n[options] command \
         [arguments]\n.br\n.B leveret {}\n[options] command [arguments]\n.SH DESCRIPTION\n{}\n",
        roff(&program.to_uppercase()),
        env!("CARGO_PKG_VERSION"),
        roff(program),
        roff(purpose(tool)),
        roff(program),
        tool.word(),
        roff(
            "Talks to a running broker by the socket in its data directory, as root or the broker's own user, or with \
             --uri to its HTTP API. The data directory is that of --data-dir, LEVERET_DATA_DIR, RABBITMQ_MNESIA_DIR or \
             RABBITMQ_MNESIA_BASE; else leveret-data here, /var/lib/leveret or /var/lib/rabbitmq."
        ),
    );
    text.push_str(".SH OPTIONS\n");
    for switch in SWITCHES.iter().filter(|switch| switch.is_common) {
        let letter = switch.letter.map_or_else(String::new, |letter| format!("\\-{letter}, "));
        let value = if switch.kind == Kind::Flag { "" } else { " value" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            ".TP\n{letter}{}{value}\n{}.\n",
            roff(&format!("--{}", switch.name)),
            roff(switch.description)
        );
    }
    text.push_str(".SH COMMANDS\n");
    for command in of_tool(tool) {
        let usage = format!("{} {}", command.name, command.usage);
        let refused =
            if command.reason.is_empty() { String::new() } else { format!(" Not available: {}.", command.reason) };
        let _ = write!(text, ".TP\n{}\n{}.{}\n", roff(usage.trim()), roff(command.description), roff(&refused));
    }
    text.push_str(
        ".SH EXIT STATUS\n0 success, 64 usage, 65 wrong data, 67 no such user, 69 unavailable, 70 exists already or \
         failed, 75 timed out, 78 configuration.\n",
    );
    text
}

fn purpose(tool: Tool) -> &'static str {
    match tool {
        Tool::Ctl => "administers a broker",
        Tool::Diagnostics => "looks at a broker and checks it",
        Tool::Queues => "leaders and replicas of queues",
        Tool::Streams => "leaders and replicas of streams",
        Tool::Plugins => "enables and disables plugins",
        Tool::Upgrade => "takes a node out of service and back",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command as Process, Stdio};

    #[test]
    fn completions_have_every_command() {
        for shell in ["bash", "zsh", "fish"] {
            let script = completions(shell).expect("the shell is known");
            for command in commands::all() {
                assert!(script.contains(command.name), "{shell}: {}", command.name);
            }
        }
        assert_eq!(completions("cmd"), None);
    }

    #[test]
    fn bash_takes_its_script_and_completes() {
        let script = completions("bash").expect("bash is known");
        let asked = "COMP_WORDS=(leveret ctl list_us); COMP_CWORD=2; _leveret; echo ${COMPREPLY[@]}\n\
                     COMP_WORDS=(rabbitmqctl set_policy --prio); COMP_CWORD=2; _rabbitmqctl; echo ${COMPREPLY[@]}";
        let bash = Process::new("bash").args(["-c", &format!("{script}\n{asked}")]).stderr(Stdio::inherit()).output();
        // Where there is no bash, nobody needs its script.
        let Ok(output) = bash else { return };
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "list_user_limits list_user_permissions list_user_topic_permissions list_users\n--priority\n"
        );
    }

    #[test]
    fn manual_pages_have_every_command_and_no_line_that_is_a_request_by_mistake() {
        for (name, page) in man_pages() {
            let known = [".TH", ".SH", ".TP", ".B", ".br"];
            let requests = page.lines().filter(|line| line.starts_with('.'));
            for line in requests {
                assert!(known.iter().any(|request| line.starts_with(request)), "{name}: {line}");
            }
        }
        assert_eq!(man_pages().len(), Tool::ALL.len());
    }
}
