//! Tile sizes of the matrix kernels: pure functions of the product's shape, the limits and the kind of adapter.

use super::reader::Access;
use super::unroll::unroll;
use crate::gpu::plan::Tensor;

const TILE: &str = include_str!("../../../shaders/tile.wgsl");
const PRODUCT: &str = include_str!("../../../shaders/tile_product.wgsl");
/// The line for which [`PRODUCT`] stands.
const PRODUCT_MARK: &str = "        // Here stands tile_product.wgsl.\n";

/// What one workgroup of a matrix kernel makes: a grid of threads, each with a tile in its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Rows (tokens, pixels) of a thread.
    rows: u32,
    /// Outputs of a thread: a multiple of 4.
    outputs: u32,
    /// Threads along the rows and along the outputs.
    threads_m: u32,
    threads_n: u32,
}

impl Tile {
    const fn new(rows: u32, outputs: u32, threads_m: u32, threads_n: u32) -> Self {
        Self { rows, outputs, threads_m, threads_n }
    }

    /// Rows of a workgroup.
    pub(super) const fn m(self) -> u32 {
        self.rows * self.threads_m
    }

    /// Outputs of a workgroup.
    pub(super) const fn n(self) -> u32 {
        self.outputs * self.threads_n
    }

    /// Threads of the workgroup.
    const fn threads(self) -> u32 {
        self.threads_m * self.threads_n
    }

    /// Bytes of workgroup memory: five vec4 per row and per output, and where a row's window begins.
    const fn bytes(self) -> u32 {
        (self.m() + self.n()) * 5 * 16 + self.m() * 12
    }

    /// Workgroups for an `m` × `n` product.
    pub(super) const fn workgroups(self, m: u32, n: u32) -> u64 {
        m.div_ceil(self.m()) as u64 * n.div_ceil(self.n()) as u64
    }

    /// Products that an `m` × `n` product needs, with those beyond its edges.
    const fn work(self, m: u32, n: u32) -> u64 {
        self.workgroups(m, n) * (self.m() * self.n()) as u64
    }

    /// True where a device with these limits can run it.
    pub(crate) fn fits(self, limits: &wgpu::Limits) -> bool {
        self.threads() <= limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
            && self.bytes() <= limits.max_compute_workgroup_storage_size
    }

    /// The constants in front of the kernel's text, and the tiles in workgroup memory.
    fn preamble(self, half: bool) -> String {
        let constants =
            [("TILE_M", self.m()), ("TILE_N", self.n()), ("THREADS_M", self.threads_m), ("THREADS_N", self.threads_n)];
        constants
            .iter()
            .fold(factor(half).to_owned(), |text, (name, value)| text + &format!("const {name} = {value}u;\n"))
            + TILE
    }

    /// A matrix kernel with this tile: what stands in front, `bindings`, and the kernel's text with its loops over registers
    /// written out.
    pub(super) fn kernel(self, text: &str, bindings: &str, half: bool) -> String {
        let text = text.replace(PRODUCT_MARK, PRODUCT);
        let text = unroll(&text, &[("ROWS", self.rows), ("QUADS", self.outputs / 4)]);
        format!("{}{bindings}{text}", self.preamble(half))
    }
}

/// The tiles for GPUs, those with most products per load first.
const GPU: [Tile; 7] = [
    Tile::new(8, 8, 8, 8),
    Tile::new(8, 8, 4, 8),
    Tile::new(8, 4, 8, 8),
    Tile::new(4, 8, 4, 8),
    Tile::new(4, 4, 8, 8),
    Tile::new(4, 4, 4, 8),
    Tile::new(4, 4, 4, 4),
];

/// The tiles for a CPU that plays a GPU. Measured on SwiftShader (`imagen tune`): what counts is the number of loads per product, each
/// of which it does lane by lane; more threads to a workgroup only cost more at every barrier. Five threads along the
/// rows fit the 77 and the 40 tokens of text encoders.
const SOFTWARE: [Tile; 7] = [
    Tile::new(8, 8, 4, 8),
    Tile::new(8, 8, 5, 8),
    Tile::new(16, 8, 4, 4),
    Tile::new(8, 8, 4, 4),
    Tile::new(8, 8, 5, 4),
    Tile::new(4, 8, 4, 4),
    Tile::new(4, 4, 4, 4),
];

/// The same for wide layers, whose time is worth a longer compilation.
const SOFTWARE_WIDE: [Tile; 2] = [Tile::new(16, 8, 4, 4), Tile::new(16, 8, 5, 4)];

/// All tiles, for measuring them.
pub fn tiles() -> impl Iterator<Item = Tile> {
    let software = SOFTWARE.into_iter().filter(|tile| !GPU.contains(tile));
    GPU.into_iter().chain(software).chain(SOFTWARE_WIDE.into_iter().filter(|tile| !SOFTWARE.contains(tile)))
}

impl std::fmt::Display for Tile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rows, outputs, threads_m, threads_n } = self;
        f.pad(&format!("{rows}×{outputs} in {threads_m}×{threads_n}"))
    }
}

/// The tile for an `m` × `n` product.
pub(crate) fn tile(m: u32, n: u32, limits: &wgpu::Limits, software: bool) -> Tile {
    if software { for_software(m, n, limits) } else { for_gpu(m, n, limits) }
}

/// The first tile that wastes little beyond the edges and still makes enough workgroups for a GPU's processors.
fn for_gpu(m: u32, n: u32, limits: &wgpu::Limits) -> Tile {
    let least = GPU.iter().map(|tile| tile.work(m, n)).min().unwrap_or(0);
    let fits = || GPU.into_iter().filter(|tile| tile.fits(limits));
    let economical = || fits().filter(|tile| tile.work(m, n) <= least + least / 4);
    economical()
        .find(|tile| tile.workgroups(m, n) >= 64)
        .or_else(|| economical().max_by_key(|tile| tile.workgroups(m, n)))
        .or_else(|| fits().next_back())
        .unwrap_or(GPU[GPU.len() - 1])
}

/// The tile that wastes least beyond the edges.
fn for_software(m: u32, n: u32, limits: &wgpu::Limits) -> Tile {
    let tiles = if m >= 64 && n >= 512 { &SOFTWARE_WIDE[..] } else { &SOFTWARE[..] };
    let fits = tiles.iter().copied().filter(|tile| tile.fits(limits));
    fits.min_by_key(|tile| tile.work(m, n)).unwrap_or(SOFTWARE[SOFTWARE.len() - 1])
}

/// What the matrix kernels multiply: `Factor`, four values. Their sums stay in f32.
const fn factor(half: bool) -> &'static str {
    if half { "enable f16;\nalias Factor = vec4<f16>;\n" } else { "alias Factor = vec4<f32>;\n" }
}

/// How the matrix kernels finish a row of outputs: the readers of bias and summands and the writer of y.
pub(super) fn row_access(inputs: &[(&str, u32, Option<Tensor>)], y: (u32, Tensor), wide: bool) -> String {
    let readers = inputs.iter().map(|&(name, binding, tensor)| Access::of(tensor, wide).reader(name, binding));
    readers.collect::<String>() + &Access::of(Some(y.1), wide).writer("y", y.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_products_take_the_large_tile() {
        assert_eq!(tile(4096, 512, &wgpu::Limits::default(), false), GPU[0]);
    }

    #[test]
    fn small_products_take_smaller_tiles_on_a_gpu() {
        let limits = wgpu::Limits::default();
        let (gpu, cpu) = (tile(512, 64, &limits, false), tile(512, 64, &limits, true));
        assert!(gpu.workgroups(512, 64) >= 64 && gpu.workgroups(512, 64) > cpu.workgroups(512, 64));
        assert_eq!(cpu, SOFTWARE[0]);
    }

    #[test]
    fn little_is_wasted_beyond_the_edges() {
        let limits = wgpu::Limits::default();
        for (m, n) in [(9, 4096), (40, 256), (77, 768), (1 << 20, 12), (200, 70)] {
            for software in [false, true] {
                let chosen = tile(m, n, &limits, software);
                let least = GPU.iter().map(|tile| tile.work(m, n)).min().unwrap();
                assert!(chosen.work(m, n) <= least * 5 / 4, "{chosen:?} for {m} × {n}");
            }
        }
    }

    #[test]
    fn a_prompt_fits_its_tile() {
        let limits = wgpu::Limits::default();
        let rows = |m, n| tile(m, n, &limits, true).m();
        assert_eq!((rows(77, 2048), rows(154, 768), rows(40, 192), rows(2048, 32), rows(12, 8)), (80, 80, 40, 64, 16));
    }

    #[test]
    fn tiles_stay_within_the_limits() {
        let small = wgpu::Limits {
            max_compute_invocations_per_workgroup: 32,
            max_compute_workgroup_storage_size: 8192,
            ..Default::default()
        };
        for (m, n) in [(1, 1), (64, 64), (77, 4096), (65536, 3), (16384, 1280)] {
            for (limits, software) in [(&small, false), (&small, true), (&wgpu::Limits::default(), false)] {
                let tile = tile(m, n, limits, software);
                assert!(tile.threads() <= limits.max_compute_invocations_per_workgroup);
                assert!(tile.bytes() <= limits.max_compute_workgroup_storage_size);
                assert!(tile.work(m, n) >= u64::from(m) * u64::from(n));
            }
        }
    }

    #[test]
    fn every_thread_loads_the_same() {
        for tile in GPU {
            assert_eq!(tile.m() * 4 % tile.threads(), 0, "{tile:?}");
            assert_eq!(tile.n() * 4 % tile.threads(), 0, "{tile:?}");
        }
        for tile in GPU.into_iter().chain(SOFTWARE).chain(SOFTWARE_WIDE) {
            assert_eq!((tile.threads() % 4, tile.outputs % 4), (0, 0), "{tile:?}");
        }
    }
}
