//! The judge's network: five convolutions with group norms, which end in 8×8 cells. One layer tells of each cell what thing covers it,
//! if any; that is learnt from the boxes of the renders, and quickly, since every picture has 64 of them. Features are averaged over
//! the regions in which things may stand, for things by how much of one is in a cell. One head reads kind and colour of a region,
//! whichever it is; another reads how things stand, place, time and weather of all regions together.

use super::layout::{Layout, REGIONS, weights};
use crate::dataset::{Colour, Place, Time, Weather};
use crate::diffusion::noise::{self, Draw};
use crate::train::parameters;
use crate::unet::architecture::Activation;
use crate::unet::norm::normalise;
use crate::unet::resnet::{convolution, convolve};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PixelUnshuffleConfig};
use burn::tensor::activation::{log_softmax, silu, softmax};
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor, TensorData};

/// Pixels per side of the pictures that it sees.
pub const SIZE: usize = 64;
/// Blocks of 2×2 pixels are one position with four times the channels.
const BLOCK: usize = 2;
/// Channels of the three resolutions, 32, 16 and 8 positions per side.
const CHANNELS: [usize; 3] = [32, 64, 128];
const GROUPS: usize = 8;
/// Cells per side of the last resolution.
pub(super) const CELLS: usize = SIZE / BLOCK / 4;
/// What an empty cell counts, so that a region without a thing has a mean too.
const EMPTY: f64 = 0.02;
/// What the cells' cross entropy counts, in cells.
const CELL_SHARE: f32 = 1.0 / 16.0;
/// Values of the hidden layer of the things' head.
const HIDDEN: usize = 128;

/// What is read of the whole picture: [`Layout`], [`Place`], [`Time`], [`Weather`].
pub(super) const WHOLE: [usize; 4] = [Layout::ALL.len(), Place::ALL.len(), Time::ALL.len(), Weather::ALL.len()];

/// The network.
#[derive(Module, Debug)]
pub(super) struct Network {
    first: Layer,
    second: Layer,
    third: Layer,
    fourth: Layer,
    fifth: Layer,
    cell: Linear,
    hidden: Linear,
    thing: Linear,
    whole: Linear,
    #[module(skip)]
    kinds: usize,
}

/// A convolution, its norm and activation.
#[derive(Module, Debug)]
struct Layer {
    convolution: Conv2d,
    norm: GroupNorm,
}

impl Layer {
    fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        let norm = GroupNormConfig::new(GROUPS, outputs).init(device);
        Self { convolution: convolution(inputs, outputs, 3, device), norm }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        normalise(convolve(&self.convolution, x), &self.norm, None, Some(Activation::Silu))
    }
}

/// What the network says of a batch, as logits.
pub(super) struct Said {
    /// Nothing, or the kind of what covers a cell, `[batch, CELLS², 1 + kinds]`
    pub cells: Tensor<3>,
    /// `[batch, CELLS², colours]`
    pub cell_colours: Tensor<3>,
    /// `[batch, REGIONS, kinds]`
    pub kinds: Tensor<3>,
    /// `[batch, REGIONS, colours]`
    pub colours: Tensor<3>,
    /// In the order of [`WHOLE`], `[batch, classes]` each.
    pub whole: [Tensor<2>; 4],
}

/// What it should say: ones for what is true, and zeros where nothing is asked.
pub(super) struct Truth {
    pub cells: Tensor<3>,
    pub cell_colours: Tensor<3>,
    pub kinds: Tensor<3>,
    pub colours: Tensor<3>,
    pub whole: [Tensor<2>; 4],
}

impl Network {
    /// A network whose weights follow from the seed, on every platform the same: normal values with the variance that keeps
    /// that of the activations (He et al., 1502.01852).
    pub fn new(kinds: usize, seed: u64, device: &Device) -> Self {
        let [fine, middle, coarse] = CHANNELS;
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let network = Self {
            first: Layer::new(3 * BLOCK * BLOCK, fine, device),
            second: Layer::new(fine, middle, device),
            third: Layer::new(middle, middle, device),
            fourth: Layer::new(middle, coarse, device),
            fifth: Layer::new(coarse, coarse, device),
            cell: linear(coarse, 1 + kinds + Colour::ALL.len()),
            hidden: linear(coarse, HIDDEN),
            thing: linear(HIDDEN, kinds + Colour::ALL.len()),
            whole: linear(REGIONS * coarse, WHOLE.iter().sum()),
            kinds,
        };
        let shapes = parameters::shapes(&network);
        let value = |(number, (name, shape)): (usize, (String, Vec<usize>))| {
            let inputs = match *shape.as_slice() {
                [_, inputs, height, width] => inputs * height * width,
                [inputs, _] => inputs,
                _ => 0,
            };
            let mut values = vec![if name.ends_with("norm.weight") { 1.0 } else { 0.0 }; shape.iter().product()];
            if inputs > 0 {
                noise::normal(seed, number as u32, Draw::Initial, 0, &mut values);
                values.iter_mut().for_each(|value| *value *= (2.0 / inputs as f32).sqrt());
            }
            let count = values.len();
            // The values themselves are not differentiated; `place` puts them under what the network is under.
            let plain = device.clone().without_autodiff();
            (name, Tensor::from_data(TensorData::new(values, [count]), &plain))
        };
        let values = shapes.into_iter().enumerate().map(value).collect();
        parameters::place(network, &values)
    }

    /// Planar pictures `[batch, 3, SIZE, SIZE]` from −1 to 1 to logits.
    pub fn forward(&self, pictures: Tensor<4>) -> Said {
        let halve = |x| avg_pool2d(x, AvgPoolOptions::new([2, 2]).with_stride([2, 2]));
        let x = halve(self.first.forward(PixelUnshuffleConfig::new(BLOCK).init().forward(pictures)));
        let x = self.second.forward(x);
        let x = halve(x.clone() + self.third.forward(x));
        let x = self.fourth.forward(x);
        let x = x.clone() + self.fifth.forward(x);
        let [batch, channels, side, _] = x.dims();
        let x = x.reshape([batch, channels, side * side]);
        let cells = self.cell.forward(x.clone().swap_dims(1, 2));
        let (cells, cell_colours) = parts(cells, 1 + self.kinds);
        let there = softmax(cells.clone(), 2).narrow(2, 0, 1).neg().add_scalar(1.0 + EMPTY).swap_dims(1, 2);
        let means = Tensor::<2>::from_data(TensorData::new(weights(side), [side * side, REGIONS]), &x.device());
        let mean = |x: Tensor<3>| {
            let [batch, channels, cells] = x.dims();
            x.reshape([batch * channels, cells])
                .matmul(means.clone())
                .reshape([batch, channels, REGIONS])
                .swap_dims(1, 2)
        };
        let things = mean(x.clone() * there.clone()) / mean(there);
        let (kinds, colours) = parts(self.thing.forward(silu(self.hidden.forward(things))), self.kinds);
        let whole = self.whole.forward(mean(x).reshape([batch, REGIONS * channels]));
        let mut from = 0;
        let whole = WHOLE.map(|classes| {
            from += classes;
            whole.clone().narrow(1, from - classes, classes)
        });
        Said { cells, cell_colours, kinds, colours, whole }
    }
}

/// The first logits, and those of colours behind them.
fn parts(logits: Tensor<3>, first: usize) -> (Tensor<3>, Tensor<3>) {
    (logits.clone().narrow(2, 0, first), logits.narrow(2, first, Colour::ALL.len()))
}

impl Said {
    /// The mean over the batch of all cross entropies together, `[1]`.
    pub fn loss(self, truth: Truth) -> Tensor<1> {
        let batch = self.kinds.dims()[0] as f32;
        let things = cross_entropy(self.kinds, truth.kinds) + cross_entropy(self.colours, truth.colours);
        let cells = cross_entropy(self.cells, truth.cells) + cross_entropy(self.cell_colours, truth.cell_colours);
        let things = things + cells.mul_scalar(CELL_SHARE);
        let whole = self.whole.into_iter().zip(truth.whole).map(|(said, truth)| cross_entropy(said, truth));
        whole.fold(things, |sum, one| sum + one).div_scalar(batch)
    }
}

fn cross_entropy<const D: usize>(said: Tensor<D>, truth: Tensor<D>) -> Tensor<1> {
    (log_softmax(said, D - 1) * truth).sum().neg()
}

/// Planar pictures `[3, SIZE, SIZE]` as one tensor, `[batch, 3, SIZE, SIZE]`.
pub(super) fn batch(pictures: Vec<Vec<f32>>, device: &Device) -> Tensor<4> {
    let shape = [pictures.len(), 3, SIZE, SIZE];
    Tensor::from_data(TensorData::new(pictures.concat(), shape), device)
}
