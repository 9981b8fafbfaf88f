//! What a run tells: `log.csv`, a row per update, and TensorBoard's event files beside it.
//!
//! An event file is a sequence of records: length as u64, masked CRC-32C of the length, an `Event` of TensorFlow's
//! protocol buffers, masked CRC-32C of the event; all little-endian. Of `Event` only what a scalar needs is written.

use super::checkpoint::replace;
use super::{StepReport, TrainError};
use prost::Message;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The table's file.
pub const TABLE: &str = "log.csv";
const HEADER: &str = "step,loss,rate,gradient_norm,examples,seconds,examples_per_second";

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Updates made before this one.
    pub step: u64,
    pub report: StepReport,
    /// Examples met, this batch included.
    pub examples: u64,
    /// Seconds of training, those before the last start included.
    pub seconds: f64,
    pub examples_per_second: f64,
}

/// Both files.
pub struct Journal {
    table: BufWriter<File>,
    events: BufWriter<File>,
    table_path: std::path::PathBuf,
}

impl Journal {
    /// Goes on with the table of a folder from update `step` on: rows of later updates, which are made anew, are dropped.
    ///
    /// # Errors
    /// [`TrainError::Write`] where the files cannot be written, [`TrainError::Read`] for a table that is there and cannot be read.
    pub fn open(folder: &Path, step: u64) -> Result<Self, TrainError> {
        let path = folder.join(TABLE);
        let failed = |error: io::Error| TrainError::write(&path, error);
        let before = match fs::read_to_string(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(TrainError::read(&path, error)),
            read => read.unwrap_or_default(),
        };
        let row =
            |line: &&str| line.split(',').next().and_then(|at| at.parse::<u64>().ok()).is_some_and(|at| at < step);
        let rows: String = before.lines().filter(row).map(|line| format!("{line}\n")).collect();
        replace(&path, format!("{HEADER}\n{rows}").as_bytes()).map_err(failed)?;
        let table = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        let now = now();
        let events = folder.join(format!("events.out.tfevents.{}.imagen.{}", now as u64, std::process::id()));
        let mut file = BufWriter::new(File::create(&events).map_err(failed)?);
        let version = Event { wall_time: now, step: 0, file_version: Some("brain.Event:2".to_owned()), summary: None };
        file.write_all(&record(&version)).map_err(failed)?;
        Ok(Self { table: BufWriter::new(table), events: file, table_path: path })
    }

    /// Writes one row to both.
    ///
    /// # Errors
    /// [`TrainError::Write`] with the system's reason.
    pub fn write(&mut self, row: &Row) -> Result<(), TrainError> {
        let Row { step, report: StepReport { loss, rate, norm }, examples, seconds, examples_per_second } = *row;
        let line = format!("{step},{loss},{rate},{norm},{examples},{seconds:.3},{examples_per_second:.3}");
        let scalars = [("loss", loss), ("rate", rate), ("gradient_norm", norm), ("examples/s", examples_per_second)];
        let value = |(tag, value): (&str, f64)| SummaryValue { tag: tag.to_owned(), simple_value: Some(value as f32) };
        let summary = Some(Summary { value: scalars.map(value).into() });
        let event = Event { wall_time: now(), step: step as i64, file_version: None, summary };
        let written = writeln!(self.table, "{line}").and_then(|()| self.events.write_all(&record(&event)));
        written.map_err(|error| TrainError::write(&self.table_path, error))
    }

    /// Hands what was written to the system, so that others see it.
    ///
    /// # Errors
    /// As [`Journal::write`].
    pub fn flush(&mut self) -> Result<(), TrainError> {
        let flushed = self.table.flush().and_then(|()| self.events.flush());
        flushed.map_err(|error| TrainError::write(&self.table_path, error))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn record(event: &Event) -> Vec<u8> {
    let event = event.encode_to_vec();
    let length = (event.len() as u64).to_le_bytes();
    let check = |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8).to_le_bytes();
    [&length[..], &check(&length), &event, &check(&event)].concat()
}

/// `tensorflow.Event`
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

/// `tensorflow.Summary`
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

/// `tensorflow.Summary.Value`
#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_updates_that_are_made_anew_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let row = |step| Row {
            step,
            report: StepReport { loss: 0.5, rate: 1e-3, norm: 2.0 },
            examples: 4 * (step + 1),
            seconds: step as f64,
            examples_per_second: 4.0,
        };
        let write = |from: u64, to: u64| {
            let mut journal = Journal::open(folder.path(), from).unwrap();
            (from..to).for_each(|step| journal.write(&row(step)).unwrap());
            journal.flush().unwrap();
        };
        write(0, 5);
        write(3, 4);
        let table = fs::read_to_string(folder.path().join(TABLE)).unwrap();
        let steps: Vec<&str> = table.lines().map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(steps, ["step", "0", "1", "2", "3"]);
        assert_eq!(table.lines().nth(1), Some("0,0.5,0.001,2,4,0.000,4.000"));
        // What is no text is not replaced by an empty table.
        fs::write(folder.path().join(TABLE), [0xff, 0xfe]).unwrap();
        assert!(matches!(Journal::open(folder.path(), 3), Err(TrainError::Read { .. })));
        assert_eq!(fs::read(folder.path().join(TABLE)).unwrap(), [0xff, 0xfe]);
    }

    /// The bytes are what tensorboard 2.21 itself makes of this event: `RecordWriter(file).write(Event(wall_time=1.5, step=3,
    /// summary=…).SerializeToString())` in Python.
    #[test]
    fn records_are_tensorboards() {
        let value = SummaryValue { tag: "loss".to_owned(), simple_value: Some(0.25) };
        let summary = Some(Summary { value: vec![value] });
        let event = Event { wall_time: 1.5, step: 3, file_version: None, summary };
        assert_eq!(hex::encode(record(&event)), EXPECTED);
    }

    const EXPECTED: &str = "1a00000000000000129bd82d09000000000000f83f10032a0d0a0b0a046c6f7373150000803ed054b255";
}
