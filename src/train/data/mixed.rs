//! Pictures of two sets as one, each with its share: both are listed as often as it takes.

use super::{Dataset, Record};
use std::sync::Arc;

/// A user's pictures and the model's samples.
pub(in crate::train) struct Mixed {
    own: Arc<dyn Dataset>,
    prior: Arc<dyn Dataset>,
    /// How often each is listed, counted in pictures.
    listed: [usize; 2],
    notes: Vec<String>,
}

impl Mixed {
    /// `share` of the pictures are of `prior`, above 0 and below 1; every picture is listed at least once. Neither set is empty.
    pub fn new(own: Arc<dyn Dataset>, prior: Arc<dyn Dataset>, share: f32) -> Self {
        let ratio = f64::from(share) / (1.0 - f64::from(share));
        // The user's pictures come round whole, so that none of them counts more than another.
        let rounds = (prior.len() as f64 / ratio / own.len() as f64).ceil().max(1.0) as usize;
        let own_listed = rounds * own.len();
        let prior_listed = ((own_listed as f64 * ratio).round() as usize).max(1);
        let notes = [own.notes(), prior.notes()].concat();
        Self { own, prior, listed: [own_listed, prior_listed], notes }
    }

    /// The set that has a picture, and its place there.
    fn find(&self, index: usize) -> (&dyn Dataset, usize) {
        match index.checked_sub(self.listed[0]) {
            None => (self.own.as_ref(), index % self.own.len()),
            Some(index) => (self.prior.as_ref(), index % self.prior.len()),
        }
    }
}

impl Dataset for Mixed {
    fn len(&self) -> usize {
        self.listed.iter().sum()
    }

    fn name(&self, index: usize) -> String {
        let (set, index) = self.find(index);
        set.name(index)
    }

    fn read(&self, index: usize) -> Result<Record, String> {
        let (set, index) = self.find(index);
        set.read(index)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn may_be_mirrored(&self) -> bool {
        self.own.may_be_mirrored() && self.prior.may_be_mirrored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use std::collections::BTreeMap;

    struct Named(&'static str, usize);

    impl Dataset for Named {
        fn len(&self) -> usize {
            self.1
        }

        fn name(&self, index: usize) -> String {
            format!("{}{index}", self.0)
        }

        fn read(&self, index: usize) -> Result<Record, String> {
            Ok(Record { picture: RgbImage::new(1, 1), caption: self.name(index) })
        }

        fn notes(&self) -> &[String] {
            &[]
        }
    }

    #[test]
    fn shares_are_kept_and_every_picture_is_there() {
        for (own, prior, share) in [(20, 64, 0.5), (1, 64, 0.5), (200, 10, 0.25), (7, 3, 0.9), (20, 64, 0.01)] {
            let mixed = Mixed::new(Arc::new(Named("own", own)), Arc::new(Named("prior", prior)), share);
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            (0..mixed.len()).for_each(|index| *counts.entry(mixed.read(index).unwrap().caption).or_default() += 1);
            let of = |set: &str| counts.iter().filter(|(name, _)| name.starts_with(set)).map(|(_, n)| *n).collect();
            let [own_counts, prior_counts]: [Vec<usize>; 2] = ["own", "prior"].map(of);
            assert_eq!((own_counts.len(), prior_counts.len()), (own, prior));
            assert!(own_counts.iter().all(|&count| count == own_counts[0]));
            let found = prior_counts.iter().sum::<usize>() as f32 / mixed.len() as f32;
            assert!((found - share).abs() < 0.01, "{found} instead of {share}");
        }
    }
}
