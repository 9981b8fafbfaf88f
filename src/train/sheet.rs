//! Sheets of samples: the cascade as it would be exported now, run on fixed prompts with fixed seeds.
//!
//! The folder `cascade` of the run then holds a model that every program opens.

use super::{About, Networks, RunOptions, StageTask, TrainError, data, export};
use crate::cascade::{Cascade, Directory, Manifest, Request, Silent};
use crate::convert::Mixture;
use crate::gpu::Backend;
use crate::image::{Picture, resample};
use crate::weights::BlockFormat;
use data::Dataset;
use image::{RgbImage, imageops};
use std::path::PathBuf;

/// The model's folder in a run's.
pub const CASCADE: &str = "cascade";
/// Pictures per row.
const COLUMNS: u32 = 4;

/// What the sheets of a run show.
pub(super) struct Sheets {
    out: PathBuf,
    /// Counted from 1.
    stage: usize,
    image_size: u32,
    prompts: Vec<String>,
    /// For super-resolution: one low-resolution picture per prompt.
    low: Vec<Picture>,
}

impl Sheets {
    /// Super-resolution enlarges the first pictures of the data with their own captions, as far as there are any.
    /// `at` is the stage's index in the manifest.
    pub fn new(
        options: &RunOptions,
        (task, at): (&StageTask, usize),
        dataset: &dyn Dataset,
        manifest: &Manifest,
    ) -> Self {
        let (mut prompts, mut low) = (options.prompts.clone(), Vec::new());
        if task.enlarges() && options.sheet_every > 0 {
            let factor = task.image_size / manifest.stages[at - 1].image_size as usize;
            prompts.clear();
            for index in 0..dataset.len().min(4 * COLUMNS as usize) {
                let Ok(record) = dataset.read(index) else { continue };
                let whole = data::fit(&record.picture, task.image_size, task.image_size);
                let shape = [3, task.image_size, task.image_size];
                let small = whole.ok().and_then(|planes| resample::box_downsample(&planes, shape, factor).ok());
                let size = task.image_size / factor;
                let small = small.and_then(|planes| Picture::from_planar(&planes, size, size).ok());
                if let Some(small) = small.filter(|_| prompts.len() < 2 * COLUMNS as usize) {
                    low.push(small);
                    prompts.push(record.caption);
                }
            }
        }
        Self { out: options.out.clone(), stage: at + 1, image_size: options.stage, prompts, low }
    }

    /// Writes the cascade and a sheet of it.
    pub fn write(&self, networks: &Networks, about: &About, step: u64) -> Result<PathBuf, TrainError> {
        let folder = self.out.join(CASCADE);
        export::write(networks, about, &folder, Mixture::Plain(BlockFormat::F16))?;
        pollster::block_on(self.sample(&folder, step))
    }

    async fn sample(&self, folder: &std::path::Path, step: u64) -> Result<PathBuf, TrainError> {
        let mut cascade = Cascade::open(Box::new(Directory::new(folder)), Backend::Cpu).await?;
        let rows = (self.prompts.len() as u32).div_ceil(COLUMNS).max(1);
        let mut sheet = RgbImage::new(COLUMNS * self.image_size, rows * self.image_size);
        for (index, prompt) in self.prompts.iter().enumerate() {
            let mut request = Request::new(prompt.as_str());
            (request.seed, request.stop_at_stage) = (index as u64, Some(self.stage));
            request.unconditional = prompt.is_empty();
            if let Some(low) = self.low.get(index) {
                request.start_at_stage = self.stage;
                request.start_pictures = vec![low.clone()];
            }
            let output = cascade.generate(&request, &mut Silent).await?;
            let pictures = output.pictures().iter().cloned();
            let pictures = pictures.filter_map(|one| RgbImage::from_raw(one.width, one.height, one.rgb));
            let (column, row) = (index as u32 % COLUMNS, index as u32 / COLUMNS);
            for picture in pictures {
                let at = [column, row].map(|cell| i64::from(cell * self.image_size));
                imageops::replace(&mut sheet, &picture, at[0], at[1]);
            }
        }
        let path = self.out.join(format!("sheet-{step:07}.png"));
        sheet.save(&path).map_err(|error| TrainError::write(&path, error))?;
        Ok(path)
    }
}
