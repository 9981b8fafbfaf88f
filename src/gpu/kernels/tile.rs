//! Tile sizes of the matrix kernels: pure functions of shape and limits.

/// Rows and outputs that one workgroup makes; each thread makes 4 × 4 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub m: u32,
    pub n: u32,
}

impl Tile {
    /// Threads of the workgroup.
    pub const fn threads(self) -> u32 {
        self.m / 4 * (self.n / 4)
    }

    /// Bytes of workgroup memory: five vec4 per row and per output.
    pub const fn bytes(self) -> u32 {
        (self.m + self.n) * 5 * 16
    }

    /// Workgroups for an `m` × `n` product.
    pub const fn workgroups(self, m: u32, n: u32) -> u64 {
        m.div_ceil(self.m) as u64 * n.div_ceil(self.n) as u64
    }
}

/// Workgroups below which smaller tiles are better than idle processors.
const ENOUGH: u64 = 64;

/// The tile for an `m` × `n` product: 64 × 64 where that fills the processors, less where the matrix is small.
pub(super) fn tile(m: u32, n: u32, limits: &wgpu::Limits) -> Tile {
    let fits = |tile: Tile| {
        tile.threads() <= limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
            && tile.bytes() <= limits.max_compute_workgroup_storage_size
    };
    let mut tile = Tile { m: 64, n: 64 };
    while tile.m > 16 && m <= tile.m / 2 {
        tile.m /= 2;
    }
    while tile.n > 16 && n <= tile.n / 2 {
        tile.n /= 2;
    }
    while !fits(tile) || (tile.workgroups(m, n) < ENOUGH && tile.threads() > 64) {
        if tile.m >= tile.n && tile.m > 16 {
            tile.m /= 2;
        } else if tile.n > 16 {
            tile.n /= 2;
        } else {
            break;
        }
    }
    tile
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_products_take_the_large_tile() {
        assert_eq!(tile(4096, 512, &wgpu::Limits::default()), Tile { m: 64, n: 64 });
    }

    #[test]
    fn small_products_take_smaller_tiles() {
        let limits = wgpu::Limits::default();
        assert_eq!(tile(40, 256, &limits).threads(), 64);
        assert_eq!(tile(1 << 20, 12, &limits), Tile { m: 64, n: 16 });
        assert_eq!(tile(9, 4096, &limits), Tile { m: 16, n: 64 });
    }

    #[test]
    fn tiles_stay_within_the_limits() {
        let limits = wgpu::Limits {
            max_compute_invocations_per_workgroup: 128,
            max_compute_workgroup_storage_size: 8192,
            ..Default::default()
        };
        for (m, n) in [(1, 1), (64, 64), (77, 4096), (65536, 3), (16384, 1280)] {
            for limits in [&limits, &wgpu::Limits::default()] {
                let tile = tile(m, n, limits);
                assert!(tile.threads() <= limits.max_compute_invocations_per_workgroup);
                assert!(tile.bytes() <= limits.max_compute_workgroup_storage_size);
                assert!(tile.threads() >= 16 && tile.m.is_power_of_two() && tile.n.is_power_of_two());
                assert!(tile.workgroups(m, n) * u64::from(tile.m) * u64::from(tile.n) >= u64::from(m) * u64::from(n));
            }
        }
    }
}
