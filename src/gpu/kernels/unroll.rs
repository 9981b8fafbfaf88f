//! Loops in WGSL that are written out before the driver sees them.
//!
//! A value that a loop finds by its counter (`sums[i]`) lives in memory until a compiler has unrolled the loop, and some
//! never do. So the inner loops of the matrix kernels are marked in their WGSL and written out here:
//!
//! ```text
//! // unroll r ROWS
//! let x_{r} = x_tile[first + {r}u * THREADS_M];
//! // end
//! ```
//!
//! The lines up to the matching `// end` are repeated with `{r}` replaced by 0, 1, … ROWS − 1. Loops nest; a name
//! within a name works (`sum_{r}_{c}`).

/// Writes out the marked loops of `text`; `counts` gives each loop's number of turns by its name. A loop whose count is
/// not given, and that is no number itself, is an error of the kernel's author: it turns once.
pub(super) fn unroll(text: &str, counts: &[(&str, u32)]) -> String {
    let mut lines = text.lines();
    let mut out = String::with_capacity(text.len() * 2);
    block(&mut lines, counts, &mut out);
    out
}

/// Copies lines up to the end of the block, and expands the loops in it.
fn block<'a>(lines: &mut impl Iterator<Item = &'a str>, counts: &[(&str, u32)], out: &mut String) {
    while let Some(line) = lines.next() {
        let mut words = line.trim_start().strip_prefix("// ").unwrap_or_default().split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("end"), None, ..) => return,
            (Some("unroll"), Some(counter), Some(count), None) => {
                let mut body = String::new();
                block(lines, counts, &mut body);
                let given = counts.iter().find(|(name, _)| *name == count).map(|&(_, turns)| turns);
                let turns = given.or_else(|| count.parse().ok()).unwrap_or(1);
                for turn in 0..turns {
                    out.push_str(&body.replace(&format!("{{{counter}}}"), &turn.to_string()));
                }
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unroll;

    #[test]
    fn loops_nest_and_repeat() {
        let text = "a\n// unroll r ROWS\n  x{r};\n  // unroll c COLUMNS\n  s_{r}_{c} = {r}u;\n  // end\n// end\nb\n";
        let expected = "a\n  x0;\n  s_0_0 = 0u;\n  s_0_1 = 0u;\n  x1;\n  s_1_0 = 1u;\n  s_1_1 = 1u;\nb\n";
        assert_eq!(unroll(text, &[("ROWS", 2), ("COLUMNS", 2)]), expected);
    }

    #[test]
    fn no_turns_leave_nothing_and_other_comments_stay() {
        assert_eq!(unroll("// unroll i NONE\nx\n// end\n// the end of it\n", &[("NONE", 0)]), "// the end of it\n");
    }
}
