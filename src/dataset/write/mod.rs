//! Data sets on disk: a folder of PNG files with `metadata.jsonl`, as Hugging Face's `imagefolder` reads it, or
//! WebDataset's shards.

mod folder;
mod shards;

use super::{DatasetError, Pairs, Scene, render};
use crate::image::png;
use folder::Folder;
use rayon::prelude::*;
use shards::Shards;
use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::Path;

/// The list of a folder's pictures.
const METADATA: &str = "metadata.jsonl";
/// What a shard's name begins with.
const SHARD: &str = "storybook-";

/// Which pictures to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub seed: u64,
    /// At least 1; picture `i` shows the scene of this seed and index `i`, whatever the count.
    pub count: u64,
    /// Pixels on each side, one of [`SIZES`](super::SIZES).
    pub size: u32,
    pub pairs: Pairs,
}

impl Order {
    /// Whether this can be made.
    ///
    /// # Errors
    /// Where there is no picture to make, or none of this size.
    pub fn check(&self) -> Result<(), DatasetError> {
        if self.count == 0 {
            return Err(DatasetError::Count("count"));
        }
        if super::SIZES.contains(&self.size) { Ok(()) } else { Err(DatasetError::Size(self.size)) }
    }

    /// The scene with this index.
    pub fn scene(&self, index: u64) -> Scene {
        Scene::new(self.seed, index, self.pairs)
    }
}

/// How pictures lie on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `000000.png` and so on, and a line for each in `metadata.jsonl`.
    Folder,
    /// `storybook-000000.tar` and so on, of so many pictures each: `000000.png`, `000000.txt` (the caption) and
    /// `000000.json`.
    Shards { pictures: u64 },
}

/// A picture that is drawn and encoded.
struct Drawn {
    /// The number in its name.
    name: String,
    scene: Scene,
    png: Vec<u8>,
}

/// Where finished pictures go, in order. What was added is complete on disk even if the next one fails.
trait Store: Send {
    fn add(&mut self, picture: &Drawn) -> Result<(), DatasetError>;

    fn finish(&mut self) -> Result<(), DatasetError>;
}

/// Draws and writes pictures on all threads of rayon's pool. `watch` hears after every batch how many are on disk, and
/// may stop.
///
/// # Errors
/// Where the order is at fault, `out` holds data already or cannot be written, or `watch` stops. What was written
/// until then is a whole, smaller data set.
pub fn write(
    order: &Order,
    out: &Path,
    form: Form,
    mut watch: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<(), DatasetError> {
    order.check()?;
    vacant(out)?;
    let mut store: Box<dyn Store> = match form {
        Form::Folder => Box::new(Folder::create(out)?),
        Form::Shards { pictures } => Box::new(Shards::create(out, pictures)?),
    };
    let batch = 16 * rayon::current_num_threads() as u64;
    let mut drawn = draw(order, 0..batch.min(order.count))?;
    let mut written = 0;
    while !drawn.is_empty() {
        // One batch is written while the next one is drawn.
        let from = written + drawn.len() as u64;
        let next = from..(from + batch).min(order.count);
        let (stored, drawing) =
            rayon::join(|| drawn.iter().try_for_each(|picture| store.add(picture)), || draw(order, next));
        stored?;
        written = from;
        drawn = drawing?;
        if watch(written).is_break() && written < order.count {
            store.finish()?;
            return Err(DatasetError::Cancelled { written, count: order.count });
        }
    }
    store.finish()
}

/// Whether there is no data set at `out`, of either form.
///
/// # Errors
/// [`DatasetError::Exists`] where there is one.
pub fn vacant(out: &Path) -> Result<(), DatasetError> {
    if !out.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(out).map_err(DatasetError::write(out))? {
        let path = entry.map_err(DatasetError::write(out))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name == METADATA || (name.starts_with(SHARD) && name.ends_with(".tar")) {
            return Err(DatasetError::Exists(path));
        }
    }
    Ok(())
}

fn draw(order: &Order, indices: Range<u64>) -> Result<Vec<Drawn>, DatasetError> {
    let digits = (order.count - 1).to_string().len().max(6);
    let draw = |index| {
        let scene = order.scene(index);
        let png = png::write_plain(&render(&scene, order.size)?)?;
        Ok(Drawn { name: format!("{index:0digits$}"), scene, png })
    };
    indices.into_par_iter().map(draw).collect()
}
