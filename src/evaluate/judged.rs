//! One picture before the judge.

use super::judge::Judge;
use super::network::SIZE;
use super::reading::Reading;
use super::score::{Marks, Section, mark};
use crate::dataset::Told;
use crate::image::Picture;
use crate::train::data::fit;
use image::RgbImage;

/// A picture that was judged.
#[derive(Clone, Debug)]
pub struct Judged {
    pub caption: String,
    pub section: Section,
    /// As the judge saw it, 64×64 pixels.
    pub picture: Picture,
    pub reading: Reading,
    pub marks: Marks,
}

impl Judge {
    /// Judges a picture by its caption. It may have any size from 64×64 on; of what is not square the middle is judged.
    ///
    /// # Errors
    /// Why it cannot be judged, in words: a caption that is none of the grammar, a kind that this judge does not know, a picture
    /// that is too small.
    pub fn judge(&self, caption: &str, picture: &RgbImage) -> Result<Judged, String> {
        let told = Told::read(caption).map_err(|error| error.to_string())?;
        self.about.knows(&told)?;
        let planar = fit(picture, SIZE, SIZE)?;
        let picture = Picture::from_planar(&planar, SIZE, SIZE).map_err(|error| error.to_string())?;
        let reading = self.read(vec![planar]).pop().ok_or("the judge said nothing")?;
        let marks = mark(&told, &reading);
        Ok(Judged { caption: caption.to_owned(), section: Section::of(&told), picture, reading, marks })
    }
}
