//! `bench NAME`: runs a benchmark against release builds and shows its rows.
//!
//! A benchmark is a script `tests/bench/NAME.mjs` that prints one JSON object a line:
//! `{name, ours, rival, unit, ratio, goal, met}`. What else it prints is progress.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

use crate::arguments::Arguments;
use crate::chromium;
use crate::commands::build_web;
use crate::failure::{CHECK_DISK, Failure, OrFail, Result};
use crate::node::{self, Node};
use crate::relay::{self, Profile};
use crate::step::Step;
use crate::wasm::WasmBuild;
use crate::workspace::Workspace;

const FOLDER: &str = "tests/bench";
/// The scripts of the folder that measure something; the others help them.
const NAMES: [&str; 1] = ["join"];
const COLUMNS: [&str; 7] = ["name", "ours", "rival", "unit", "ratio", "goal", "met"];

pub fn run(workspace: &Workspace, mut arguments: Arguments) -> Result<ExitCode> {
    let json = arguments.flag("--json");
    let extra = arguments.passed_on();
    let name = arguments.positional().unwrap_or_default();
    if !NAMES.contains(&name.as_str()) {
        return Err(arguments.misuse(&format!(
            "name one of these benchmarks: {}",
            NAMES.join(", ")
        )));
    }
    arguments.finish()?;
    let mut command = prepare(workspace, &name)?;
    let rows = measure(command.args(extra), &name)?;
    if json {
        rows.iter().for_each(|row| println!("{row}"));
    } else {
        print!("{}", table(&rows));
    }
    Ok(if rows.iter().all(met) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn prepare(workspace: &Workspace, name: &str) -> Result<Command> {
    let node = Node::find()?;
    let browser = chromium::ensure(workspace)?;
    node.install(workspace, node::TESTS)?;
    build_web::build(workspace, WasmBuild::Release)?;
    let binary = relay::build(workspace, Profile::Release)?;
    let mut command = node.script(workspace, &format!("{FOLDER}/{name}.mjs"));
    command
        .env(chromium::VARIABLE, browser)
        .env(relay::VARIABLE, binary);
    Ok(command)
}

fn measure(command: &mut Command, name: &str) -> Result<Vec<Value>> {
    const REMEDY: &str = "read what the benchmark printed above";
    Step::run(format!("bench: {name}"), || {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .or_fail("cannot start the benchmark", REMEDY)?;
        let mut rows = Vec::new();
        for line in child
            .stdout
            .take()
            .map(BufReader::new)
            .into_iter()
            .flat_map(BufReader::lines)
        {
            let line = line.or_fail("cannot read what the benchmark prints", CHECK_DISK)?;
            match row(&line) {
                Some(row) => rows.push(row),
                None => eprintln!("{line}"),
            }
        }
        let status = child
            .wait()
            .or_fail("cannot wait for the benchmark", CHECK_DISK)?;
        if !status.success() || rows.is_empty() {
            return Err(Failure::new(
                format!(
                    "benchmark {name} ended with {status} and {} rows",
                    rows.len()
                ),
                REMEDY,
            ));
        }
        Ok(rows)
    })
}

/// A line that is a result: a JSON object with a name.
fn row(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    value.get("name")?.is_string().then_some(value)
}

/// A row without a goal cannot miss it.
fn met(row: &Value) -> bool {
    row.get("met").and_then(Value::as_bool).unwrap_or(true)
}

fn table(rows: &[Value]) -> String {
    let mut lines = vec![COLUMNS.map(str::to_owned)];
    lines.extend(
        rows.iter()
            .map(|row| COLUMNS.map(|column| cell(row.get(column)))),
    );
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    lines.iter().map(|line| pad(line, &widths)).collect()
}

/// Numbers stand right, everything else left.
fn pad(line: &[String; COLUMNS.len()], widths: &[usize]) -> String {
    let cells = line.iter().zip(widths).map(|(cell, width)| {
        if cell.parse::<f64>().is_ok() {
            format!("{cell:>width$}")
        } else {
            format!("{cell:<width$}")
        }
    });
    format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_objects_are_rows() {
        assert!(row(r#"{"name":"join","ours":1}"#).is_some());
        assert!(row(r#"{"ours":1}"#).is_none());
        assert!(row("round 3 of 9").is_none());
    }

    #[test]
    fn the_table_lines_up_and_names_missed_goals() {
        let rows = [
            r#"{"name":"join","ours":120.5,"rival":1100,"unit":"ms","ratio":0.11,"goal":0.7,"met":true}"#,
            r#"{"name":"bytes","ours":9,"rival":null,"unit":"KiB","met":false}"#,
        ];
        let rows: Vec<Value> = rows.iter().filter_map(|line| row(line)).collect();
        let shown = table(&rows);
        assert_eq!(
            shown.lines().next(),
            Some("name   ours   rival  unit  ratio  goal  met")
        );
        assert_eq!(
            shown.lines().nth(1),
            Some("join   120.5   1100  ms     0.11   0.7  yes")
        );
        assert!(shown.lines().nth(2).unwrap().ends_with("no"));
        assert!(!rows.iter().all(met));
    }
}
