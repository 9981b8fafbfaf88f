//! How many bytes a pickle takes, without building anything of what it says.
//!
//! A file of PyTorch before 1.6 has no table of contents: the pickles at its start must be read to know where they end,
//! and every byte of one may cost a hundred bytes of memory. This finds their ends first, by the lengths of the opcodes'
//! arguments (Python's `pickletools` lists them).

/// What follows an opcode.
enum Argument {
    /// So many bytes.
    Bytes(usize),
    /// A length of so many bytes, and as many bytes as it says.
    Sized(usize),
    /// So many lines.
    Lines(usize),
}

/// The opcode's argument; `None` for a byte that is no opcode.
fn argument(opcode: u8) -> Option<Argument> {
    use Argument::{Bytes, Lines, Sized};
    Some(match opcode {
        b'(' | b'.' | b'0' | b'1' | b'2' | b'N' | b'Q' | b'R' | b'a' | b'b' | b'd' | b'e' | b'l' | b'o' | b's'
        | b't' | b'u' | b'}' | b']' | b')' => Bytes(0),
        0x81 | 0x85..=0x89 | 0x8f..=0x94 | 0x97 | 0x98 => Bytes(0),
        b'K' | b'h' | b'q' | 0x80 | 0x82 => Bytes(1),
        b'M' | 0x83 => Bytes(2),
        b'J' | b'j' | b'r' | 0x84 => Bytes(4),
        b'G' | 0x95 => Bytes(8),
        b'U' | b'C' | 0x8a | 0x8c => Sized(1),
        b'T' | b'X' | b'B' | 0x8b => Sized(4),
        0x8d | 0x8e | 0x96 => Sized(8),
        b'F' | b'I' | b'L' | b'P' | b'S' | b'V' | b'g' | b'p' => Lines(1),
        b'c' | b'i' => Lines(2),
        _ => return None,
    })
}

/// The length of the first `count` pickles in `bytes`; `None` where they do not end, or are none.
pub(super) fn pickles(bytes: &[u8], count: usize) -> Option<usize> {
    let mut rest = bytes;
    for _ in 0..count {
        loop {
            let (&opcode, after) = rest.split_first()?;
            rest = skip(after, argument(opcode)?)?;
            if opcode == b'.' {
                break;
            }
        }
    }
    Some(bytes.len() - rest.len())
}

fn skip(bytes: &[u8], argument: Argument) -> Option<&[u8]> {
    match argument {
        Argument::Bytes(count) => bytes.get(count..),
        Argument::Sized(width) => {
            let (length, rest) = bytes.split_at_checked(width)?;
            let length =
                length.iter().rev().try_fold(0usize, |sum, &byte| sum.checked_mul(256)?.checked_add(byte.into()));
            rest.get(length?..)
        }
        Argument::Lines(count) => (0..count).try_fold(bytes, |bytes, _| {
            let end = bytes.iter().position(|&byte| byte == b'\n')?;
            bytes.get(end + 1..)
        }),
    }
}
