//! Options whose value differs between stages: one plain value, or `64=20,256=4`.

use crate::cascade::{CascadeError, Manifest, Request};
use crate::diffusion::{Sampler, Steps, Thresholding};
use std::collections::BTreeMap;
use std::str::FromStr;

/// A plain value, or values by image size.
#[derive(Clone, Debug, PartialEq)]
pub enum PerStage<T> {
    Plain(T),
    BySize(BTreeMap<u32, T>),
}

/// Steps, or released time grids.
pub type StepsOption = PerStage<Steps>;
/// Noise levels.
pub type LevelOption = PerStage<u32>;
/// Guidance scales.
pub type GuidanceOption = PerStage<f32>;
/// Samplers.
pub type SamplerOption = PerStage<Sampler>;
/// Thresholding.
pub type ThresholdOption = PerStage<Threshold>;

/// `none`, `static[:max]` or `dynamic[:quantile[:max]]`, with Imagen's values where they are left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold(pub Thresholding);

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let kind = parts.next().unwrap_or_default();
        let mut number = |what: &str, usual: f32| match parts.next() {
            None => Ok(usual),
            Some(text) => text.parse::<f32>().map_err(|_| format!("the {what} {text:?} is no number")),
        };
        let value = match kind {
            "none" => Thresholding::None,
            "static" => Thresholding::Static { max: number("maximum", 1.0)? },
            "dynamic" => Thresholding::Dynamic { quantile: number("quantile", 0.95)?, max: number("maximum", 1.5)? },
            _ => return Err(format!("unknown kind {kind:?}: use none, static[:max] or dynamic[:quantile[:max]]")),
        };
        match parts.next() {
            None => Ok(Self(value)),
            Some(rest) => Err(format!("{rest:?} is one value too many for {kind}")),
        }
    }
}

impl<T> FromStr for PerStage<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('=') {
            return value(text).map(Self::Plain);
        }
        let mut sizes = BTreeMap::new();
        for part in text.split(',') {
            let Some((size, text)) = part.split_once('=') else {
                return Err(format!("{part:?} has no size: write 64=…,256=…"));
            };
            let size = size.trim().parse().map_err(|_| format!("{size:?} is no image size: write 64=…,256=…"))?;
            if sizes.insert(size, value(text)?).is_some() {
                return Err(format!("the size {size} is named twice"));
            }
        }
        Ok(Self::BySize(sizes))
    }
}

fn value<T>(text: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.trim().parse().map_err(|error| format!("{text:?}: {error}"))
}

/// Puts all options of this kind into a request.
pub(super) fn apply(request: &mut Request, manifest: &Manifest, options: &super::args::Sampling) {
    match &options.steps {
        Some(PerStage::Plain(steps)) => request.set_steps(manifest, *steps),
        Some(PerStage::BySize(sizes)) => request.steps.extend(sizes),
        None => {}
    }
    match &options.cfg_scale {
        Some(PerStage::Plain(scale)) => request.set_guidance(manifest, *scale),
        Some(PerStage::BySize(sizes)) => request.guidance.extend(sizes),
        None => {}
    }
    match &options.sampler {
        Some(PerStage::Plain(sampler)) => request.set_sampler(manifest, *sampler),
        Some(PerStage::BySize(sizes)) => request.sampler.extend(sizes),
        None => {}
    }
    match &options.threshold {
        Some(PerStage::Plain(value)) => request.set_thresholding(manifest, value.0),
        Some(PerStage::BySize(sizes)) => {
            request.thresholding.extend(sizes.iter().map(|(&size, value)| (size, value.0)))
        }
        None => {}
    }
    match &options.aug_level {
        Some(PerStage::Plain(level)) => {
            let stages = manifest.stages.iter().filter(|stage| stage.conditioning.is_some());
            request.aug_level.extend(stages.map(|stage| (stage.image_size, *level)));
        }
        Some(PerStage::BySize(sizes)) => request.aug_level.extend(sizes),
        None => {}
    }
}

/// A stage by its number from 1 or by its image size, as its number.
pub(super) fn stage_number(option: &str, manifest: &Manifest, given: u32) -> Result<usize, CascadeError> {
    let count = manifest.stages.len();
    let by_size = manifest.stages.iter().position(|stage| stage.image_size == given).map(|index| index + 1);
    let by_number = (1..=count).contains(&(given as usize)).then_some(given as usize);
    by_size.or(by_number).ok_or_else(|| {
        let sizes: Vec<_> = manifest.stages.iter().map(|stage| stage.image_size.to_string()).collect();
        let reason = format!("must be 1 to {count}, or one of the image sizes {}; got {given}", sizes.join(", "));
        CascadeError::Request { setting: option.to_owned(), reason }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::ReleasedGrid;

    #[test]
    fn plain_values_and_sizes() {
        assert_eq!("20".parse(), Ok(StepsOption::Plain(20.into())));
        assert_eq!("64=20, 256=4".parse(), Ok(StepsOption::BySize([(64, 20.into()), (256, 4.into())].into())));
        assert_eq!("smart50".parse(), Ok(StepsOption::Plain(Steps::Grid(ReleasedGrid::Smart50))));
        assert_eq!("64=1.5".parse(), Ok(GuidanceOption::BySize([(64, 1.5)].into())));
        assert_eq!("ddim:0.5".parse(), Ok(SamplerOption::Plain(Sampler::Ddim { eta: 0.5 })));
    }

    #[test]
    fn thresholding_has_imagens_values() {
        let parse = |text: &str| text.parse::<Threshold>().map(|value| value.0);
        assert_eq!(parse("none"), Ok(Thresholding::None));
        assert_eq!(parse("static"), Ok(Thresholding::Static { max: 1.0 }));
        assert_eq!(parse("static:4"), Ok(Thresholding::Static { max: 4.0 }));
        assert_eq!(parse("dynamic"), Ok(Thresholding::Dynamic { quantile: 0.95, max: 1.5 }));
        assert_eq!(parse("dynamic:0.9:2"), Ok(Thresholding::Dynamic { quantile: 0.9, max: 2.0 }));
        for bad in ["", "soft", "static:x", "static:1:2", "dynamic:0.9:2:3"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn faults_say_how_to_write_it() {
        for (text, expected) in
            [("64=20,4", "write 64="), ("x=4", "no image size"), ("64=1,64=2", "named twice"), ("many", "many")]
        {
            let error = text.parse::<StepsOption>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
