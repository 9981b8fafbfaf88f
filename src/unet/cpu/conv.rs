//! Convolution as one matrix product per tile of whole lines: the tile's windows are unfolded into columns, and the
//! product is written where the output wants it. Weights stay as they are, `[out, in · kernel · kernel]`.

use super::{Values, for_each_chunk};
use burn::tensor::{Tensor, TensorData};
use gemm::{Parallelism, gemm};

/// Values of unfolded columns at a time, 1 MiB: they stay in a core's cache until they are multiplied.
const COLUMNS: usize = 1 << 18;

/// A convolution of stride 1 that keeps the picture's size; none where [`Values::of`] a tensor is none.
///
/// # Shapes
/// - x: `[batch, in, height, width]`
/// - weight: `[out, in, kernel, kernel]`, kernel odd
/// - bias: `[out]`
/// - output: `[batch, out, height, width]`
pub(super) fn convolve(x: &Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Option<Tensor<4>> {
    let sizes = Sizes::of(x.dims(), weight.dims());
    let (weight, bias) = (Values::of(weight)?, bias.map_or(Some(None), |bias| Values::of(bias).map(Some))?);
    let values = Values::of(x.clone())?;
    let out = product(values.slice(), weight.slice(), bias.as_ref().map(Values::slice), sizes);
    Some(Tensor::from_data(TensorData::new(out, sizes.output()), &x.device()))
}

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub height: usize,
    pub width: usize,
    pub kernel: usize,
}

impl Sizes {
    /// From the shapes of x and weight.
    pub fn of([batch, inputs, height, width]: [usize; 4], [outputs, _, kernel, _]: [usize; 4]) -> Self {
        Self { batch, inputs, outputs, height, width, kernel }
    }

    pub fn output(&self) -> [usize; 4] {
        [self.batch, self.outputs, self.height, self.width]
    }

    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Values of a window.
    pub fn depth(&self) -> usize {
        self.inputs * self.kernel * self.kernel
    }
}

/// The convolution of dense values.
pub(super) fn product(x: &[f32], weight: &[f32], bias: Option<&[f32]>, sizes: Sizes) -> Vec<f32> {
    let (pixels, outputs) = (sizes.pixels(), sizes.outputs);
    let mut out = vec![0.0; sizes.batch * outputs * pixels];
    if let Some(bias) = bias {
        let planes = out.chunks_exact_mut(pixels).zip(bias.iter().cycle());
        planes.for_each(|(plane, bias)| plane.fill(*bias));
    }
    for_each_tile(x, sizes, |entry, first, count, columns| {
        let out = &mut out[entry * outputs * pixels..][..outputs * pixels];
        accumulate(weight, columns, count, &mut out[first..], pixels);
    });
    out
}

/// Unfolds the pictures of a batch, tile by tile: `work` gets the picture's number, the tile's first pixel, its number of
/// pixels, and their windows as columns, `[depth, pixels of the tile]`.
pub(super) fn for_each_tile(x: &[f32], sizes: Sizes, mut work: impl FnMut(usize, usize, usize, &[f32])) {
    let Sizes { batch, inputs, height, width, kernel, .. } = sizes;
    let (pixels, depth) = (sizes.pixels(), sizes.depth());
    let lines = (COLUMNS / (depth * width)).clamp(1, height);
    let border = (kernel / 2) as isize;
    let mut columns = if kernel == 1 { Vec::new() } else { vec![0.0; depth * lines * width] };
    for entry in 0..batch {
        let x = &x[entry * inputs * pixels..][..inputs * pixels];
        if kernel == 1 {
            work(entry, 0, pixels, x);
            continue;
        }
        for first in (0..height).step_by(lines) {
            let last = (first + lines).min(height);
            let tile = (last - first) * width;
            let columns = &mut columns[..depth * tile];
            for_each_chunk(columns, tile, |row, column| {
                let (channel, window) = (row / (kernel * kernel), row % (kernel * kernel));
                let plane = &x[channel * pixels..][..pixels];
                unfold(plane, width, first, [window / kernel, window % kernel].map(|at| at as isize - border), column);
            });
            work(entry, first * width, tile, columns);
        }
    }
}

/// The lines of a plane from `first` on, moved by `down` and `right` positions, with zeros where it ends.
fn unfold(plane: &[f32], width: usize, first: usize, [down, right]: [isize; 2], out: &mut [f32]) {
    // As one run of values: only what came from the line above or below is wrong.
    let start = (first as isize + down) * width as isize + right;
    let inside = |at: isize| at.clamp(0, out.len() as isize) as usize;
    let (from, to) = (inside(-start), inside(plane.len() as isize - start));
    out[..from].fill(0.0);
    if from < to {
        out[from..to].copy_from_slice(&plane[(start + from as isize) as usize..(start + to as isize) as usize]);
    }
    out[to..].fill(0.0);
    let beyond = right.unsigned_abs().min(width);
    for line in out.chunks_exact_mut(width) {
        if right < 0 { line[..beyond].fill(0.0) } else { line[width - beyond..].fill(0.0) }
    }
}

/// All cores natively; WebAssembly has one.
pub(super) fn threads() -> Parallelism {
    #[cfg(not(target_arch = "wasm32"))]
    return Parallelism::Rayon(0);
    #[cfg(target_arch = "wasm32")]
    return Parallelism::None;
}

/// `out += weight · columns`; everything dense but the rows of `out`.
///
/// # Shapes
/// - weight: `[rows, depth]`
/// - columns: `[depth, count]`
/// - out: rows of `count` values that begin `stride` after each other
fn accumulate(weight: &[f32], columns: &[f32], count: usize, out: &mut [f32], stride: usize) {
    let (rows, depth) = (out.len().div_ceil(stride), columns.len() / count);
    assert!(weight.len() == rows * depth && columns.len() == depth * count);
    assert!(count <= stride && out.len() >= (rows - 1) * stride + count);
    let (to, left, right) = (out.as_mut_ptr(), weight.as_ptr(), columns.as_ptr());
    let [out_row, left_row, right_row] = [stride, depth, count].map(|row| row as isize);
    // SAFETY: the assertions say that all rows lie inside the slices and that those of `out` do not overlap; `out` is
    // borrowed mutably and so overlaps neither of the others.
    unsafe {
        gemm(
            rows,
            count,
            depth,
            to,
            1,
            out_row,
            true,
            left,
            1,
            left_row,
            right,
            1,
            right_row,
            1.0,
            1.0,
            false,
            false,
            false,
            threads(),
        );
    }
}
