//! What the judge learns from: renders of scenes, some of them softened, since pictures of a diffusion model are less crisp.

use super::EvaluateError;
use super::layout::{Layout, REGIONS};
use super::learn::Lesson;
use super::network::{CELLS, SIZE, Truth, WHOLE};
use super::reading::{Reading, Seen};
use crate::dataset::{Colour, Item, Kind, Pairs, Place, Scene, Time, Weather, render};
use crate::diffusion::noise::{self, Draw};
use burn::tensor::{Device, Tensor, TensorData};

/// One scene of so many shows a held-out pair, which is as often as any other pair.
const HELD_OUT_EVERY: u64 = 11;
/// Of a lesson with a novel kind, one scene of so many shows it: more often than any other, for it is what is asked about.
const NOVEL_EVERY: u64 = 8;
/// Keeps these words apart from those of other choices with the same seed.
const PURPOSE: u32 = 0x4A75;
/// Standard deviation of the strongest noise.
const NOISE: f32 = 0.1;

/// A picture and what is in it.
pub(super) struct Example {
    /// Planar `[3, SIZE, SIZE]`, from −1 to 1.
    pub picture: Vec<f32>,
    pub reading: Reading,
    /// What covers the middle of each cell, row by row.
    cells: Vec<Option<Seen>>,
}

impl Example {
    /// The `number`th example of a lesson.
    pub fn new(lesson: &Lesson, number: u64) -> Result<Self, EvaluateError> {
        let scene = scene(lesson, number);
        let mut picture = render(&scene, SIZE as u32)?.to_planar();
        soften(&mut picture, lesson.seed, number);
        let cells = (0..CELLS * CELLS).map(|cell| covering(&scene, cell)).collect();
        Ok(Self { picture, reading: Reading::of(&scene), cells })
    }
}

fn scene(lesson: &Lesson, number: u64) -> Scene {
    let pairs = match lesson.novel {
        Some(kind) if number.is_multiple_of(NOVEL_EVERY) => Pairs::Of(kind),
        _ if number.is_multiple_of(HELD_OUT_EVERY) => Pairs::HeldOut,
        _ => Pairs::Usual,
    };
    Scene::new(lesson.seed, number, pairs)
}

/// The foremost thing whose box holds the middle of a cell.
fn covering(scene: &Scene, cell: usize) -> Option<Seen> {
    let [x, y] = [cell % CELLS, cell / CELLS].map(|at| (at as f32 + 0.5) / CELLS as f32);
    let covers = |item: &&Item| {
        let [left, top, width, height] = item.frame();
        (left..left + width).contains(&x) && (top..top + height).contains(&y)
    };
    scene.items.iter().rfind(covers).map(|item| Seen { kind: item.kind, colour: item.colour })
}

/// Blurs half of the pictures, and adds noise to half of them, more or less.
fn soften(picture: &mut [f32], seed: u64, number: u64) {
    let words = noise::words(seed, [0, number as u32, u32::MAX - (number >> 32) as u32, PURPOSE]);
    let [blurs, blur, noises, sigma] = words.map(|word| (word >> 8) as f32 / 16_777_216.0);
    if blurs < 0.5 {
        for plane in picture.chunks_exact_mut(SIZE * SIZE) {
            let sharp = plane.to_vec();
            for (at, value) in plane.iter_mut().enumerate() {
                *value += blur * (neighbourhood(&sharp, at) - *value);
            }
        }
    }
    if noises < 0.5 {
        let mut normal = vec![0.0; picture.len()];
        noise::normal(seed, PURPOSE, Draw::Initial, number as u32, &mut normal);
        picture.iter_mut().zip(normal).for_each(|(value, normal)| *value += NOISE * sigma * normal);
    }
}

/// The mean of a pixel and its neighbours; those of the edge are repeated.
fn neighbourhood(plane: &[f32], at: usize) -> f32 {
    let around = |at: usize| [at.saturating_sub(1), at, (at + 1).min(SIZE - 1)];
    let rows = around(at / SIZE).into_iter().flat_map(|row| around(at % SIZE).map(|column| plane[row * SIZE + column]));
    rows.sum::<f32>() / 9.0
}

/// What the network should say of these examples.
pub(super) fn truth(examples: &[Example], kinds: &[Kind], device: &Device) -> Truth {
    let regions = |classes: usize, class: &dyn Fn(&Seen) -> usize| {
        let mut values = vec![0.0f32; examples.len() * REGIONS * classes];
        for (row, Example { reading, .. }) in examples.iter().enumerate() {
            for (seen, region) in reading.things.iter().zip(reading.layout.regions()) {
                values[(row * REGIONS + region) * classes + class(seen)] = 1.0;
            }
        }
        Tensor::<3>::from_data(TensorData::new(values, [examples.len(), REGIONS, classes]), device)
    };
    let cells = |classes: usize, class: &dyn Fn(Option<&Seen>) -> Option<usize>| {
        let all = examples.iter().flat_map(|example| &example.cells);
        let mut values = vec![0.0f32; examples.len() * CELLS * CELLS * classes];
        for (row, seen) in values.chunks_exact_mut(classes).zip(all) {
            if let Some(class) = class(seen.as_ref()) {
                row[class] = 1.0;
            }
        }
        Tensor::<3>::from_data(TensorData::new(values, [examples.len(), CELLS * CELLS, classes]), device)
    };
    let whole = |classes: usize, class: &dyn Fn(&Reading) -> usize| {
        let mut values = vec![0.0f32; examples.len() * classes];
        examples.iter().enumerate().for_each(|(row, one)| values[row * classes + class(&one.reading)] = 1.0);
        Tensor::<2>::from_data(TensorData::new(values, [examples.len(), classes]), device)
    };
    let [layouts, places, times, weathers] = WHOLE;
    Truth {
        cells: cells(1 + kinds.len(), &|seen| Some(seen.map_or(0, |seen| 1 + index(kinds, seen.kind)))),
        cell_colours: cells(Colour::ALL.len(), &|seen| seen.map(|seen| index(&Colour::ALL, seen.colour))),
        kinds: regions(kinds.len(), &|seen| index(kinds, seen.kind)),
        colours: regions(Colour::ALL.len(), &|seen| index(&Colour::ALL, seen.colour)),
        whole: [
            whole(layouts, &|reading| index(&Layout::ALL, reading.layout)),
            whole(places, &|reading| index(&Place::ALL, reading.place)),
            whole(times, &|reading| index(&Time::ALL, reading.time)),
            whole(weathers, &|reading| index(&Weather::ALL, reading.weather)),
        ],
    }
}

/// The class of a value, which is among them: these are all that there are.
fn index<T: PartialEq>(all: &[T], value: T) -> usize {
    all.iter().position(|one| *one == value).unwrap_or_default()
}
