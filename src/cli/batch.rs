//! `--prompts FILE.jsonl`: one request per line.

use super::exit::Failure;
use serde::Deserialize;
use std::path::Path;

/// One line of the file. What is missing comes from the command line.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub prompt: String,
    pub negative_prompt: Option<String>,
    pub seed: Option<u64>,
    pub count: Option<u32>,
    /// File name for this line, in the folder of `--output`.
    pub output: Option<String>,
}

/// Reads the file; empty lines are skipped.
pub(super) fn read(path: &Path) -> Result<Vec<Line>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read the prompts {}: {error}", path.display())))?;
    parse(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn parse(text: &str) -> Result<Vec<Line>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(number, line): (usize, &str)| {
        let example = r#"write lines such as {"prompt": "a cat", "seed": 1}"#;
        serde_json::from_str(line).map_err(|error| format!("line {}: {error}; {example}", number + 1))
    };
    let lines = lines.map(parse).collect::<Result<Vec<Line>, _>>()?;
    if lines.is_empty() { Err("it holds no prompt".to_owned()) } else { Ok(lines) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_requests() {
        let lines = parse("{\"prompt\":\"a cat\",\"seed\":3}\n\n{\"prompt\":\"ä\",\"output\":\"b.png\"}\n").unwrap();
        assert_eq!(lines[0], Line { prompt: "a cat".to_owned(), seed: Some(3), ..Line::default() });
        assert_eq!(lines[1].output.as_deref(), Some("b.png"));
    }

    #[test]
    fn faults_name_the_line() {
        assert!(
            parse("{\"prompt\":\"a\"}\n{\"promt\":\"a\"}").unwrap_err().starts_with("line 2: unknown field `promt`")
        );
        assert!(parse("a cat").unwrap_err().starts_with("line 1: "));
        assert!(parse("\n").unwrap_err().contains("no prompt"));
    }
}
